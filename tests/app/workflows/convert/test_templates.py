"""The graphs of real workflows, held against what real editors made of the same files.

The data was captured by loading each template of PyPI's comfyui-workflow-templates-json 0.1.123 into
the editor in a headless browser (1.35.9 is the editor of ComfyUI 0.8.0), and asking it for its prompt.
"""

import gzip
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest

from app.workflows.convert.convert import convert
from app.workflows.graph import Graph
from app.workflows.object_info import input_specs
from app.workflows.sanitise import reachable_nodes
from tests.app.workflows.convert.report import DATA, Report, object_info, report, templates

MISREAD_BY_1_35_9 = {"image_qwen_image_edit.json", "video_wanmove_480p.json"}
"""It loses the link to a sampler's `steps`: the file was saved by a newer editor, which lists only some
inputs of a node, so that 1.35.9 looks for the link at another input, finds a number of the wrong type
there, and cuts it. 1.58.1 reads the same file right."""


@cache
def captured(version: str) -> dict[str, Graph]:
    """What that version of the editor made of templates, by file."""
    return json.loads(gzip.decompress((DATA / f"frontend-{version}.json.gz").read_bytes()))


@cache
def all_templates() -> Mapping[str, Any]:
    return dict(templates())


@cache
def whole_wheel() -> Report:
    return report(object_info())


def comparable(graph: Graph) -> Graph:
    """Class and inputs of what runs; without inputs that only the editor knows."""
    keep = reachable_nodes(graph, object_info())
    return {
        node_id: {"class_type": node["class_type"], "inputs": _known(node)}
        for node_id, node in graph.items()
        if node_id in keep
    }


def _known(node: Graph) -> Graph:
    known = {spec.name for spec in input_specs(object_info()[node["class_type"]])}
    return {k: v for k, v in node["inputs"].items() if k.partition(".")[0] in known or k in known}


@pytest.mark.parametrize("name", sorted(captured("1.35.9")))
def test_the_graph_of_a_template_is_the_editors(name: str) -> None:
    version = "1.58.1" if name in MISREAD_BY_1_35_9 else "1.35.9"
    made = convert(all_templates()[name], object_info())
    assert comparable(made.graph) == comparable(captured(version)[name])


@pytest.mark.parametrize("name", sorted(MISREAD_BY_1_35_9))
def test_a_template_that_the_old_editor_misreads_differs_in_one_link_alone(name: str) -> None:
    ours = comparable(convert(all_templates()[name], object_info()).graph)
    theirs = comparable(captured("1.35.9")[name])
    differing = [
        (node_id, field)
        for node_id, node in theirs.items()
        for field, value in node["inputs"].items()
        if ours[node_id]["inputs"][field] != value
    ]
    assert [field for _, field in differing] == ["steps"]


def test_every_template_whose_nodes_are_known_is_converted() -> None:
    made = whole_wheel()
    assert len(made.converted) == 126
    assert made.reasons() == {"missing_nodes": 518}


def test_a_refusal_names_every_absent_class_and_the_pack_that_the_file_names() -> None:
    for error in whole_wheel().refused.values():
        missing = error.details["missing"]
        assert missing
        assert all(each["class_type"] not in object_info() and each["node_ids"] for each in missing)
    packs = {m["pack"] for e in whole_wheel().refused.values() for m in e.details["missing"]}
    assert "comfy-core" in packs


def test_a_converted_template_is_a_graph_that_links_only_to_what_is_there() -> None:
    for made in whole_wheel().converted.values():
        for node in made.graph.values():
            for value in node["inputs"].values():
                assert not isinstance(value, list) or value[0] in made.graph
