"""`up` with a ComfyUI that was installed for its state folder, and no variable set.

COMFYBURST_TEST_COMFYUI names the folder that `python -m infra.comfyui.install` filled; the state folder's
file points there, as `comfyburst comfy` would have written it.
"""

import json
import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from infra.comfyui.installed import Installation, write_installed
from tests.running import Running, clean_environment, running

INSTALLED = Path(os.environ.get("COMFYBURST_TEST_COMFYUI", ""))
DATA = Path(__file__).parents[1] / "gpu_functions" / "data"

pytestmark = [
    pytest.mark.stack,
    pytest.mark.comfyui,
    pytest.mark.timeout(180),
    pytest.mark.skipif(
        "COMFYBURST_TEST_COMFYUI" not in os.environ,
        reason="COMFYBURST_TEST_COMFYUI names no ComfyUI",
    ),
]


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("comfy") / "state"
    folder.mkdir(mode=0o700)
    installation = Installation(
        folder=INSTALLED,
        directory=INSTALLED / "comfyui",
        python=INSTALLED / "venv" / "bin" / "python",
        arguments=("--cpu", "--disable-api-nodes"),
        version="0.3.75",
        source="package",
    )
    write_installed(folder, installation)
    return folder


@pytest.fixture(scope="module")
def product(state: Path) -> Generator[Running]:
    with running(state) as product:
        yield product


def run(product: Running, folder: Path, workflow: Path, *inputs: str) -> list[str]:
    """`comfyburst run`; the names of the files it made."""
    words = ["run", str(workflow), *inputs, "-o", str(folder / "out"), "--json"]
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "infra.cli.main", *words],
        env=clean_environment({"COMFYBURST_STATE": str(product.state)}),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr + product.log("worker")
    return [Path(name).name for name in json.loads(done.stdout)["files"]]


def test_it_does_the_work_and_ready_says_so(product: Running) -> None:
    said = product.output.read_text()

    assert product.comfyui == "0.3.75"
    assert f"ComfyUI 0.3.75 that `comfy` installed in {INSTALLED}" in said
    assert "not ComfyUI" not in said


def test_a_workflow_of_real_nodes_runs_on_it(product: Running, tmp_path: Path) -> None:
    flow = tmp_path / "flow.json"
    workflows = json.loads((DATA / "workflows.json").read_text())
    flow.write_text(json.dumps(workflows["1-photo-edit"]))

    files = run(product, tmp_path, flow, "-i", f"LoadImage.image=@{DATA / 'photo.png'}")

    assert "photo-edit_00001_.png" in files
    assert len(files) == 2


def test_it_knows_our_own_nodes(product: Running, tmp_path: Path) -> None:
    poster = Path(__file__).parents[2] / "comfy_images" / "catalog" / "poster.json"

    assert run(product, tmp_path, poster, "-i", "1.prompt=Hello") == ["poster_00001_.png"]


def test_engine_starts_without_it(product: Running, tmp_path: Path) -> None:
    other = tmp_path / "state"
    other.mkdir(mode=0o700)
    (other / "comfyui.json").write_text((product.state / "comfyui.json").read_text())

    with running(other, arguments=("--engine",)) as engine:
        assert "It is not ComfyUI" in engine.output.read_text()
