"""The lock: one digest for what is installed alike, and hashes that a first sync recorded."""

import json
import tomllib
from typing import Any

import pytest

from comfy_images.manifest import Lock, LockError, Manifest, lock, read_lock, write_lock
from tests.comfy_images.environment import STUDIO

DIGEST = "fd37b35b9970084a9b7340326c5441417950e4663abad3a34456004ff687a8e3"


def studio(**changes: Any) -> Manifest:
    return Manifest.model_validate({**tomllib.loads(STUDIO), **changes})


def digest_with(path: str, value: Any) -> str:
    """The digest once one value is another; `path` as `models.0.url`."""
    values: Any = tomllib.loads(STUDIO)
    *folders, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    place = values
    for part in folders:
        place = place[part]
    place[last] = value
    return lock(Manifest.model_validate(values)).digest


def test_the_digest_is_the_same_on_every_machine() -> None:
    assert lock(studio()).digest == DIGEST


def test_the_order_of_a_toml_decides_nothing() -> None:
    values = tomllib.loads(STUDIO)
    values["models"].reverse()
    values["custom_nodes"].reverse()
    values["python"]["requirements"].reverse()

    assert lock(Manifest.model_validate(values)).digest == DIGEST


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("comfyui.commit", "0" * 40),
        ("comfyui.arguments", []),
        ("python.version", "3.11"),
        ("python.constraints", ["numpy==2.3.4"]),
        ("custom_nodes.0.commit", "0" * 40),
        ("custom_nodes.0.name", "zoom"),
        ("custom_nodes.1.install_script", False),
        ("models.0.sha256", "0" * 64),
        ("models.1.size_bytes", 1),
        ("models.1.folder", "loras"),
        ("image.system_packages", []),
    ],
)
def test_what_changes_the_install_changes_the_digest(path: str, value: Any) -> None:
    assert digest_with(path, value) != DIGEST


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("name", "other"),
        ("description", ""),
        ("comfyui.version", ""),
        ("models.0.license", "other"),
        ("models.1.source", "https://files.example/page"),
    ],
)
def test_what_is_for_people_does_not(path: str, value: Any) -> None:
    assert digest_with(path, value) == DIGEST


def test_a_lock_is_read_as_it_was_written() -> None:
    locked = lock(studio())

    again = read_lock(write_lock(locked).encode())

    assert again == locked
    assert write_lock(again) == write_lock(locked)


def test_a_recorded_hash_stays_and_is_no_part_of_the_digest() -> None:
    locked = lock(studio())
    style = locked.environment.models[1]
    assert locked.hash_of(style) is None

    recorded = read_lock(write_lock(locked.with_recorded(style, "e" * 64)).encode())

    assert recorded.hash_of(style) == ("e" * 64, "recorded")
    assert recorded.digest == locked.digest
    assert lock(studio(), previous=recorded) == recorded
    assert recorded.model_hashes() == {
        "checkpoints/portrait.safetensors": "d" * 64,
        "loras/style/style.safetensors": "e" * 64,
    }


@pytest.mark.parametrize("change", [{"url": "https://files.example/2"}, {"size_bytes": 5}])
def test_a_recorded_hash_is_of_one_url_and_size(change: dict[str, Any]) -> None:
    locked = lock(studio())
    recorded = locked.with_recorded(locked.environment.models[1], "e" * 64)
    models = tomllib.loads(STUDIO)["models"]

    changed = lock(studio(models=[models[0], {**models[1], **change}]), previous=recorded)

    assert changed.recorded == {}


def test_a_hash_that_a_source_states_is_worth_more_than_a_recorded_one() -> None:
    locked = lock(studio())
    recorded = locked.with_recorded(locked.environment.models[1], "e" * 64)
    models = tomllib.loads(STUDIO)["models"]
    stated = studio(models=[models[0], {**models[1], "sha256": "f" * 64}])

    changed = lock(stated, previous=recorded)

    assert changed.hash_of(changed.environment.models[1]) == ("f" * 64, "stated")
    assert changed.recorded == {}


def edited(change: dict[str, Any]) -> bytes:
    content = json.loads(write_lock(lock(studio())))
    return json.dumps({**content, **change}).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b"null",
        b"\xff",
        b"[" * 100_000,
        edited({"lock": 2}),
        edited({"digest": "0" * 64}),
        edited({"environment": {}}),
        edited({"recorded": {"a": {"sha256": "x"}}}),
    ],
)
def test_what_is_no_lock_is_refused(content: bytes) -> None:
    with pytest.raises(LockError):
        read_lock(content)


def test_a_lock_that_was_edited_is_refused() -> None:
    content = write_lock(lock(studio())).replace("b" * 40, "0" * 40)

    with pytest.raises(LockError, match="not as it was written"):
        read_lock(content.encode())


def test_a_lock_is_a_value() -> None:
    assert isinstance(lock(studio()), Lock)
    assert lock(studio()) == lock(studio())
