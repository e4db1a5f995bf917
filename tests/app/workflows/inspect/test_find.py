"""Workflows in files of every kind, and what is said where there is none."""

import json
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest

from app.workflows.inspect.find import MAX_FILE_BYTES, find_workflow
from app.workflows.inspect.refusal import NoWorkflowError
from app.workflows.inspect.tags import MAX_TEXT_BYTES
from tests.app.workflows.inspect import containers as files
from tests.app.workflows.inspect.containers import EDITOR, EDITOR_TEXT, GRAPH, GRAPH_TEXT

REAL = Path(__file__).parent / "files"


def refusal(data: bytes) -> NoWorkflowError:
    """What is said about a file without a workflow."""
    with pytest.raises(NoWorkflowError) as caught:
        find_workflow(data)
    return caught.value


@pytest.mark.parametrize("name", sorted(p.name for p in REAL.iterdir()))
def test_what_a_real_comfyui_saved_holds_the_graph_that_ran(name: str) -> None:
    found = find_workflow((REAL / name).read_bytes())
    assert found.kind == "api"
    assert all(set(node) == {"class_type", "inputs"} for node in found.workflow.values())
    assert any(
        node["class_type"].startswith(("Save", "Preview")) for node in found.workflow.values()
    )


INTERNATIONAL = b"workflow\0\0\0en\0\0" + EDITOR_TEXT
PACKED_INTERNATIONAL = b"workflow\0\1\0\0\0" + zlib.compress(EDITOR_TEXT)
HIDDEN = {
    "tEXt": files.png(files.chunk(b"tEXt", b"workflow\0" + EDITOR_TEXT)),
    "zTXt": files.png(files.chunk(b"zTXt", b"workflow\0\0" + zlib.compress(EDITOR_TEXT))),
    "iTXt": files.png(files.chunk(b"iTXt", INTERNATIONAL)),
    "packed iTXt": files.png(files.chunk(b"iTXt", PACKED_INTERNATIONAL)),
    "animated PNG": files.png(files.chunk(b"comf", b"workflow\0" + EDITOR_TEXT)),
    "WebP": files.webp(files.tiff({0x010F: b"workflow:" + EDITOR_TEXT + b"\0"})),
    "WebP, other byte order": files.webp(files.tiff({0x010F: b"workflow:" + EDITOR_TEXT}, ">")),
    "JPEG": files.jpeg(files.tiff({0x010E: b"Workflow:" + EDITOR_TEXT})),
    "UserComment": files.jpeg(files.tiff({0x9286: b"ASCII\0\0\0" + EDITOR_TEXT})),
    "UserComment in UTF-16": files.jpeg(
        files.tiff({0x9286: b"UNICODE\0" + EDITOR_TEXT.decode().encode("utf-16")})
    ),
    "MP4": files.mp4(json.dumps({"workflow": EDITOR}).encode()),
    "MP4, texts in a text": files.mp4(json.dumps({"workflow": EDITOR_TEXT.decode()}).encode()),
    "MOV": files.mov({b"encoder": b"x", b"workflow": EDITOR_TEXT}),
    "WebM": files.webm({"ENCODER": b"x", "WORKFLOW": EDITOR_TEXT}),
    "live WebM": files.webm({"WORKFLOW": EDITOR_TEXT}, live=True),
    "safetensors": files.safetensors({"workflow": EDITOR_TEXT.decode()}),
    "GLB": files.glb({"workflow": EDITOR_TEXT.decode()}),
    "JSON": EDITOR_TEXT,
    "JSON with a byte order mark": b"\xef\xbb\xbf" + EDITOR_TEXT,
    "JSON in UTF-16": EDITOR_TEXT.decode().encode("utf-16"),
}


@pytest.mark.parametrize("where", HIDDEN)
def test_a_workflow_of_the_editor_is_found_in(where: str) -> None:
    found = find_workflow(HIDDEN[where])
    assert (found.kind, found.workflow, found.ui) == ("ui", EDITOR, EDITOR)


def test_a_graph_comes_first_and_what_the_editor_saved_stands_beside_it() -> None:
    data = files.png(
        files.chunk(b"tEXt", b"workflow\0" + EDITOR_TEXT),
        files.chunk(b"tEXt", b"prompt\0" + GRAPH_TEXT),
    )
    found = find_workflow(data)
    assert (found.kind, found.workflow, found.ui) == ("api", GRAPH, EDITOR)
    assert found.source == "PNG text chunk `prompt`"


