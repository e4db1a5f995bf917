"""Files of older editors: names of classes that changed since. Pure."""

from dataclasses import replace
from typing import Final

from app.workflows.convert.document import Canvas, Document

_RENAMED: Final = {
    "ConditioningAverage ": "ConditioningAverage",
    "T2IAdapterLoader": "ControlNetLoader",
    "SDV_img2vid_Conditioning": "SVD_img2vid_Conditioning",
    "Load3DAnimation": "Load3D",
    "Preview3DAnimation": "Preview3D",
}


def value_of_today(class_type: str, name: str, value: str) -> str:
    """The first editors wrote `sample_euler` for the sampler `euler`."""
    is_sampler = class_type in {"KSampler", "KSamplerAdvanced"} and name == "sampler_name"
    return value.removeprefix("sample_") if is_sampler else value


def renamed(document: Document) -> Document:
    """With the class names of today."""
    subgraphs = {
        key: replace(subgraph, canvas=_renamed(subgraph.canvas))
        for key, subgraph in document.subgraphs.items()
    }
    return replace(document, root=_renamed(document.root), subgraphs=subgraphs)


def _renamed(canvas: Canvas) -> Canvas:
    if not any(node.type in _RENAMED for node in canvas.nodes.values()):
        return canvas
    nodes = {
        key: replace(node, type=_RENAMED.get(node.type, node.type))
        for key, node in canvas.nodes.items()
    }
    return replace(canvas, nodes=nodes)
