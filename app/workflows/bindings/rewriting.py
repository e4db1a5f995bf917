"""Puts values and ComfyUI's own nodes in the place of annotations; the graph it began with stays. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from app.workflows.bindings.annotation import InputNote, Loader, OutputNote
from app.workflows.bindings.fields import LOADERS, as_number
from app.workflows.bindings.models import Scalar, Target
from app.workflows.bindings.view import View, target_of
from app.workflows.graph import Graph, is_link, link_of
from app.workflows.sanitise import path_problem

_LOADED_BY: Final[Mapping[Loader, tuple[str, str]]] = {
    "image": ("LoadImage", "image"),
    "alpha": ("LoadImage", "image"),
    "audio": ("LoadAudio", "audio"),
    "video": ("LoadVideo", "file"),
}
_VIDEO_SLOTS: Final[Mapping[int, int]] = {0: 0, 2: 1}
"""Frames and sound, of ComfyDeploy's node and of `GetVideoComponents`."""


@dataclass(frozen=True, slots=True)
class Replaced:
    """What came of an annotation: the fields that now hold its value."""

    note: InputNote
    targets: list[Target]
    default: Scalar | None
    """None: there is none, or it is what another node makes."""
    is_optional: bool
    """Need not be given, although it has no default of its own."""


@dataclass(frozen=True, slots=True)
class Rewriting:
    """A graph under change."""

    graph: Graph
    fed: dict[str, list[Target]]
    """The fields that are linked to a node, as they are by now."""

    @classmethod
    def of(cls, graph: Graph) -> Self:
        """Begin with a copy."""
        copied: Graph = {
            node_id: {**node, "inputs": dict(node["inputs"])} for node_id, node in graph.items()
        }
        view = View.of(graph, None)
        return cls(copied, {node_id: list(fed) for node_id, fed in view.fed.items()})

    def replace(self, node_id: str, note: InputNote) -> Replaced | None:
        """Put the value, or a loader, in the place of an annotation; None where it cannot be."""
        if note.loader is None:
            return self._put_value(node_id, note)
        if note.loader == "video" and not self._gives_frames_and_sound(node_id):
            return None
        file = self._file_behind(note.default)
        target = self._put_loader(node_id, note.loader, file or "")
        if is_link(note.default):
            # A loader that only held the default is no input of its own.
            source = link_of(note.default).node_id
            if len(self.fed.get(source, [])) == 1:
                self.graph.pop(source, None)
        return Replaced(note, [target], file, is_optional=False)

    def save(self, node_id: str, note: OutputNote) -> None:
        """Let ComfyUI's own node save."""
        given = {name: value for name, value in note.inputs.items() if value is not None}
        self.graph[node_id] = {
            **self.graph[node_id],
            "class_type": note.class_type,
            "inputs": given,
        }

    def _put_value(self, node_id: str, note: InputNote) -> Replaced | None:
        targets = self.fed.pop(node_id, [])
        default = note.default if isinstance(note.default, (bool, int, float, str)) else None
        if note.kind == "file":
            default = self._file_behind(default)
        linked = is_link(note.default)
        value: Any = note.default if linked else _stand_in(note, default)
        for target in targets:
            if target.node_id in self.graph:
                self.graph[target.node_id]["inputs"][target.input] = value
        if is_link(note.default):
            source = link_of(note.default).node_id
            left = [t for t in self.fed.get(source, []) if t.node_id != node_id]
            self.fed[source] = [*left, *targets]
        del self.graph[node_id]
        return Replaced(note, targets, default, is_optional=linked) if targets else None

    def _file_behind(self, default: Any) -> str | None:
        """The file that a default names, by itself or by the loader it is linked to."""
        if is_link(default):
            default = self._loaded_by(link_of(default).node_id)
        if not isinstance(default, str) or not default or "://" in default:
            return None  # a URL of theirs is no file of this workspace
        return default if path_problem(default) is None else None

    def _loaded_by(self, node_id: str) -> Any:
        node: Graph = self.graph.get(node_id) or {"class_type": "", "inputs": {}}
        inputs: dict[str, Any] = node["inputs"]
        fields = [field for class_type, field in LOADERS if class_type == node["class_type"]]
        return next((inputs.get(field) for field in fields), None)

    def _put_loader(self, node_id: str, loader: Loader, file: str) -> Target:
        class_type, field = _LOADED_BY[loader]
        loading: Graph = {**self.graph[node_id], "class_type": class_type, "inputs": {field: file}}
        if loader in ("image", "audio"):
            self.graph[node_id] = loading
            return target_of(node_id, field)
        own_id = self._free_id(f"{node_id}.file")
        self.graph[own_id] = loading
        if loader == "alpha":
            inputs: Graph = {"image": [own_id, 0], "alpha": [own_id, 1]}
            self.graph[node_id] = {"class_type": "JoinImageWithAlpha", "inputs": inputs}
        else:
            self.graph[node_id] = {
                "class_type": "GetVideoComponents",
                "inputs": {"video": [own_id, 0]},
            }
            for target in self._fed_now(node_id):
                inputs = self.graph[target.node_id]["inputs"]
                slot = link_of(inputs[target.input]).slot
                inputs[target.input] = [node_id, _VIDEO_SLOTS[slot]]
        return target_of(own_id, field)

    def _free_id(self, wanted: str) -> str:
        while wanted in self.graph:
            wanted += "_"
        return wanted

    def _gives_frames_and_sound(self, node_id: str) -> bool:
        """Whether nothing else is asked of a video: what else is known of it, ours does not tell."""
        return all(
            link_of(self.graph[target.node_id]["inputs"][target.input]).slot in _VIDEO_SLOTS
            for target in self._fed_now(node_id)
        )

    def _fed_now(self, node_id: str) -> list[Target]:
        return [
            target
            for target in self.fed.get(node_id, [])
            if target.node_id in self.graph
            and is_link(self.graph[target.node_id]["inputs"].get(target.input))
        ]


def _stand_in(note: InputNote, default: Scalar | None) -> Scalar:
    """What a field holds that a caller must give, or that is drawn afresh."""
    if default is not None:
        whole = note.kind in ("integer", "seed")
        number = as_number(default, whole=whole) if whole or note.kind == "number" else None
        return default if number is None else number
    if note.minimum is not None:
        return note.minimum
    match note.kind:
        case "integer" | "seed" | "number":
            return 0
        case "boolean":
            return False
        case _:
            return ""
