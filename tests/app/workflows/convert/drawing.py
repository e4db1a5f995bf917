"""Workflows as the editor saves them, in few words."""

from collections.abc import Sequence
from typing import Any

Ui = dict[str, Any]

IN, OUT = -10, -20
"""Where links from a subgraph's inputs start, and links to its outputs end."""

OBJECT_INFO: Ui = {
    "Make": {
        "input": {"required": {"width": ["INT", {"default": 8}], "seed": ["INT", {"default": 0}]}},
        "output": ["IMAGE"],
        "display_name": "Make a picture",
    },
    "Both": {
        "input": {"required": {"one": ["IMAGE", {}], "two": ["IMAGE", {}]}},
        "output": ["IMAGE"],
    },
    "Say": {
        "input": {"required": {"text": ["STRING", {"dynamicPrompts": True}]}},
        "output": ["TEXT"],
    },
    "Save": {
        "input": {
            "required": {"images": ["*", {}], "filename_prefix": ["STRING", {"default": "a"}]}
        },
        "output": [],
        "output_node": True,
    },
}


def node(
    node_id: int | str, kind: str, inputs: Sequence[Ui] = (), values: Any = None, **more: Any
) -> Ui:
    """One node with one output of type IMAGE, unless `outputs` says otherwise."""
    outputs: list[Ui] = [{"name": "IMAGE", "type": "IMAGE", "links": []}]
    drawn: Ui = {"id": node_id, "type": kind, "mode": 0, "inputs": list(inputs), "outputs": outputs}
    return {**drawn, "widgets_values": [] if values is None else values, **more}


def slot(name: str, link: int | None, *, widget: bool = False, kind: str = "IMAGE") -> Ui:
    """One input."""
    drawn: Ui = {"name": name, "type": kind, "link": link}
    return {**drawn, "widget": {"name": name}} if widget else drawn


def save(node_id: int, link: int | None, prefix: str = "a") -> Ui:
    """The node that makes the rest run."""
    return node(node_id, "Save", [slot("images", link, kind="*")], [prefix], outputs=[])


def workflow(
    nodes: Sequence[Ui], links: Sequence[Sequence[Any]], subgraphs: Sequence[Ui] = (), **extra: Any
) -> Ui:
    """A whole file; a link is (id, from, slot, to, slot)."""
    return {
        "nodes": list(nodes),
        "links": [[*link, "*"] for link in links],
        "definitions": {"subgraphs": list(subgraphs)},
        "extra": extra,
        "version": 0.4,
    }


def subgraph(
    name: str,
    nodes: Sequence[Ui],
    links: Sequence[Sequence[Any]],
    inputs: Sequence[tuple[str, int]] = (),
    outputs: Sequence[tuple[str, int]] = (),
) -> Ui:
    """A subgraph; each input and output has one link."""
    names = ("id", "origin_id", "origin_slot", "target_id", "target_slot")
    return {
        "id": name,
        "name": name,
        "nodes": list(nodes),
        "links": [dict(zip(names, link, strict=True)) for link in links],
        "inputs": [{"name": n, "type": "IMAGE", "linkIds": [link]} for n, link in inputs],
        "outputs": [{"name": n, "type": "IMAGE", "linkIds": [link]} for n, link in outputs],
        "inputNode": {"id": IN},
        "outputNode": {"id": OUT},
    }
