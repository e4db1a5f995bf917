"""What a graph lacks in an environment, and where its workflow says it can be got."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.workflows.missing import Missing, missing
from app.workflows.sources import Sources, sources_of_environment, sources_of_workflow

OBJECT_INFO: dict[str, Any] = {
    "CheckpointLoaderSimple": {
        "input": {"required": {"ckpt_name": [["base.safetensors", "sub/other.safetensors"], {}]}},
        "python_module": "nodes",
    },
    "LoraLoader": {
        "input": {"required": {"lora_name": ["COMBO", {"options": []}], "strength": ["FLOAT", {}]}},
        "python_module": "nodes",
    },
    "LoadImage": {
        "input": {"required": {"image": [["a.png"], {"image_upload": True}]}},
        "python_module": "nodes",
    },
    "KSampler": {
        "input": {"required": {"sampler_name": [["euler"], {}]}},
        "python_module": "nodes",
    },
}


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


def workflow(*properties: dict[str, Any]) -> dict[str, Any]:
    nodes = [{"id": i, "type": f"Node{i}", "properties": p} for i, p in enumerate(properties)]
    return {"nodes": nodes, "links": []}


def model(name: str, url: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "url": url, "directory": "checkpoints", **more}


def test_what_is_there_is_not_missing() -> None:
    graph = {
        "1": node("CheckpointLoaderSimple", ckpt_name="base.safetensors"),
        "2": node("KSampler", sampler_name="another"),
        "3": node("LoadImage", image="not-uploaded-yet.png"),
        "4": node("LoraLoader", lora_name=["1", 0], strength=1.0),
    }

    assert missing(graph, OBJECT_INFO, Sources()) == []


def test_an_unknown_node_is_named_once_with_its_pack() -> None:
    sources = sources_of_workflow(
        {"nodes": [{"type": "Zoom", "properties": {"cnr_id": "comfyui-zoom", "ver": "1.2.0"}}]}
    )

    assert missing({"1": node("Zoom"), "57:2": node("Zoom")}, OBJECT_INFO, sources) == [
        Missing(
            "node",
            "Zoom",
            ("1", "57:2"),
            "Install the pack comfyui-zoom: https://registry.comfy.org/nodes/comfyui-zoom. "
            "It was saved with 1.2.0.",
            url="https://registry.comfy.org/nodes/comfyui-zoom",
            pack="comfyui-zoom",
        )
    ]


def test_a_pack_that_is_in_no_registry_is_on_github() -> None:
    sources = sources_of_workflow(workflow({"aux_id": "someone/ComfyUI-Zoom"}))

    (found,) = missing({"1": node("Node0")}, OBJECT_INFO, sources)

    assert (found.pack, found.url) == ("ComfyUI-Zoom", "https://github.com/someone/ComfyUI-Zoom")


def test_a_node_of_comfyui_itself_wants_a_newer_one() -> None:
    sources = sources_of_workflow(workflow({"cnr_id": "comfy-core", "ver": "0.9.0"}))

    (found,) = missing({"1": node("Node0")}, OBJECT_INFO, sources)

    assert found.where == (
        "It is a part of ComfyUI itself: take a newer one. It was saved with 0.9.0."
    )


def test_a_node_that_nothing_is_said_of_is_named_all_the_same() -> None:
    (found,) = missing({"1": node("Zoom")}, OBJECT_INFO, Sources())

    assert found.where == "The workflow does not say which pack of custom nodes has it."
    assert found.url is None


def test_another_environment_that_has_the_node_says_its_pack() -> None:
    others = {
        "Zoom": {"python_module": "custom_nodes.ComfyUI-Zoom"},
        "Local": {"python_module": "custom_nodes.mine"},
        "KSampler": {"python_module": "nodes"},
    }

    sources = sources_of_environment(others, {"ComfyUI-Zoom": "https://git.example/a/ComfyUI-Zoom"})

    assert list(sources.packs) == ["Zoom"]
    (found,) = missing({"1": node("Zoom")}, OBJECT_INFO, sources)
    assert found.url == "https://git.example/a/ComfyUI-Zoom"


def test_the_workflows_word_counts_before_an_environments() -> None:
    own = sources_of_workflow(workflow({"cnr_id": "own"}))
    other = sources_of_environment(
        {"Node0": {"python_module": "custom_nodes.x"}}, {"x": "https://git.example/x"}
    )

    assert own.over(other).packs["Node0"].name == "own"


def test_a_model_is_named_with_its_file_where_the_workflow_carries_it() -> None:
    url = "https://huggingface.co/a/b/resolve/main/new.safetensors?download=true"
    carried = model("new.safetensors", url, hash="A" * 64, hash_type="SHA256")
    graph = {
        "1": node("CheckpointLoaderSimple", ckpt_name="new.safetensors"),
        "2": node("CheckpointLoaderSimple", ckpt_name="new.safetensors"),
    }

    assert missing(graph, OBJECT_INFO, sources_of_workflow(workflow({"models": [carried]}))) == [
        Missing(
            "model",
            "new.safetensors",
            ("1", "2"),
            f"Fetch it into models/checkpoints from {url}",
            url=url,
            folder="checkpoints",
            sha256="a" * 64,
        )
    ]


def test_a_model_of_a_subgraph_or_of_the_whole_file_is_found_too() -> None:
    inner = model("inner.safetensors", "https://files.example/inner.safetensors")
    outer = model("outer.safetensors", "https://files.example/outer.safetensors")
    file = {
        "nodes": [],
        "models": [outer],
        "definitions": {"subgraphs": [workflow({"models": [inner]})]},
    }

    assert set(sources_of_workflow(file).models) == {"inner.safetensors", "outer.safetensors"}


def test_a_model_that_nothing_is_said_of_is_named_with_its_folder() -> None:
    graph = {"1": node("LoraLoader", lora_name="style.safetensors", strength=1)}

    (found,) = missing(graph, OBJECT_INFO, Sources())

    assert found.where == (
        "The workflow does not say where it comes from. Put it into models/loras."
    )
    assert (found.url, found.folder) == (None, "loras")


def test_a_model_saved_on_windows_is_there_under_another_name() -> None:
    graph = {"1": node("CheckpointLoaderSimple", ckpt_name="sub\\other.safetensors")}

    (found,) = missing(graph, OBJECT_INFO, Sources())

    assert found.where == "It is there, as sub/other.safetensors."


def test_the_models_of_an_unknown_node_are_told_by_their_ends() -> None:
    graph = {"1": node("Zoom", model="new.gguf", have="base.safetensors", text="a red fox")}

    names = [(found.kind, found.name) for found in missing(graph, OBJECT_INFO, Sources())]

    assert names == [("node", "Zoom"), ("model", "new.gguf")]


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "http://files.example/x",
        "https://files.example/a b",
        'https://files.example/"><script>',
        "https://user:password@files.example/x",
        "https://files.example/" + "x" * 3_000,
        "file:///etc/passwd",
        5,
        None,
    ],
)
def test_a_url_that_is_none_is_not_handed_on(url: Any) -> None:
    assert sources_of_workflow(workflow({"models": [model("x.safetensors", url)]})).models == {}


@pytest.mark.parametrize("name", ["../../x", "a/b", "", "x" * 200, "a b", "\x1b[2J", 5, None])
def test_a_pack_whose_name_is_none_is_not_handed_on(name: Any) -> None:
    assert sources_of_workflow(workflow({"cnr_id": name})).packs == {}


@pytest.mark.parametrize("name", ["../x", "a", "a/b/c", "a/b?c", "a/" + "b" * 200, 5])
def test_a_repository_whose_name_is_none_is_not_handed_on(name: Any) -> None:
    assert sources_of_workflow(workflow({"aux_id": name})).packs == {}


def test_a_folder_outside_is_not_handed_on() -> None:
    entry = {"name": "x.safetensors", "url": "https://f.example/x", "directory": "../../bin"}

    assert sources_of_workflow(workflow({"models": [entry]})).models["x.safetensors"].folder == ""


keys = st.sampled_from(
    ["nodes", "type", "properties", "models", "definitions", "subgraphs", "name", "url", "cnr_id"]
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=15,
)


@given(st.dictionaries(keys, anything, max_size=5))
def test_any_workflow_says_something_or_nothing(file: dict[str, Any]) -> None:
    sources = sources_of_workflow(file)

    assert all(source.url.startswith("https://") for source in sources.models.values())
