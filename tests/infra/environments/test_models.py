"""The models of an environment in a folder: fetched, checked, recorded, left alone."""

import hashlib
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from comfy_images.manifest import Lock, Manifest, ModelFile, lock
from comfy_images.model_sync import Origin
from infra.environments.download import Download
from infra.environments.models import INDEX, OURS, ModelSync, NoRoomError, require_kind
from infra.local.single import AlreadyRunningError, only_one
from tests.infra.environments.file_server import Served

PATH = "checkpoints/a.safetensors"
HEADER = json.dumps({"__metadata__": {}}).encode()
CONTENT = len(HEADER).to_bytes(8, "little") + HEADER + b"weights" * 20_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Notes:
    """A screen that remembers."""

    done_as: dict[str, Origin | None] = field(default_factory=dict[str, Any])
    failures: dict[str, str] = field(default_factory=dict[str, str])

    def start(self, model: ModelFile, there: int) -> None: ...

    def bytes(self, there: int) -> None: ...

    def checking(self, model: ModelFile) -> None: ...

    def done(self, model: ModelFile, origin: Origin | None) -> None:
        self.done_as[model.path] = origin

    def failed(self, model: ModelFile, reason: str) -> None:
        self.failures[model.path] = reason


@dataclass
class Folder:
    """A models folder, the server it is filled from, and what was saved of the lock."""

    root: Path
    served: Served
    download: Download
    saved: list[Lock] = field(default_factory=list[Lock])

    def lock(self, *models: dict[str, Any]) -> Lock:
        entries = [
            {
                "url": f"{self.served.url}/a.safetensors",
                "folder": "checkpoints",
                "size_bytes": len(CONTENT),
                **model,
            }
            for model in models or ({},)
        ]
        return lock(
            Manifest.model_validate(
                {"name": "test", "comfyui": {"commit": "0" * 40}, "models": entries}
            )
        )

    def sync(self, locked: Lock) -> tuple[Lock, int, Notes]:
        notes = Notes()
        after, failed = ModelSync(self.root, self.download, notes, self.saved.append).run(locked)
        assert failed == len(notes.failures)
        return after, failed, notes


@pytest.fixture
def folder(tmp_path: Path, served: Served, download: Download) -> Folder:
    served.content = CONTENT
    return Folder(tmp_path / "models", served, download)


def test_a_model_with_a_stated_hash_is_fetched_and_held_to_it(folder: Folder) -> None:
    _, failed, notes = folder.sync(folder.lock({"sha256": SHA256}))

    assert failed == 0
    assert notes.done_as == {PATH: "stated"}
    assert (folder.root / PATH).read_bytes() == CONTENT
    assert folder.saved == []


def test_a_model_without_one_is_recorded_at_the_first_sync_which_says_so(folder: Folder) -> None:
    after, _, notes = folder.sync(folder.lock())

    assert notes.done_as == {PATH: "first"}
    assert after.model_hashes() == {PATH: SHA256}
    assert folder.saved == [after]


def test_a_second_sync_asks_nobody_and_hashes_nothing(folder: Folder) -> None:
    after, _, _ = folder.sync(folder.lock())
    folder.served.requests.clear()

    _, _, notes = folder.sync(after)

    assert notes.done_as == {PATH: None}
    assert folder.served.requests == []


def test_another_machine_is_held_to_what_the_first_recorded(folder: Folder, tmp_path: Path) -> None:
    after, _, _ = folder.sync(folder.lock())
    second = Folder(tmp_path / "second", folder.served, folder.download)
    assert second.sync(after)[2].done_as == {PATH: "recorded"}

    third = Folder(tmp_path / "third", folder.served, folder.download)
    folder.served.content = CONTENT[:-1] + b"!"
    folder.served.etag = '"2"'
    _, failed, notes = third.sync(after)

    assert failed == 1
    assert "the first sync" in notes.failures[PATH]
    assert not (third.root / PATH).exists()


def test_bytes_with_a_wrong_hash_get_no_name_and_are_not_gone_on_with(folder: Folder) -> None:
    _, failed, notes = folder.sync(folder.lock({"sha256": "0" * 64}))

    assert failed == 1
    assert "the environment states" in notes.failures[PATH]
    assert list((folder.root / "checkpoints").iterdir()) == []


