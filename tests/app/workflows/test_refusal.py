"""What the owner of a refused graph reads first: what is missing, where, and what to do about it."""

from datetime import UTC, datetime

from app.workflows.environments.repository import Environment
from app.workflows.graph import Graph, NodeErrors
from app.workflows.refusal import summary
from app.workflows.validate import validate


def environment(*, is_engine: bool) -> Environment:
    return Environment("local", "digest", "local", None, "0.3.75", is_engine, datetime.now(UTC))


def graph_of(*class_types: str) -> Graph:
    return {str(n): {"class_type": name, "inputs": {}} for n, name in enumerate(class_types)}


def said_of(graph: Graph, *, is_engine: bool) -> str:
    errors = NodeErrors()
    validate(graph, {"Known": {"input": {}, "output_node": True}}, errors)
    return summary(graph, errors, environment(is_engine=is_engine))


def test_on_the_engine_it_names_the_nodes_and_the_way_to_a_real_comfyui() -> None:
    said = said_of(graph_of("LoadAudio", "Known", "SaveAudio", "LoadAudio"), is_engine=True)

    assert "LoadAudio, SaveAudio." in said
    assert "embedded engine" in said
    assert "is not ComfyUI" in said
    assert "./dev comfy" in said


def test_on_a_comfyui_it_names_the_nodes_and_its_version() -> None:
    said = said_of(graph_of("BatchImagesNode"), is_engine=False)

    assert "ComfyUI 0.3.75 does not have here: BatchImagesNode." in said
    assert "engine" not in said


def test_of_very_many_it_names_some_and_their_number() -> None:
    said = said_of(graph_of(*(f"Node{n:03}" for n in range(40))), is_engine=True)

    assert "Node011 and 28 more." in said
    assert len(said) < 500


def test_anything_else_is_told_of_its_first_node() -> None:
    graph = graph_of("Known")
    errors = NodeErrors()
    errors.add("0", "seed", "missing_input", "Required input 'seed' is missing.")
    errors.add("0", "size", "missing_input", "Required input 'size' is missing.")

    said = summary(graph, errors, environment(is_engine=True))

    assert said == "Node 0 (Known): Required input 'seed' is missing. And 1 more, see details."