def test_a_damaged_graph_leaves_what_the_editor_saved() -> None:
    data = files.png(
        files.chunk(b"tEXt", b"prompt\0{"), files.chunk(b"tEXt", b"workflow\0" + EDITOR_TEXT)
    )
    assert find_workflow(data).kind == "ui"


@pytest.mark.parametrize(
    "wrapped",
    [
        GRAPH,
        {"prompt": GRAPH, "client_id": "x"},
        {"output": GRAPH, "workflow": EDITOR},
        {"prompt": [1, "id", GRAPH, {"extra_pnginfo": {"workflow": EDITOR}}, ["1"]]},
        {"workflow": GRAPH},
    ],
)
def test_a_graph_is_found_in_what_it_is_wrapped_in(wrapped: dict[str, Any]) -> None:
    found = find_workflow(json.dumps(wrapped).encode())
    assert (found.kind, found.workflow) == ("api", GRAPH)


def test_inputs_picked_in_app_mode_make_an_app() -> None:
    app = {**EDITOR, "extra": {"linearData": {"inputs": [["1", "text"]], "outputs": ["2"]}}}
    assert find_workflow(json.dumps(app).encode()).kind == "app"


def test_the_not_a_number_that_python_writes_is_read() -> None:
    # ComfyUI adds `is_changed: [NaN]` to nodes that always run; the text must stay as it is.
    text = b'{"1": {"class_type": "A", "inputs": {"text": "NaN", "x": NaN}, "is_changed": [NaN]}}'
    found = find_workflow(files.png(files.chunk(b"tEXt", b"prompt\0" + text)))
    assert found.workflow == {"1": {"class_type": "A", "inputs": {"text": "NaN", "x": None}}}


def test_a_stripped_png_says_that_its_metadata_is_gone() -> None:
    error = refusal(files.png())
    assert error.code == "no_workflow_in_file"
    assert error.message.startswith("This PNG has no text chunks: the metadata was stripped")


def test_a_png_of_another_program_says_whose_it_is() -> None:
    error = refusal(files.png(files.chunk(b"tEXt", b"parameters\0a cat, Steps: 20")))
    assert "Automatic1111" in error.message
    assert error.details["names"] == ["parameters"]


def test_texts_without_a_workflow_are_named() -> None:
    error = refusal(files.png(files.chunk(b"tEXt", b"Software\0paint")))
    assert "(Software)" in error.message


def test_a_file_that_is_cut_off_says_so() -> None:
    whole = files.png(files.chunk(b"tEXt", b"workflow\0" + EDITOR_TEXT))
    error = refusal(whole[:60])
    assert (error.code, "it is cut off" in error.message) == ("unreadable_workflow", True)


def test_a_text_that_is_too_large_is_what_is_said() -> None:
    error = refusal(files.png(files.chunk(b"tEXt", b"workflow\0" + b" " * MAX_TEXT_BYTES)))
    assert error.message.startswith("This PNG gives no workflow: a text (PNG text chunk) is larger")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty_file"),
        (b"hello", "unknown_file_type"),
        (b"GIF89a...", "unknown_file_type"),
        (b"{", "unreadable_workflow"),
        (b"[1]", "unreadable_workflow"),
        (b"{}", "not_a_workflow"),
        (b'{"a": "\\u0000"}', "unreadable_workflow"),
        (b'{"a":' * 100 + b"1" + b"}" * 100, "unreadable_workflow"),
        (b"[" * 100_000, "unreadable_workflow"),
        (b'{"a": [' + b"[]," * 500_000 + b"1]}", "unreadable_workflow"),
        (bytes(files.webp(b"nonsense")), "no_workflow_in_file"),
        (files.jpeg(files.tiff({0x010E: b"a" * 99})), "no_workflow_in_file"),
        (files.mp4(b"made with love"), "no_workflow_in_file"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_refusal_has_its_code(data: bytes, code: str) -> None:
    error = refusal(data)
    assert (error.code, bool(error.message)) == (code, True)


def test_a_file_beyond_the_limit_is_not_looked_into() -> None:
    assert refusal(bytes(MAX_FILE_BYTES + 1)).code == "file_too_large"


def test_a_size_that_claims_more_than_there_is_does_no_harm() -> None:
    claims = struct.pack(">I", 0xFFFFFFFF) + b"tEXtworkflow\0" + EDITOR_TEXT
    assert find_workflow(b"\x89PNG\r\n\x1a\n" + claims).kind == "ui"
