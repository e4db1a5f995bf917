"""Finds what else a caller would want to set: files, seeds, sizes, sampling, models, switches. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from app.workflows.bindings.fields import SEEDS, field_of, file_kind
from app.workflows.bindings.models import FileKind, Group, Target
from app.workflows.bindings.picks import Pick
from app.workflows.bindings.prompts import text_fields
from app.workflows.bindings.view import View, target_of
from app.workflows.object_info import output_types

SETTINGS: Final[Mapping[str, str]] = {
    "length": "length",
    "num_frames": "length",
    "seconds": "seconds",
    "duration": "duration",
    "steps": "steps",
    "cfg": "cfg",
    "cfg_conds": "cfg",
    "guidance": "guidance",
    "denoise": "denoise",
    "sampler_name": "sampler",
    "scheduler": "scheduler",
    "shift": "shift",
    "batch_size": "batch_size",
    "fps": "fps",
    "frame_rate": "fps",
    "megapixels": "megapixels",
    "strength": "strength",
    "strength_model": "lora_strength",
}
"""Fields that people know, and what they are called here."""

_MODELS: Final[Mapping[str, str]] = {
    "ckpt_name": "checkpoint",
    "unet_name": "model",
    "vae_name": "vae",
    "clip_name": "text_encoder",
    "clip_name1": "text_encoder",
    "clip_name2": "text_encoder",
    "clip_name3": "text_encoder",
    "lora_name": "lora",
    "control_net_name": "controlnet",
    "model_name": "model",
    "style_model_name": "style_model",
}
_MAIN_SETTINGS: Final = frozenset({"length", "seconds", "duration"})
_APART: Final = frozenset({"strength", "lora_strength"})
"""Equal by chance, unless they are of one model: each belongs to its own node."""
_MAKE_ALONE: Final = frozenset({"IMAGE", "MASK", "LATENT", "VIDEO"})
_NOT_ASKED: Final = frozenset(
    {"filename_prefix", "weight_dtype", "device", "control_after_generate"}
)
_TELLING: Final = re.compile(r"^[a-z]+_(image|video|audio|mask|frame)$|^(image|video|mask)_[a-z]+$")
_LOADS: Final = re.compile(r"^(load|upload|input)\b[\s:_-]*", re.IGNORECASE)
MAX_PLAIN: Final = 40
"""Fields proposed of a workflow that samples nothing, where any field may be what it is for."""


def find_files(view: View) -> Iterator[Pick]:
    """Fields that name uploads."""
    found: list[tuple[FileKind, Target]] = []
    for node_id, node in view.nodes():
        specs = {spec.name: spec for spec in view.specs(node_id)}
        for name in node["inputs"]:
            kind = file_kind(node["class_type"], name, specs.get(name))
            if kind:
                found.append((kind, target_of(node_id, name)))
    alone = {kind for kind in _kinds(found) if _kinds(found).count(kind) == 1}
    for kind, target in found:
        title = view.own_title(target.node_id)
        used_as = "" if kind in alone else _used_as(view, target.node_id)
        wanted = _LOADS.sub("", title) or used_as or kind
        yield Pick((target,), wanted, label=title, fallback=kind)


def _kinds(found: list[tuple[FileKind, Target]]) -> list[FileKind]:
    return [kind for kind, _ in found]


def _used_as(view: View, node_id: str) -> str:
    """What the one field that takes a file calls it, where that tells it from others: `start_image`."""
    names = {target.input for target in view.fed.get(node_id, [])}
    name = next(iter(names)) if len(names) == 1 else ""
    return name if _TELLING.match(name) else ""


def find_seeds(view: View) -> Iterator[Pick]:
    """What makes each run another one; those that are equal are one."""
    seeds = (
        source(view, target_of(node_id, name))
        for node_id, node in view.nodes()
        for name in node["inputs"]
        # A second stage that adds no noise ignores its seed.
        if name in SEEDS and node["inputs"].get("add_noise") != "disable"
    )
    for index, targets in enumerate(by_value(view, seeds)):
        yield Pick(targets, "seed", "advanced" if index else "main")


def find_sizes(view: View) -> Iterator[Pick]:
    """Width and height of what is made; of what is only scaled where nothing is made."""
    making: list[str] = []
    other: list[str] = []
    for node_id, node in view.nodes():
        if {"width", "height"} <= node["inputs"].keys():
            (making if _makes(view, node_id) else other).append(node_id)
    group: Group = "main"
    for nodes in (making, other):
        is_any = False
        for name in ("width", "height"):
            fields = (source(view, target_of(node_id, name)) for node_id in nodes)
            for targets in by_value(view, fields):
                is_any = True
                yield Pick(targets, name, group)
        group = "advanced" if is_any else group


def _makes(view: View, node_id: str) -> bool:
    """Whether a picture begins here: a latent, or an image out of none."""
    known = view.node_class(node_id)
    if known is None:
        return "Empty" in view.class_type(node_id)
    outputs = set(output_types(known))
    takes = {spec.type for spec in view.specs(node_id) if spec.required}
    takes_image = bool(takes & _MAKE_ALONE)
    makes_latent = "LATENT" in outputs and "LATENT" not in takes
    return makes_latent or ("IMAGE" in outputs and not takes_image)


def find_settings(view: View) -> Iterator[Pick]:
    """Steps, cfg, sampler, length and the like; equal ones are one."""
    fields: dict[str, list[Target]] = {}
    for node_id, node in view.nodes():
        for name in node["inputs"]:
            if name in SETTINGS:
                target = source(view, target_of(node_id, name))
                fields.setdefault(SETTINGS[name], []).append(target)
    for wanted in dict.fromkeys(SETTINGS.values()):
        # What is made first: the length of a video comes before that of a cut out of it.
        targets = sorted(fields.get(wanted, []), key=lambda t: not _makes(view, t.node_id))
        for equal in by_value(view, targets, apart=wanted in _APART):
            is_main = wanted in _MAIN_SETTINGS and not (
                wanted == "length" and not _makes(view, equal[0].node_id)
            )
            yield Pick(equal, wanted, "main" if is_main else "advanced")


def find_models(view: View) -> Iterator[Pick]:
    """Choices among model files; one file named twice is one choice."""
    fields: dict[str, list[Target]] = {}
    for node_id, node in view.nodes():
        for name in node["inputs"]:
            target = target_of(node_id, name)
            field = field_of(view, target)
            if field and field.is_model and isinstance(view.value(target), str):
                fields.setdefault(_model_name(node["class_type"], name), []).append(target)
    for wanted, targets in fields.items():
        for equal in by_value(view, targets):
            yield Pick(equal, wanted, "advanced")


def _model_name(class_type: str, name: str) -> str:
    if class_type.startswith("CLIPVision"):
        return "clip_vision"
    if name == "name":
        return class_type.removesuffix("Loader")
    return _MODELS.get(name, name.removesuffix("_name"))


def find_titled(view: View) -> Iterator[Pick]:
    """Primitives that somebody gave a title: made to be set."""
    for node_id, node in view.nodes():
        title = view.own_title(node_id)
        if title and node["class_type"].startswith("Primitive"):
            is_text = isinstance(view.value(target_of(node_id, "value")), str)
            pick = Pick((target_of(node_id, "value"),), title, label=title)
            yield pick if is_text else pick.advanced()


def find_texts(view: View) -> Iterator[Pick]:
    """Texts that reach no sampler."""
    for node_id, _ in view.nodes():
        for name in text_fields(view, node_id):
            title = view.own_title(node_id) if name in ("value", "text") else ""
            yield Pick((target_of(node_id, name),), title or name, label=title, fallback="text")


def find_plain(view: View) -> list[Pick]:
    """Every other field that takes a plain value."""
    return [
        Pick((target_of(node_id, name),), _called(name), "advanced")
        for node_id, node in view.nodes()
        for name in node["inputs"]
        if name not in _NOT_ASKED
    ][:MAX_PLAIN]


def _called(name: str) -> str:
    """A field by the word that people have for it."""
    return _MODELS[name] if name in _MODELS else name.rpartition(".")[2]


def source(view: View, target: Target) -> Target:
    """Where the value of a field stands: in itself, or in the primitive that feeds it."""
    seen: set[str] = set()
    while (link := view.link(target)) and link.node_id not in seen:
        seen.add(link.node_id)
        behind = target_of(link.node_id, "value")
        if not view.class_type(link.node_id).startswith("Primitive") or view.value(behind) is None:
            return target
        target = behind
    return target


def by_value(
    view: View, targets: Iterable[Target], *, apart: bool = False
) -> list[tuple[Target, ...]]:
    """Fields that hold one and the same value, together; links are left out.

    Args:
        view: the graph
        targets: its fields
        apart: only those of nodes that name the same LoRA
    """
    groups: dict[tuple[str, Any, Any], dict[Target, None]] = {}
    for target in targets:
        value = view.value(target)
        if isinstance(value, (bool, int, float, str)):
            lora = view.value(target_of(target.node_id, "lora_name"))
            of = (lora if isinstance(lora, str) else target.node_id) if apart else None
            groups.setdefault((type(value).__name__, value, of), {})[target] = None
    return [tuple(group) for group in groups.values()]
