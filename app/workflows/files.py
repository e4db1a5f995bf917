"""The files a graph names: asset handles at any depth, and names of uploads. Pure.

A handle is `{"__type": "core/ASSET", "info": {"id", ...}}`, put by the official SDKs where a file
name would stand. A plain name counts where object_info says that the input is an upload, or, where
no object_info is known, never: then only handles name files.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import UUID

from app.workflows.dynamic_inputs import specs_given
from app.workflows.graph import Graph
from app.workflows.sanitise import path_problem

ASSET_TYPE = "core/ASSET"


@dataclass(slots=True)
class FileRefs:
    """What a graph names, and where."""

    asset_ids: list[UUID] = field(default_factory=list[UUID])
    paths: list[str] = field(default_factory=list[str])
    malformed: list[str] = field(default_factory=list[str])
    uses: dict[str, list[tuple[str, str]]] = field(default_factory=dict[str, list[tuple[str, str]]])
    """Node id and input name by asset id (as text) or path."""

    def add_handle(self, handle: Mapping[str, Any], node_id: str, name: str) -> None:
        """Note an asset handle."""
        text = handle_id(handle)
        try:
            asset_id = UUID(text)
        except ValueError:
            self._use(text or "(no id)", node_id, name)
            self.malformed.append(text or "(no id)")
            return
        if str(asset_id) not in self.uses:
            self.asset_ids.append(asset_id)
        self._use(str(asset_id), node_id, name)

    def add_path(self, path: str, node_id: str, name: str) -> None:
        """Note a file name."""
        if path not in self.uses:
            self.paths.append(path)
        self._use(path, node_id, name)

    def _use(self, key: str, node_id: str, name: str) -> None:
        self.uses.setdefault(key, []).append((node_id, name))


def is_handle(value: Any) -> bool:
    """Whether this is an asset handle."""
    return isinstance(value, dict) and cast(Graph, value).get("__type") == ASSET_TYPE


def handle_id(handle: Mapping[str, Any]) -> str:
    """The id in a handle, or what stands there instead."""
    info = handle.get("info")
    value = cast(Graph, info).get("id") if isinstance(info, dict) else None
    return value if isinstance(value, str) else ""


def find_files(graph: Graph, object_info: Mapping[str, Any] | None) -> FileRefs:
    """All files that a graph checked by `check_structure` names."""
    refs = FileRefs()
    for node_id, node in graph.items():
        uploads = {
            spec.name
            for spec in specs_given(
                (object_info or {}).get(node["class_type"]) or {}, node["inputs"]
            )
            if spec.is_upload
        }
        for name, value in node["inputs"].items():
            _find_handles(value, node_id, name, refs)
            if name in uploads and isinstance(value, str) and not path_problem(value):
                refs.add_path(value, node_id, name)
    return refs


def _find_handles(value: Any, node_id: str, name: str, refs: FileRefs) -> None:
    if is_handle(value):
        refs.add_handle(cast(Graph, value), node_id, name)
    elif isinstance(value, dict):
        for child in cast(Graph, value).values():
            _find_handles(child, node_id, name, refs)
    elif isinstance(value, list):
        for child in cast(list[Any], value):
            _find_handles(child, node_id, name, refs)


def place_files(graph: Graph, refs: FileRefs, names: Mapping[str, str]) -> Graph:
    """The graph with every file replaced by the name it gets in ComfyUI's input folder.

    Args:
        graph: as submitted
        refs: what `find_files` found in it
        names: from asset id (as text) or path to that name
    """
    paths = {(node_id, name): path for path in refs.paths for node_id, name in refs.uses[path]}
    placed: Graph = {}
    for node_id, node in graph.items():
        inputs = {
            name: names[paths[node_id, name]] if (node_id, name) in paths else _placed(value, names)
            for name, value in node["inputs"].items()
        }
        placed[node_id] = {**node, "inputs": inputs}
    return placed


def _placed(value: Any, names: Mapping[str, str]) -> Any:
    if is_handle(value):
        return names[str(UUID(handle_id(cast(Graph, value))))]
    if isinstance(value, dict):
        return {key: _placed(child, names) for key, child in cast(Graph, value).items()}
    if isinstance(value, list):
        return [_placed(child, names) for child in cast(list[Any], value)]
    return value
