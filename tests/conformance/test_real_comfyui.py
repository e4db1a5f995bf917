"""The whole product with a real ComfyUI behind it: started by the worker, and attached to."""

import io
import json
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from comfy_sdk import Comfy, OutputReady, Workflow
from PIL import Image

from tests.real_comfyui import INSTALLED, NEEDS_COMFYUI, PYTHON, arguments, ask_comfyui, variables
from tests.running import POSTER, Running, clean_environment, running

DATA = Path(__file__).parents[1] / "comfy_images" / "data"
PACK = Path(__file__).parents[2] / "comfy_images" / "nodes"
START_TIMEOUT_S = 120.0

pytestmark = [*NEEDS_COMFYUI, pytest.mark.timeout(240)]


@contextmanager
def started_by_hand(folder: Path) -> Generator[str]:
    """A ComfyUI as its user starts it, with our pack linked in; yields its URL."""
    (folder / "custom_nodes").mkdir(parents=True)
    (folder / "custom_nodes" / "comfyburst").symlink_to(PACK)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [
        *(str(PYTHON), str(INSTALLED / "comfyui" / "main.py")),
        *("--listen", "127.0.0.1", "--port", str(port), "--base-directory", str(folder)),
        *arguments().split(),
    ]
    with (folder / "comfyui.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - the installed one
            command, env=clean_environment({}), stdout=log, stderr=subprocess.STDOUT
        )
    try:
        url = f"http://127.0.0.1:{port}"
        until = time.monotonic() + START_TIMEOUT_S
        while not _answers(url):
            assert process.poll() is None, (folder / "comfyui.log").read_text()[-2_000:]
            assert time.monotonic() < until
            time.sleep(0.3)
        yield url
    finally:
        process.terminate()
        process.wait(20)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/system_stats", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def photo_edit() -> dict[str, Any]:
    """Sample workflow 1: scale, sharpen, blur, blend, save and preview."""
    return json.loads((DATA / "1-photo-edit.json").read_text())


def run_both(stack: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """The poster and sample workflow 1 by the official SDK, looked at."""
    monkeypatch.setenv("COMFY_BASE_URL", stack.url)
    monkeypatch.setenv("COMFY_API_KEY", stack.api_key)
    with Comfy(timeout=120) as client:
        [poster] = client.run(Workflow(POSTER)).outputs
        assert picture(poster.to_bytes()).size == (256, 256)
        client.assets.from_file(DATA / "photo.png").commit()
        job = client.submit(Workflow(photo_edit()))
        kinds = {type(event) for event in job.events()}
        outputs = job.result().outputs
        assert OutputReady in kinds, "progress may be too quick to be seen"
        assert sorted(o.node_id for o in outputs) == ["7", "8"]
        assert all(picture(o.to_bytes()).size == (256, 256) for o in outputs)


def picture(content: bytes) -> Image.Image:
    """An image that decodes."""
    with Image.open(io.BytesIO(content)) as image:
        image.load()
        return image.copy()


def test_a_comfyui_that_the_worker_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(tmp_path / "state", variables()) as stack:
        told = ask_comfyui(stack, "/system_stats")
        assert stack.comfyui == told["system"]["comfyui_version"]
        run_both(stack, monkeypatch)
        stranger = httpx.post(
            f"{stack.api}/jobs",
            json={"workflow": POSTER},
            headers={"Authorization": f"Bearer {key_of_another(stack)}"},
        )
        assert stranger.json()["error"]["code"] == "backend_unavailable"


def key_of_another(stack: Running) -> str:
    """A key of a workspace that is not the operator's."""
    command = [sys.executable, "-m", "infra.cli.main", "keys", "create", "--workspace", "other"]
    environment = clean_environment({"COMFYBURST_STATE": str(stack.state)})
    made = subprocess.run(  # noqa: S603 - our own command
        command, env=environment, check=True, capture_output=True, text=True
    )
    return made.stdout.strip()


def test_a_comfyui_that_runs_already(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        started_by_hand(tmp_path / "comfyui") as url,
        running(tmp_path / "state", {"COMFYUI_URL": url}) as stack,
    ):
        run_both(stack, monkeypatch)