def test_a_model_that_fails_does_not_stop_the_next(folder: Folder) -> None:
    bad = {"name": "bad.safetensors", "sha256": "0" * 64}

    _, failed, notes = folder.sync(folder.lock(bad, {"name": "good.safetensors"}))

    assert failed == 1
    assert list(notes.failures) == ["checkpoints/bad.safetensors"]
    assert list(notes.done_as) == ["checkpoints/good.safetensors"]


def test_a_file_that_was_there_is_checked_and_recorded_without_a_download(folder: Folder) -> None:
    (folder.root / "checkpoints").mkdir(parents=True)
    (folder.root / PATH).write_bytes(CONTENT)

    after, _, notes = folder.sync(folder.lock())

    assert notes.done_as == {PATH: "first"}
    assert after.model_hashes() == {PATH: SHA256}
    assert folder.served.requests == []


def test_a_file_that_was_changed_since_is_seen(folder: Folder) -> None:
    after, _, _ = folder.sync(folder.lock())
    (folder.root / PATH).write_bytes(CONTENT[:-1] + b"!")

    _, failed, notes = folder.sync(after)

    assert failed == 1
    assert "the first sync" in notes.failures[PATH]
    assert (folder.root / PATH).exists()


def test_another_file_in_its_place_is_left_alone(folder: Folder) -> None:
    (folder.root / "checkpoints").mkdir(parents=True)
    (folder.root / PATH).write_bytes(b"mine")

    _, failed, notes = folder.sync(folder.lock())

    assert failed == 1
    assert "Move it away" in notes.failures[PATH]
    assert (folder.root / PATH).read_bytes() == b"mine"
    assert folder.served.requests == []


def test_a_sync_that_was_cut_goes_on(folder: Folder) -> None:
    folder.served.cut_after = [100_000, *[0] * 20]
    assert folder.sync(folder.lock())[1] == 1
    folder.served.cut_after.clear()
    folder.served.requests.clear()

    after, failed, _ = folder.sync(folder.lock())

    assert failed == 0
    assert after.model_hashes() == {PATH: SHA256}
    assert folder.served.requests[0]["range"] == "bytes=100000-"


def test_two_syncs_of_one_folder_do_not_write_into_each_other(folder: Folder) -> None:
    folder.sync(folder.lock())

    with only_one(folder.root / OURS), pytest.raises(AlreadyRunningError):
        folder.sync(folder.lock())


@pytest.mark.parametrize("notes", ["", "[]", "null", '{"checkpoints/a.safetensors": [1]}'])
def test_notes_that_are_broken_cost_only_time(folder: Folder, notes: str) -> None:
    after, _, _ = folder.sync(folder.lock())
    (folder.root / OURS / INDEX).write_text(notes)

    assert folder.sync(after)[2].done_as == {PATH: "recorded"}


def test_a_page_in_place_of_a_model_is_no_model(folder: Folder) -> None:
    page = b"<!doctype html>" + b" " * (len(CONTENT) - 15)
    folder.served.content = page

    _, failed, notes = folder.sync(folder.lock())

    assert failed == 1
    assert "does not begin as a .safetensors does" in notes.failures[PATH]
    assert folder.saved == []


@pytest.mark.parametrize(
    ("name", "head", "is_good"),
    [
        ("a.safetensors", (2).to_bytes(8, "little") + b"{}", True),
        ("a.safetensors", (2).to_bytes(8, "little") + b"[]", False),
        ("a.safetensors", (2**40).to_bytes(8, "little") + b"{}", False),
        ("a.safetensors", b"", False),
        ("a.gguf", b"GGUF\x03\0\0\0", True),
        ("a.gguf", b"PK\x03\x04", False),
        ("a.onnx", b"anything", True),
    ],
)
def test_a_file_begins_as_its_name_says(
    tmp_path: Path, name: str, head: bytes, *, is_good: bool
) -> None:
    file = tmp_path / "file"
    file.write_bytes(head)
    model = ModelFile(
        name=name, folder="x", url="https://files.example/x", size_bytes=max(1, len(head))
    )

    if is_good:
        require_kind(model, file)
    else:
        with pytest.raises(Exception, match="does not begin"):
            require_kind(model, file)


def test_nothing_is_fetched_onto_a_disk_that_is_too_small(folder: Folder) -> None:
    free_bytes = shutil.disk_usage(folder.root.parent).free
    model = {"size_bytes": min(free_bytes + 1, 500 * 10**9)}
    if free_bytes > 400 * 10**9:
        pytest.skip("this disk has room for the largest model that is allowed")

    with pytest.raises(NoRoomError, match="Make room"):
        folder.sync(folder.lock(model))

    assert folder.served.requests == []
