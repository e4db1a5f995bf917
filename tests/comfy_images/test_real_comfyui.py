"""The pack and a workflow on a real ComfyUI: `COMFYBURST_TEST_COMFYUI` names an install of it.

`python -m infra.comfyui.install FOLDER` makes one.
"""

import contextlib
import hashlib
import io
import json
import os
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from PIL import Image
from websockets.sync.client import connect

from comfy_images.nodes.drawing.render import render

ROOT: Final = Path(__file__).parents[2]
DATA: Final = Path(__file__).with_name("data")
START_TIMEOUT_S: Final = 90.0
RUN_TIMEOUT_S: Final = 60.0
PHOTO_EDIT_PIXELS: Final = "6cd71bd97a8463dd2a9416e713be7a489166720ac71edfb5fd19f1b198e72747"
"""What a real ComfyUI 0.8.0 drew for the same workflow and photo, as the hash of its RGB bytes."""

pytestmark = pytest.mark.comfyui


@dataclass(frozen=True)
class Run:
    """How a prompt ended: its history entry, and what came over the socket meanwhile."""

    history: dict[str, Any]
    messages: list[dict[str, Any]]
    previews: int

    @property
    def status(self) -> str:
        return self.history["status"]["status_str"]


@dataclass(frozen=True)
class ComfyUI:
    """A running server."""

    port: int

    def run(self, graph: dict[str, Any], *, interrupt: bool = False) -> Run:
        """Submit and listen until the prompt is over; interrupt it at its first progress."""
        client_id = uuid.uuid4().hex
        messages: list[dict[str, Any]] = []
        previews = 0
        with connect(f"ws://127.0.0.1:{self.port}/ws?clientId={client_id}") as events:
            body = {"prompt": graph, "client_id": client_id}
            reply = httpx.post(self._url("prompt"), json=body).raise_for_status()
            prompt_id = reply.json()["prompt_id"]
            while not _is_end(messages[-1] if messages else {}, prompt_id):
                frame = events.recv(timeout=RUN_TIMEOUT_S)
                if isinstance(frame, str):
                    messages.append(json.loads(frame))
                    if interrupt and messages[-1]["type"] == "progress":
                        httpx.post(self._url("interrupt")).raise_for_status()
                else:
                    previews += 1
        return Run(self._history(prompt_id), messages, previews)

    def picture(self, run: Run, node_id: str) -> Image.Image:
        """The first image that a node saved."""
        saved = run.history["outputs"][node_id]["images"][0]
        reply = httpx.get(self._url("view"), params=saved).raise_for_status()
        return Image.open(io.BytesIO(reply.content)).convert("RGB")

    def node_types(self) -> dict[str, Any]:
        """Every node type the server has."""
        return httpx.get(self._url("object_info"), timeout=30).raise_for_status().json()

    def is_up(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(self._url("system_stats")).is_success
        return False

    def _history(self, prompt_id: str) -> dict[str, Any]:
        """History is written just after the last event."""
        deadline = time.monotonic() + RUN_TIMEOUT_S
        while time.monotonic() < deadline:
            history = httpx.get(self._url(f"history/{prompt_id}")).raise_for_status().json()
            if prompt_id in history:
                return history[prompt_id]
            time.sleep(0.05)
        raise TimeoutError(prompt_id)

    def _url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}/{path}"


def _is_end(message: dict[str, Any], prompt_id: str) -> bool:
    ends = {"execution_success", "execution_error", "execution_interrupted"}
    return message.get("type") in ends and message["data"]["prompt_id"] == prompt_id


@pytest.fixture(scope="module")
def comfyui(tmp_path_factory: pytest.TempPathFactory) -> Generator[ComfyUI]:
    """One server for all tests here, with our pack and the photo."""
    install = os.environ.get("COMFYBURST_TEST_COMFYUI")
    if not install:
        pytest.skip("COMFYBURST_TEST_COMFYUI names no install of ComfyUI")
    state = tmp_path_factory.mktemp("comfyui")
    (state / "custom_nodes").mkdir()
    (state / "custom_nodes" / "comfyburst").symlink_to(ROOT / "comfy_images" / "nodes")
    (state / "input").mkdir()
    shutil.copy(DATA / "photo.png", state / "input")
    port = _free_port()
    with (state / "log.txt").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603
            _command(Path(install), state, port),
            stdout=log,
            stderr=log,
            env={**os.environ, "COMFYBURST_PROBES": "1"},
        )
        try:
            server = ComfyUI(port)
            _wait_until_up(server, process, state / "log.txt")
            yield server
        finally:
            process.terminate()
            process.wait(timeout=20)


def _command(install: Path, state: Path, port: int) -> list[str]:
    return [
        *(str(install / "venv/bin/python"), str(install / "comfyui/main.py"), "--cpu"),
        *("--listen", "127.0.0.1", "--port", str(port), "--base-directory", str(state)),
        *("--disable-all-custom-nodes", "--whitelist-custom-nodes", "comfyburst"),
        *("--disable-api-nodes", "--preview-method", "auto"),
    ]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_until_up(server: ComfyUI, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not server.is_up():
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"ComfyUI did not start:\n{log.read_text(errors='replace')[-3000:]}")
        time.sleep(0.2)


def _probe(class_type: str, **inputs: object) -> dict[str, Any]:
    saved = {"images": ["1", 0], "filename_prefix": "probe"}
    return {
        "1": {"class_type": class_type, "inputs": inputs},
        "2": {"class_type": "SaveImage", "inputs": saved},
    }


def _unwatched(_step: int, _steps: int, _so_far: Image.Image | None) -> None:
    """Only the poster is wanted."""


def test_the_photo_edit_gives_the_pixels_of_the_captured_run(comfyui: ComfyUI) -> None:
    run = comfyui.run(json.loads((DATA / "1-photo-edit.json").read_text()))
    assert run.status == "success"
    pixels = comfyui.picture(run, "7").tobytes()
    assert hashlib.sha256(pixels).hexdigest() == PHOTO_EDIT_PIXELS


def test_the_catalog_poster_gives_the_pixels_the_engine_would(comfyui: ComfyUI) -> None:
    graph = json.loads((ROOT / "comfy_images" / "catalog" / "poster.json").read_text())
    run = comfyui.run(graph)
    assert run.status == "success"
    poster = comfyui.picture(run, "2")
    expected = render(**graph["1"]["inputs"], watch=_unwatched)
    assert poster.size == (768, 1024)
    assert poster.tobytes() == expected.tobytes()
    assert run.previews >= 2


def test_the_pack_comes_from_its_own_folder(comfyui: ComfyUI) -> None:
    assert comfyui.node_types()["BurstPoster"]["python_module"] == "custom_nodes.comfyburst"


def test_the_steps_probe_reports_each_step(comfyui: ComfyUI) -> None:
    run = comfyui.run(_probe("BurstProbeSteps", steps=3, seconds=0.05, preview=True))
    steps = [m["data"]["value"] for m in run.messages if m["type"] == "progress"]
    assert run.status == "success"
    assert steps == [1, 2, 3]


def test_an_interruption_stops_the_steps_probe(comfyui: ComfyUI) -> None:
    graph = _probe("BurstProbeSteps", steps=500, seconds=0.1, preview=False)
    run = comfyui.run(graph, interrupt=True)
    assert run.messages[-1]["type"] == "execution_interrupted"


def test_out_of_memory_is_torchs_own_error(comfyui: ComfyUI) -> None:
    run = comfyui.run(_probe("BurstProbeOutOfMemory"))
    assert run.status == "error"
    assert run.messages[-1]["data"]["exception_type"] == "torch.OutOfMemoryError"
