"""What a graph needs and an environment does not have, and where each of it can be got. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from app.workflows.dynamic_inputs import specs_given
from app.workflows.graph import Graph
from app.workflows.object_info import InputSpec
from app.workflows.sources import CORE, Sources

_MODEL_KINDS: Final = (
    ".safetensors", ".sft", ".ckpt", ".pt", ".pth", ".bin", ".gguf", ".onnx",
)  # fmt: skip
_FOLDERS: Final[Mapping[str, str]] = {
    "ckpt_name": "checkpoints",
    "lora_name": "loras",
    "vae_name": "vae",
    "unet_name": "diffusion_models",
    "control_net_name": "controlnet",
    "style_model_name": "style_models",
    "gligen_name": "gligen",
    "hypernetwork_name": "hypernetworks",
}
"""Where ComfyUI's own loaders look, by the input's name."""


@dataclass(frozen=True, slots=True)
class Missing:
    """One node class or one model file."""

    kind: Literal["node", "model"]
    name: str
    node_ids: tuple[str, ...]
    """The nodes of the graph that need it."""
    where: str
    """A sentence for people: where to get it, or that nothing says so."""
    url: str | None = None
    """A page (node) or the file itself (model)."""
    pack: str | None = None
    """Of a node."""
    folder: str | None = None
    """Of a model: below models."""
    sha256: str | None = None
    """Of a model, where its workflow states it."""


def missing(graph: Graph, object_info: Mapping[str, Any], sources: Sources) -> list[Missing]:
    """Node classes that are unknown and model files that are not listed; nodes first, by name.

    A listed file is one that a machine of this environment had when it was registered.

    Args:
        graph: checked by `check_structure`
        object_info: of the environment
        sources: see `sources_of_workflow`, `sources_of_environment`
    """
    classes: dict[str, list[str]] = {}
    files: dict[str, list[tuple[str, str]]] = {}
    for node_id, node in graph.items():
        node_class = object_info.get(node["class_type"])
        if node_class is None:
            classes.setdefault(node["class_type"], []).append(node_id)
            found = _files_of_unknown(node["inputs"])
        else:
            found = _files_not_listed(specs_given(node_class, node["inputs"]), node["inputs"])
        for name, file in found:
            files.setdefault(file, []).append((node_id, name))
    # Read through all nodes only where something is missing: that takes 10 ms.
    listed = _all_listed(object_info) if files else set[str]()
    return [
        *(_missing_node(name, ids, sources) for name, ids in sorted(classes.items())),
        *(
            _missing_model(file, uses, listed, sources)
            for file, uses in sorted(files.items())
            if file not in listed or _is_of_known(graph, uses, object_info)
        ),
    ]


# --- where to get it --------------------------------------------------------------------------


def _missing_node(name: str, node_ids: list[str], sources: Sources) -> Missing:
    source = sources.packs.get(name)
    if source is None:
        where = "The workflow does not say which pack of custom nodes has it."
        return Missing("node", name, tuple(node_ids), where)
    since = f" It was saved with {source.version}." if source.version else ""
    if source.name == CORE:
        where = f"It is a part of ComfyUI itself: take a newer one.{since}"
    else:
        where = f"Install the pack {source.name}: {source.url}.{since}"
    return Missing("node", name, tuple(node_ids), where, source.url, source.name)


def _missing_model(
    file: str, uses: list[tuple[str, str]], listed: set[str], sources: Sources
) -> Missing:
    node_ids = tuple(dict.fromkeys(node_id for node_id, _ in uses))
    slashed = file.replace("\\", "/")
    source = sources.models.get(slashed.rpartition("/")[2])
    folders = {_FOLDERS[name] for _, name in uses if name in _FOLDERS}
    folder = source.folder if source and source.folder else ""
    if not folder and len(folders) == 1:
        (folder,) = folders
    into = f" into models/{folder}" if folder else ""
    if slashed != file and slashed in listed:
        return Missing(
            "model", file, node_ids, f"It is there, as {slashed}.", folder=folder or None
        )
    if source is None:
        where = (
            f"The workflow does not say where it comes from. Put it{into or ' into its folder'}."
        )
        return Missing("model", file, node_ids, where, folder=folder or None)
    where = f"Fetch it{into} from {source.url}"
    return Missing(
        "model", file, node_ids, where, source.url, folder=folder or None, sha256=source.sha256
    )


# --- what is not there ------------------------------------------------------------------------


def _files_not_listed(
    specs: Iterable[InputSpec], inputs: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    for spec in specs:
        value = inputs.get(spec.name)
        if not spec.is_model_file or spec.is_upload or not isinstance(value, str):
            continue
        if _is_model(value) and value not in (spec.choices or ()):
            yield spec.name, value


def _files_of_unknown(inputs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Of an unknown node only the ends of its texts tell which of them are files."""
    for name, value in inputs.items():
        if isinstance(value, str) and _is_model(value):
            yield name, value


def _is_of_known(graph: Graph, uses: list[tuple[str, str]], object_info: Mapping[str, Any]) -> bool:
    """Whether a known node does not list it; an unknown one has it where any node lists it."""
    return any(graph[node_id]["class_type"] in object_info for node_id, _ in uses)


def _all_listed(object_info: Mapping[str, Any]) -> set[str]:
    return {
        choice
        for node_class in object_info.values()
        for spec in specs_given(node_class, {})
        if spec.is_model_file
        for choice in spec.choices or ()
        if isinstance(choice, str)
    }


def _is_model(value: str) -> bool:
    return value.lower().endswith(_MODEL_KINDS) and "\n" not in value
