"""Finds what is a prompt by following links from the samplers back to the texts. Pure.

A sampler or guider takes CONDITIONING as `positive` and `negative`; between it and the text stand
encoders, ControlNets, switches and texts joined of parts. A negative prompt that is zeroed out, or
whose sampler runs at a cfg of 1, has no effect.
"""

import re
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

from app.workflows.bindings.models import Target
from app.workflows.bindings.picks import Pick
from app.workflows.bindings.view import View, target_of
from app.workflows.graph import Link, links
from app.workflows.object_info import InputSpec, output_types

Role = Literal["positive", "second", "negative"]
"""`second`: DualCFGGuider's other conditioning, which may hold what is wanted or what is not."""

_ROOT_FIELDS: Final[dict[str, Role]] = {
    "positive": "positive",
    "conditioning": "positive",
    "cond1": "positive",
    "cond2": "second",
    "negative": "negative",
}
_LINK_FIELDS: Final = re.compile(
    r"positive|negative|cond|on_true|on_false|input|any", re.IGNORECASE
)
"""Where object_info does not say what a link carries."""
_TEXT_FIELDS: Final = re.compile(r"^(text|prompt|positive|negative|clip_[lg]|t5xxl|text_[lg])\w*$")
"""Where object_info does not say what a field is."""
_NO_PROMPT: Final = frozenset({"delimiter", "regex_pattern", "find", "replace", "filename_prefix"})
_GENERIC: Final = frozenset(
    {
        "text", "prompt", "value", "string", "string_a", "string_b", "clip_l", "clip_g", "t5xxl", "text_l",
        "text_g", "llama", "positive", "negative", "qwen25_7b", "byt5",
    }
)  # fmt: skip
"""Fields whose name says no more than that they are texts; `lyrics` and `tags` say more."""
_SAYS_ROLE: Final = re.compile(
    r"^(the )?((positive|negative)( prompt)?|prompt|text)$", re.IGNORECASE
)
"""A title that says no more than what tracing found."""
_CARRIES_ALL: Final = frozenset({"*", "COMFY_MATCHTYPE_V3"})


@dataclass(frozen=True, slots=True)
class Prompts:
    """The texts of a graph."""

    picks: list[Pick]
    has_sampler: bool


def find_prompts(view: View) -> Prompts:
    """All texts that reach a sampler, the positive ones first."""
    roots = list(_roots(view))
    links_of: dict[Role, list[Link]] = {"positive": [], "second": [], "negative": []}
    for _, role, link in roots:
        links_of[role].append(link)
    reached = {role: _Walk(view, role).texts(found) for role, found in links_of.items()}
    either = [*reached["positive"], *_without(reached["second"], reached["negative"])]
    unwanted = [t for t in either if "negative" in view.title(t.node_id).lower()]
    positive = _without(either, unwanted)
    negative = _without([*unwanted, *reached["negative"]], positive)
    effective = any(_has_effect(view, node_id) for node_id, role, _ in roots if role == "negative")
    wanted = _picks(view, "prompt", _merged(view, positive, with_empty=False))
    unwanted_picks = _picks(view, "negative_prompt", _merged(view, negative, with_empty=True))
    if not effective:
        unwanted_picks = [pick.advanced() for pick in unwanted_picks]
    return Prompts([*wanted, *unwanted_picks], bool(roots))


def _without(targets: list[Target], taken: list[Target]) -> list[Target]:
    known = set(taken)
    return [target for target in dict.fromkeys(targets) if target not in known]


def text_fields(view: View, node_id: str) -> list[str]:
    """The fields of a node that are made to be written in."""
    specs = view.specs(node_id)
    if specs:
        return [spec.name for spec in specs if _is_text(spec)]
    inputs: dict[str, Any] = view.graph[node_id]["inputs"]
    return [name for name in inputs if _TEXT_FIELDS.match(name)]


def _is_text(spec: InputSpec) -> bool:
    written = spec.options.get("multiline") or spec.options.get("dynamicPrompts")
    is_meant = bool(written) or spec.name == "prompt" or spec.name.endswith("_prompt")
    return spec.type == "STRING" and is_meant and spec.name not in _NO_PROMPT


