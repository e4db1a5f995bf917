"""Names that callers write: from titles and fields, each once. Pure."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any, Final, cast

from app.workflows.bindings.models import MAX_LABEL_LENGTH, MAX_NAME_LENGTH

_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z][a-z])|(?<=[A-Z])(?=[A-Z][a-z])")
"""`inputImage`; but LoRA and ComfyUI are one word."""
_OTHER: Final = re.compile(r"[^a-z0-9]+")
_SPELLED: Final = {
    "cfg": "CFG",
    "fps": "FPS",
    "vae": "VAE",
    "lora": "LoRA",
    "controlnet": "ControlNet",
}
_BESIDE: Final = re.compile(r"^([^()]+)\(([^()]+)\)$")
"""`CLIP Text Encode (Background)`: what stands beside the name of the class."""
MAX_TITLE_LENGTH: Final = 80
"""A longer title is a note, and no name."""


def snake(text: str) -> str:
    """A text as a name; empty where nothing of it can stand in one (a title in Chinese)."""
    plain = unicodedata.normalize("NFKD", text[:1_000]).encode("ascii", "ignore").decode()
    name = _OTHER.sub("_", _CAMEL.sub("_", plain).lower()).strip("_")
    if name and not name[0].isalpha():
        name = f"n_{name}"
    return name[:MAX_NAME_LENGTH].rstrip("_")


class Names:
    """Gives every name once: `image`, then `image_2`."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, wanted: str, fallback: str = "input") -> str:
        """The wanted name, numbered where it is taken."""
        base = snake(wanted) or snake(fallback) or "input"
        name, count = base, 1
        while name in self._taken:
            count += 1
            tail = f"_{count}"
            name = base[: MAX_NAME_LENGTH - len(tail)].rstrip("_") + tail
        self._taken.add(name)
        return name


def title_of(node: Mapping[str, Any]) -> str:
    """The title of a node, or nothing."""
    meta = node.get("_meta")
    title = cast(Mapping[str, Any], meta).get("title") if isinstance(meta, Mapping) else None
    return title.strip() if isinstance(title, str) else ""


def own_title(node: Mapping[str, Any], node_class: Mapping[str, Any] | None) -> str:
    """The title where somebody chose it: not the one that every node of its class has."""
    title = title_of(node)
    given = {str(node.get("class_type")), str((node_class or {}).get("display_name"))}
    common = {_squeezed(text) for text in given}
    if not title or len(title) > MAX_TITLE_LENGTH or _squeezed(title) in common:
        return ""
    beside = _BESIDE.match(title)
    return beside[2].strip() if beside and _squeezed(beside[1]) in common else title


def _squeezed(text: str) -> str:
    return snake(text).replace("_", "")


def label_of(name: str) -> str:
    """A name as people read it."""
    words = [_SPELLED.get(word, word) for word in name.split("_")]
    text = " ".join(words)
    return (text[:1].upper() + text[1:])[:MAX_LABEL_LENGTH]
