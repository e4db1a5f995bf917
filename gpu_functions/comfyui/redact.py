"""Text that nodes wrote, made fit to be shown: what a reader sees of it, and what never leaves.

The rules are facts/security.md §3.5.
"""

import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gpu_functions.contract import MAX_TEXT_BYTES

MAX_FRAMES = 40
_MAX_LINE_CHARS = 500
_SHORTEST_SECRET_CHARS = 8
"""What is shorter stands in half of all texts, and guards nothing."""

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_URL_QUERY = re.compile(r"(\bhttps?://[^\s?#\"'<>]+)\?[^\s\"'<>]*")
_SECRET = re.compile(
    r"\b(?:cbw?_|whsec_|hf_|sk-|AKIA|eyJ)[\w.+/=-]{8,}"
    r"|(?i:\b(?:bearer|basic)\s+)[\w.+/=~-]{8,}"
)


@dataclass(frozen=True, slots=True)
class Redactor:
    """Cleans text; `private_paths` (home, state, venv, ComfyUI's folder) become `…`."""

    private_paths: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    """Values, not patterns: the partner keys that a run hands to its nodes."""

    @classmethod
    def hiding(cls, paths: Sequence[Path]) -> "Redactor":
        """A redactor for these folders and for those of our own interpreter and user."""
        own = (Path.home(), Path(sys.prefix), Path(sys.base_prefix))
        # A bare "/" or "/usr" would eat half of every path and say nothing about this machine.
        texts = {str(path.absolute()) for path in (*paths, *own) if len(path.absolute().parts) > 2}
        if str(Path.home()) not in ("/", ""):
            texts.add(str(Path.home()))
        return cls(tuple(sorted(texts, key=len, reverse=True)))

    def also_hiding(self, values: Iterable[object]) -> "Redactor":
        """The same, and these secrets of one run are blacked out wherever they stand."""
        secrets = {value for value in values if isinstance(value, str)}
        return replace(
            self, secrets=tuple(one for one in secrets if len(one) >= _SHORTEST_SECRET_CHARS)
        )

    def text(self, text: str, *, max_bytes: int = MAX_TEXT_BYTES) -> str:
        """Clean and cut a message."""
        for secret in self.secrets:
            text = text.replace(secret, "[redacted]")
        # Twice the limit is enough for any cut below; megabytes are not worth a regex.
        text = _CONTROLS.sub("", _ANSI.sub("", text[: 2 * max_bytes]))
        text = _URL_QUERY.sub(r"\1?[redacted]", text)
        text = _SECRET.sub("[redacted]", text)
        for path in self.private_paths:
            text = re.sub(re.escape(path) + r"(?=[/\s\"':]|$)", "…", text)
        lines = (line[:_MAX_LINE_CHARS].rstrip() for line in text.split("\n"))
        return cut("\n".join(lines).strip("\n"), max_bytes)

    def traceback(self, frames: Sequence[object]) -> str | None:
        """Clean the frames of a ComfyUI traceback; the last ones are the telling ones."""
        texts = [frame.rstrip("\n") for frame in frames if isinstance(frame, str)][-MAX_FRAMES:]
        return self.text("\n".join(texts)[-MAX_TEXT_BYTES:]) or None


def cut(text: str, max_bytes: int) -> str:
    """Cut to so many bytes of UTF-8, with a mark."""
    data = text.encode()
    if len(data) <= max_bytes:
        return text
    mark = "…"
    return data[: max_bytes - len(mark.encode())].decode(errors="ignore") + mark
