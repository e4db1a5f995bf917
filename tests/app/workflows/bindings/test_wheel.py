"""All workflows of the wheel that an environment of ComfyUI 0.8.0 can run: what is proposed of each holds."""

from functools import cache

from app.workflows.bindings.bind import bind
from app.workflows.bindings.check import check
from app.workflows.bindings.models import Bindings
from app.workflows.bindings.propose import propose
from app.workflows.graph import Graph
from tests.app.workflows.bindings.graphs import OBJECT_INFO
from tests.app.workflows.convert.report import report, templates


@cache
def proposals() -> dict[str, tuple[Graph, Bindings]]:
    editor_files = dict(templates())
    return {
        name: (made.graph, propose(made.graph, OBJECT_INFO, editor_files[name]))
        for name, made in report(OBJECT_INFO).converted.items()
    }


def main_inputs(name: str) -> list[str]:
    return [one.name for one in proposals()[name][1].inputs if one.group == "main"]


def test_no_proposal_has_a_fault() -> None:
    assert len(proposals()) > 100
    faults = {name: check(made, graph, OBJECT_INFO) for name, (graph, made) in proposals().items()}
    assert {name: found for name, found in faults.items() if found} == {}


def test_the_defaults_are_the_graph() -> None:
    changed = [
        name for name, (graph, made) in proposals().items() if bind(graph, made, {}).graph != graph
    ]
    assert changed == []


def test_whatever_encodes_a_text_for_a_sampler_has_a_prompt() -> None:
    without = [
        name
        for name, (graph, made) in proposals().items()
        if any(node["class_type"] == "CLIPTextEncode" for node in graph.values())
        and any(node["class_type"].startswith("KSampler") for node in graph.values())
        and not any("prompt" in one.name or one.name == "caption" for one in made.inputs)
    ]
    assert without == []


def test_what_authors_picked_in_app_mode_is_main_and_in_their_order() -> None:
    # Frontends 1.41 and 1.42 name the node inside the subgraph, by its number alone.
    assert main_inputs("template_sugar_coated_gummy_style_qwen.json") == [
        "prompt",
        "width",
        "height",
        "lora_strength",
    ]
    assert main_inputs("template_qwen_image_illustration_lora.json") == [
        "prompt",
        "width",
        "height",
        "lora_strength",
        "batch_size",
        "steps",
    ]
    assert main_inputs("templates_rob_portrait_light_migration.app.json") == [
        "subject_image",
        "lighting_image",
    ]
