"""Environments of other tools: what is carried over, what is left to a person, and what is said of it.

The files in `data` were written after the formats that their tools publish (docs/environments.md).
"""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfy_images.importing import Draft, NotKnownError, draft_of, toml_of
from comfy_images.manifest import ManifestError, read_manifest
from infra.environments.files import open_import

DATA = Path(__file__).with_name("data")
REQUIREMENTS = "aiohttp==3.13.2\n# a remark\n\ncomfy-cli\n"


def draft(name: str) -> Draft:
    return open_import(DATA / name)


def faults_of(toml: str) -> list[str]:
    with pytest.raises(ManifestError) as caught:
        read_manifest(toml.encode())
    return [fault.path for fault in caught.value.faults]


@pytest.mark.parametrize("name", ["manager-snapshot.json", "comfy-lock.yaml"])
def test_an_import_is_the_one_that_was_reviewed(name: str) -> None:
    assert toml_of(draft(name), "studio") == (DATA / f"{name}.toml").read_text()


def test_a_pack_of_comfy_pack_is_the_one_that_was_reviewed() -> None:
    snapshot = json.loads((DATA / "comfy-pack-snapshot.json").read_bytes())

    toml = toml_of(draft_of(snapshot, REQUIREMENTS), "studio")

    assert toml == (DATA / "comfy-pack-snapshot.json.toml").read_text()


def test_what_a_snapshot_does_not_say_is_named_by_a_check() -> None:
    assert faults_of(toml_of(draft("manager-snapshot.json"), "studio")) == [
        "custom_nodes[2].url",
        "custom_nodes[2].commit",
    ]


def test_what_comfy_lock_does_not_say_is_named_by_a_check() -> None:
    assert faults_of(toml_of(draft("comfy-lock.yaml"), "studio")) == [
        "models[0].size_bytes",
        "models[1].size_bytes",
    ]


def test_a_commit_of_digits_and_a_version_stay_what_they_are() -> None:
    found = draft("comfy-lock.yaml")

    assert found.commit == "1234567890123456789012345678901234567890"
    assert found.constraints == ["numpy==2.10"]


def test_a_whole_snapshot_is_in_order_at_once() -> None:
    snapshot = json.loads((DATA / "manager-snapshot.json").read_bytes())
    snapshot["cnr_custom_nodes"] = {}

    manifest = read_manifest(toml_of(draft_of(snapshot), "studio").encode())

    assert [pack.url for pack in manifest.custom_nodes] == [
        "https://github.com/someone/ComfyUI-Zoom.git",
        "https://github.com/someone/frames.git",
    ]


@pytest.mark.parametrize("data", [None, 5, [], {}, {"nodes": [], "links": []}])
def test_a_file_of_another_kind_says_which_are_known(data: Any) -> None:
    with pytest.raises(NotKnownError, match="snapshot"):
        draft_of(data)


KEYS = (
    *(
        "comfyui",
        "git_custom_nodes",
        "cnr_custom_nodes",
        "file_custom_nodes",
        "pips",
        "custom_nodes",
    ),
    *("models", "paths", "path", "hashes", "hash", "type", "url", "filename", "source", "python"),
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=15,
)


@given(anything, st.text(max_size=20))
def test_any_file_is_a_draft_or_refused_and_its_toml_can_be_read(data: Any, pins: str) -> None:
    try:
        toml = toml_of(draft_of(data, pins), "studio")
    except NotKnownError:
        return

    assert tomllib.loads(toml)["name"] == "studio"
