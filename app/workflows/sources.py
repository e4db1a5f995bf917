"""Where the nodes and models of a workflow come from, as far as anything says so. Pure.

The editor writes into a node's `properties` which pack it is of (`cnr_id` in the Comfy Registry, else
`aux_id` on GitHub) and which models it loads (`models`: name, url, directory); an environment that
has a node says which folder of `custom_nodes` it is of. Nothing is guessed from a name. All of it is
text of a stranger: only https URLs and plain names are handed on.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

MAX_URL_LENGTH: Final = 2_048
MAX_NODES_READ: Final = 20_000
"""Of a UI workflow, all subgraphs together."""
CORE: Final = "comfy-core"
"""The pack that ComfyUI's own nodes say they are of."""

_REGISTRY: Final = "https://registry.comfy.org/nodes"
_GITHUB: Final = "https://github.com"
_REGISTRY_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_REPOSITORY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}")
_URL: Final = re.compile(r"https://[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?/[^\s\"'<>\\^`{|}]*")
_FOLDER: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
_SHA256: Final = re.compile(r"[0-9a-fA-F]{64}")


@dataclass(frozen=True, slots=True)
class PackSource:
    """A pack of custom nodes and where it lies."""

    name: str
    url: str
    version: str = ""


@dataclass(frozen=True, slots=True)
class ModelSource:
    """A model file and where it lies."""

    url: str
    folder: str = ""
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Sources:
    """What is known of where things come from."""

    packs: Mapping[str, PackSource] = field(default_factory=dict[str, PackSource])
    """By node class; ComfyUI itself is the pack `comfy-core`."""
    models: Mapping[str, ModelSource] = field(default_factory=dict[str, ModelSource])
    """By file name, without folders."""

    def over(self, other: "Sources") -> "Sources":
        """Both; where both know a thing, this one."""
        return Sources({**other.packs, **self.packs}, {**other.models, **self.models})


def sources_of_workflow(workflow: Mapping[str, Any]) -> Sources:
    """What a workflow as the editor saves it says of its nodes and models. Never raises."""
    packs: dict[str, PackSource] = {}
    models = dict(_models_in(workflow.get("models")))
    for node in _nodes_in(workflow):
        properties = _mapping(node.get("properties"))
        kind = node.get("type")
        pack = _pack_in(properties)
        if isinstance(kind, str) and pack is not None:
            packs.setdefault(kind, pack)
        for name, model in _models_in(properties.get("models")):
            models.setdefault(name, model)
    return Sources(packs, models)


def sources_of_environment(object_info: Mapping[str, Any], packs: Mapping[str, str]) -> Sources:
    """What an environment that has the nodes says of them.

    Args:
        object_info: its own
        packs: the URL of each folder in its `custom_nodes`, from its manifest
    """
    found: dict[str, PackSource] = {}
    for name, node_class in object_info.items():
        module = str(_mapping(node_class).get("python_module") or "")
        folder = module.removeprefix("custom_nodes.")
        if folder != module and folder in packs:
            found[name] = PackSource(folder, packs[folder])
    return Sources(found)


def _nodes_in(workflow: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Of the workflow and of its subgraphs' definitions."""
    left = MAX_NODES_READ
    definitions = _items(_mapping(workflow.get("definitions")).get("subgraphs"))
    for graph in (workflow, *map(_mapping, definitions)):
        for node in _items(graph.get("nodes"))[:left]:
            left -= 1
            yield _mapping(node)


def _pack_in(properties: Mapping[str, Any]) -> PackSource | None:
    version = properties.get("ver")
    said = version[:40] if isinstance(version, str) and version.isprintable() else ""
    repository = properties.get("aux_id")
    name = properties.get("cnr_id")
    if isinstance(name, str) and _REGISTRY_ID.fullmatch(name):
        page = f"{_GITHUB}/comfyanonymous/ComfyUI" if name == CORE else f"{_REGISTRY}/{name}"
        return PackSource(name, page, said)
    if isinstance(repository, str) and _REPOSITORY.fullmatch(repository):
        return PackSource(repository.partition("/")[2], f"{_GITHUB}/{repository}", said)
    return None


def _models_in(entries: Any) -> Iterator[tuple[str, ModelSource]]:
    for entry in map(_mapping, _items(entries)):
        name, url, folder = entry.get("name"), entry.get("url"), entry.get("directory")
        if not isinstance(name, str) or not isinstance(url, str):
            continue
        if len(url) > MAX_URL_LENGTH or not _URL.fullmatch(url):
            continue
        is_plain = isinstance(folder, str) and _FOLDER.fullmatch(folder)
        yield name, ModelSource(url, str(folder) if is_plain else "", _sha256_in(entry))


def _sha256_in(entry: Mapping[str, Any]) -> str | None:
    value = entry.get("hash")
    is_sha256 = str(entry.get("hash_type", "")).upper() == "SHA256"
    if is_sha256 and isinstance(value, str) and _SHA256.fullmatch(value):
        return value.lower()
    return None


def _mapping(value: Any) -> Mapping[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _items(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []
