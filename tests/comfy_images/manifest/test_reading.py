"""An environment's TOML: what it says, and every fault in it at once."""

import json
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfy_images.manifest import Manifest, ManifestError, lock, read_lock, read_manifest
from comfy_images.manifest.reading import MAX_BYTES
from tests.comfy_images.environment import STUDIO

SHIPPED = sorted((Path(__file__).parents[3] / "comfy_images" / "environments").glob("*.toml"))


def read(toml: str) -> Manifest:
    return read_manifest(toml.encode())


def faults_of(toml: str) -> dict[str, str]:
    with pytest.raises(ManifestError) as caught:
        read(toml)
    return {fault.path: fault.message for fault in caught.value.faults}


def test_an_environment_says_what_it_consists_of() -> None:
    studio = read(STUDIO)

    assert studio.comfyui.url == "https://github.com/comfyanonymous/ComfyUI"
    assert [pack.name for pack in studio.custom_nodes] == ["ComfyUI-Zoom", "frames"]
    assert [model.path for model in studio.models] == [
        "checkpoints/portrait.safetensors",
        "loras/style/style.safetensors",
    ]
    assert studio.models[0].sha256 == "d" * 64
    assert studio.models[1].sha256 is None


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_what_we_ship_is_in_order_and_named_as_its_file(path: Path) -> None:
    assert read_manifest(path.read_bytes()).name == path.stem


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_the_lock_beside_it_is_of_today(path: Path) -> None:
    beside = read_lock(path.with_suffix(".lock.json").read_bytes())

    assert lock(read_manifest(path.read_bytes()), previous=beside) == beside


def test_something_is_shipped() -> None:
    assert SHIPPED


def test_all_faults_are_told_at_once_with_their_places() -> None:
    told = faults_of("""
name = "My Studio"
colour = "red"
[comfyui]
commit = "v0.8.1"
argument = ["--fast"]
[python]
version = "2.7"
requirements = ["torch", "torch>=2", "--index-url=https://x.example"]
[[custom_nodes]]
url = "git@git.example:a/b.git"
commit = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
[[models]]
url = "http://files.example/x.safetensors"
folder = "../outside"
size_bytes = 0
[[models]]
url = "https://files.example/old.ckpt"
folder = "checkpoints"
size_bytes = 5
[[models]]
name = "OLD.ckpt"
url = "https://files.example/other.ckpt"
folder = "checkpoints"
size_bytes = 5.5
allow_pickle = true
""")

    assert set(told) == {
        "name",
        "colour",
        "comfyui.commit",
        "comfyui.argument",
        "python.version",
        "python.requirements[0]",
        "python.requirements[1]",
        "python.requirements[2]",
        "custom_nodes[0].url",
        "models[0].url",
        "models[0].folder",
        "models[0].size_bytes",
        "models[1].allow_pickle",
        "models[2]",
        "models[2].size_bytes",
    }
    assert "no branch and no tag" in told["comfyui.commit"]
    assert told["comfyui.argument"] == "is not known; arguments is"
    assert "known are name, description, comfyui" in told["colour"]
    assert told["models[2]"] == "has the file of models[1]: checkpoints/OLD.ckpt"


@pytest.mark.parametrize(
    ("toml", "place", "says"),
    [
        ("name = ", "", "is no TOML"),
        ('name = "a"', "comfyui", "is missing"),
        ('name = "a"\ncomfyui = 3', "comfyui", "dictionary"),
        ('name = "a"\n[comfyui]\ncommit = 5', "comfyui.commit", "string"),
        ('name = "a"\n[comfyui]\nurl = "https://u:p@git.example/x"', "comfyui.url", "without user"),
        ('name = "a"\n[comfyui]\nurl = "https://git.example/a/../b"', "comfyui.url", '".."'),
        ('name = "a"\n[comfyui]\nurl = "file:///etc"', "comfyui.url", "https://"),
        ('name = "a"\n[comfyui]\narguments = ["--port=1"]', "comfyui.arguments[0]", "worker's"),
        ('name = "a"\n[[models]]\nurl = "https://f.example/12"', "models[0].name", "say `name`"),
        ('name = "a"\n[image]\nbase = "x\\nRUN y"', "image.base", "docker pull"),
    ],
)
def test_a_fault_says_what_to_do(toml: str, place: str, says: str) -> None:
    assert says in faults_of(toml)[place]


def test_a_file_that_is_too_large_is_not_parsed() -> None:
    with pytest.raises(ManifestError, match=f"at most {MAX_BYTES}"):
        read_manifest(b" " * (MAX_BYTES + 1))


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_an_environment_or_a_list_of_faults(content: bytes) -> None:
    with pytest.raises(ManifestError) as caught:
        read_manifest(content)

    assert caught.value.faults


WORDS = ("", "x", "a/b", "0" * 40, "https://a.example/b.ckpt", "https://a.example/..")
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(WORDS),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "url", "commit", "folder", "size_bytes", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def inline(value: Any) -> str:
    """As TOML writes it within a line."""
    match value:
        case dict():
            entries = cast("dict[str, Any]", value).items()
            return "{" + ", ".join(f"{name} = {inline(item)}" for name, item in entries) + "}"
        case list():
            return "[" + ", ".join(map(inline, cast("list[Any]", value))) + "]"
        case None:
            return '""'
        case _:
            return json.dumps(value)


@given(values, values, values)
def test_any_shape_of_values_is_told_as_faults(comfyui: Any, packs: Any, models: Any) -> None:
    toml = f"comfyui = {inline(comfyui)}\ncustom_nodes = {inline(packs)}\nmodels = {inline(models)}"

    assert faults_of(toml)["name"] == "is missing"