def _roots(view: View) -> Iterable[tuple[str, Role, Link]]:
    """Where conditioning ends: samplers and guiders."""
    for node_id, node in view.nodes():
        known = view.node_class(node_id)
        passes = "CONDITIONING" in output_types(known) if known else not _sounds_final(node)
        if passes:
            continue
        for name, link in links(node):
            role = _ROOT_FIELDS.get(name)
            if role and link.node_id in view.graph:
                kind = view.output_type(link)
                if kind == "CONDITIONING" or kind in _CARRIES_ALL:
                    yield node_id, role, link


def _sounds_final(node: dict[str, Any]) -> bool:
    name = node["class_type"].lower()
    return "sampler" in name or "guider" in name


def _has_effect(view: View, node_id: str) -> bool:
    cfg = view.value(target_of(node_id, "cfg")) if node_id else None
    return not (isinstance(cfg, (int, float)) and cfg == 1)


@dataclass(frozen=True, slots=True)
class _Walk:
    view: View
    role: Role

    @property
    def side(self) -> str:
        """Which of two conditionings to follow where the way there does not say."""
        return "negative" if self.role == "negative" else "positive"

    def texts(self, start: list[Link]) -> list[Target]:
        """The texts behind links, nearest first; each link once, so that any graph ends."""
        found: dict[Target, None] = {}
        seen: set[Link] = set()
        todo = deque(start)
        while todo:
            link = todo.popleft()
            if link in seen or link.node_id not in self.view.graph:
                continue
            seen.add(link)
            if self.view.class_type(link.node_id) == "ConditioningZeroOut":
                continue
            for target in self._own_texts(link):
                found[target] = None
            todo += self._onward(link)
        return list(found)

    def _own_texts(self, link: Link) -> list[Target]:
        """Fields of the node itself that hold a text."""
        names = text_fields(self.view, link.node_id)
        if self.view.class_type(link.node_id).startswith("PrimitiveString"):
            names = ["value"]
        targets = [target_of(link.node_id, name) for name in names]
        return [target for target in targets if isinstance(self.view.value(target), str)]

    def _onward(self, link: Link) -> list[Link]:
        """The links of the node that lead on to texts."""
        texts = set(text_fields(self.view, link.node_id))
        arrives = self.view.output_name(link)
        onward: list[Link] = []
        for name, source in links(self.view.graph[link.node_id]):
            if source.node_id not in self.view.graph:
                continue
            kind = self.view.output_type(source)
            if name in ("positive", "negative"):
                side = arrives if arrives in ("positive", "negative") else self.side
                if name == side:
                    onward.append(source)
            elif (
                name in texts
                or kind == "CONDITIONING"
                or (kind == "STRING" and self._carries_text(link))
                or (kind in _CARRIES_ALL and _LINK_FIELDS.search(name))
            ):
                onward.append(source)
        return onward

    def _carries_text(self, link: Link) -> bool:
        return self.view.output_type(link) in {"STRING", *_CARRIES_ALL}


def _merged(view: View, targets: list[Target], *, with_empty: bool) -> list[tuple[Target, ...]]:
    """Fields with one and the same text, which are one prompt given twice; empty ones say nothing."""
    groups: dict[object, list[Target]] = {}
    for target in targets:
        text = view.value(target)
        key = text if text or with_empty else (text, target.node_id)
        own = _title(view, target) if _named_alike(target) else target.input
        groups.setdefault((key, own), []).append(target)
    return [tuple(group) for group in groups.values()]


def _named_alike(target: Target) -> bool:
    return target.input in _GENERIC


def _picks(view: View, role_name: str, groups: list[tuple[Target, ...]]) -> list[Pick]:
    picks: list[Pick] = []
    for group in groups:
        target = group[0]
        title = _title(view, target)
        if not _named_alike(target):
            name = target.input
        else:
            name = title if title and len(groups) > 1 else role_name
        picks.append(Pick(group, name, label=title, fallback=role_name))
    # A text that is joined to the prompt, such as a trigger word, comes after it.
    return sorted(picks, key=_distance)


def _title(view: View, target: Target) -> str:
    title = view.own_title(target.node_id)
    return "" if _SAYS_ROLE.match(title) else title


def _distance(pick: Pick) -> int:
    words = pick.name.lower()
    return 0 if words.startswith(("prompt", "negative_prompt")) else 1 if "prompt" in words else 2
