import os
from pathlib import Path
from typing import Any

import pytest

from gpu_functions.comfyui.outputs import (
    MAX_TEXT_OUTPUT_BYTES,
    OutputFile,
    UniqueNames,
    UnsafePathError,
    kind_of,
    list_outputs,
    open_beneath,
)


def outputs_of(entry: dict[str, Any]) -> list[OutputFile]:
    return [out for node_id, ui in entry["outputs"].items() for out in list_outputs(node_id, ui)]


@pytest.mark.parametrize(
    ("workflow", "kinds"),
    [
        ("1-photo-edit", ["image", "image"]),
        ("2-mask-composite", ["image", "image", "text", "text"]),
        ("3-animated", ["image"] * 6),
        ("4-video", ["video", "video"]),
        ("5-audio", ["audio"] * 4),
        ("6-latent-pixelspace", ["image", "latent"]),
        ("7-3d-preview", ["file", "text"]),
        ("8-noise-seeded", ["image"]),
    ],
)
def test_every_output_of_the_sample_workflows_is_found_with_its_kind(
    histories: dict[str, Any], workflow: str, kinds: list[str]
) -> None:
    assert sorted(out.kind for out in outputs_of(histories[workflow])) == kinds


def test_previews_are_outputs_and_keep_their_folder(histories: dict[str, Any]) -> None:
    folders = {out.filename: out.folder for out in outputs_of(histories["1-photo-edit"])}
    assert folders == {
        "ComfyUI_temp_ogydd_00001_.png": "temp",
        "photo-edit_00001_.png": "output",
    }


def test_a_bare_3d_path_is_an_output_that_may_be_missing(histories: dict[str, Any]) -> None:
    (mesh,) = [out for out in outputs_of(histories["7-3d-preview"]) if out.kind == "file"]
    assert (mesh.subfolder, mesh.filename, mesh.optional) == ("mesh", "cube.glb", True)
    assert mesh.content_type == "model/gltf-binary"


def test_the_texts_of_a_node_become_one_file() -> None:
    (text,) = list_outputs("102:3", {"text": ["one", 2, None, "three\ud800"]})
    assert (text.filename, text.text) == ("text_102_3.txt", "one\n2\nthree?")
    assert (text.kind, text.content_type) == ("text", "text/plain")


def test_a_text_of_nine_megabytes_is_cut() -> None:
    (text,) = list_outputs("1", {"text": ["x" * 9_000_000]})
    assert text.text is not None
    assert len(text.text.encode()) <= MAX_TEXT_OUTPUT_BYTES


def test_keys_and_unknown_fields_do_not_matter() -> None:
    ui = {
        "gifs": [{"filename": "a.MP4", "subfolder": "x", "type": "output", "format": "video/h264"}],
        "animated": [True],
        "ui_state": {"filename": "no"},
        "__proto__": [{"filename": 5}, {"filename": ""}, None, 1.5],
    }
    (video,) = list_outputs("1", ui)
    assert video == OutputFile("1", "output", "x", "a.MP4")
    assert video.kind == "video"


def test_what_came_from_the_caller_is_no_output() -> None:
    assert not list(list_outputs("1", {"images": [{"filename": "in.png", "type": "input"}]}))


@pytest.mark.parametrize("ui", [None, [], "text", {"images": None}, {"images": "a.png"}])
def test_strange_ui_values_are_no_outputs(ui: object) -> None:
    assert not list(list_outputs("1", ui))


def test_unknown_extensions_are_files() -> None:
    assert kind_of("scene.blend") == ("file", "application/octet-stream")
    assert kind_of("noextension") == ("file", "application/octet-stream")


def test_names_are_unique_in_the_job_and_safe() -> None:
    names = UniqueNames()
    assert [names.take(name) for name in ("a.png", "a.png", "a.png", "b", "b")] == [
        "a.png",
        "a-2.png",
        "a-3.png",
        "b",
        "b-2",
    ]
    assert names.take("a\r\nSet-Cookie: x/../y.png") == "a__Set-Cookie: x_.._y.png"
    assert len(names.take("y" * 300 + ".png")) <= 255


# --- opening ------------------------------------------------------------------------------------


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_bytes(b"secret")
    root = tmp_path / "output"
    (root / "job").mkdir(parents=True)
    (root / "job" / "a.png").write_bytes(b"image")
    (root / "link.png").symlink_to(tmp_path / "secret")
    (root / "linked").symlink_to(tmp_path)
    os.link(tmp_path / "secret", root / "hard.png")
    os.mkfifo(root / "fifo.png")
    return root


def test_a_plain_file_opens(root: Path) -> None:
    with open_beneath(root, "job", "a.png") as file:
        assert file.read() == b"image"


@pytest.mark.parametrize(
    ("subfolder", "filename"),
    [
        ("", "link.png"),
        ("linked", "secret"),
        ("", "hard.png"),
        ("", "fifo.png"),
        ("", "job"),
        ("..", "secret"),
        ("job/../..", "secret"),
        ("", "../secret"),
        ("/etc", "passwd"),
        ("", "/etc/passwd"),
        ("", ".."),
        ("", ""),
        ("job", "a\0.png"),
    ],
)
def test_anything_else_is_refused_at_once(root: Path, subfolder: str, filename: str) -> None:
    with pytest.raises(UnsafePathError):
        open_beneath(root, subfolder, filename)


def test_a_missing_file_is_told_from_an_unsafe_one(root: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_beneath(root, "job", "gone.png")


def test_no_descriptor_is_left_behind(root: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        for name in ("link.png", "fifo.png", "hard.png", "gone"):
            with pytest.raises((UnsafePathError, FileNotFoundError)):
                open_beneath(root, "", name)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
