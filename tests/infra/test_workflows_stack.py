"""Push, run by name, change, roll back on the whole product, and every generated program run as it is."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conformance.clients.installed import CLIENTS
from tests.running import POSTER, Running, clean_environment, running

pytestmark = pytest.mark.stack

ROOT = Path(__file__).resolve().parents[2]
NODE = str(CLIENTS.node) if CLIENTS.node.exists() else shutil.which("node")


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Generator[Running]:
    with running(tmp_path_factory.mktemp("stack") / "state") as product:
        yield product


def typed(product: Running, folder: Path, *words: str) -> str:
    """A command of ours in a folder; returns what it printed."""
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "infra.cli.main", *words],
        cwd=folder,
        env=clean_environment({"COMFYBURST_STATE": str(product.state), "PYTHONPATH": str(ROOT)}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_file_is_pushed_and_run_by_its_name(product: Running, tmp_path: Path) -> None:
    (tmp_path / "flow.json").write_text(json.dumps(POSTER))
    typed(product, tmp_path, "workflows", "push", "flow.json", "--name", "poster")
    said = typed(
        product, tmp_path, "run", "poster", "-i", "prompt=Hi there", "-i", "seed=random", "--json"
    )
    job = json.loads(said)
    assert job["workflow"] == {"name": "poster", "version": 1}
    assert job["inputs"]["prompt"] == "Hi there"
    assert isinstance(job["inputs"]["seed"], int)
    assert (tmp_path / job["outputs"][0]["name"]).stat().st_size > 0
    typed(product, tmp_path, "workflows", "bind", "poster", "--set", "prompt.name=text")
    new = json.loads(typed(product, tmp_path, "run", "poster", "-i", "text=New", "--json"))
    old = json.loads(typed(product, tmp_path, "run", "poster@1", "-i", "prompt=Old", "--json"))
    assert [new["workflow"]["version"], old["workflow"]["version"]] == [2, 1]
    assert "+ input text" in typed(product, tmp_path, "workflows", "diff", "poster", "1")
    typed(product, tmp_path, "workflows", "rollback", "poster")
    back = json.loads(typed(product, tmp_path, "run", "poster", "-i", "prompt=Back", "--json"))
    assert back["workflow"]["version"] == 1


def test_a_picture_that_was_made_is_a_workflow_again(product: Running, tmp_path: Path) -> None:
    (tmp_path / "flow.json").write_text(json.dumps(POSTER))
    made = json.loads(typed(product, tmp_path, "run", "flow.json", "--json"))
    [picture] = made["files"]
    typed(product, tmp_path, "workflows", "push", picture, "--name", "again")
    job = json.loads(typed(product, tmp_path, "run", "again", "--json"))
    assert [o["size_bytes"] for o in job["outputs"]] == [o["size_bytes"] for o in made["outputs"]]


def test_a_file_goes_in_by_the_name_of_its_input(product: Running, tmp_path: Path) -> None:
    flow: dict[str, Any] = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "example.png"}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "copy"}},
    }
    (tmp_path / "flow.json").write_text(json.dumps(POSTER))
    [picture] = json.loads(typed(product, tmp_path, "run", "flow.json", "--json"))["files"]
    (tmp_path / "copy.json").write_text(json.dumps(flow))
    typed(product, tmp_path, "workflows", "push", "copy.json", "--name", "copy")
    job = json.loads(typed(product, tmp_path, "run", "copy", "-i", f"image=@{picture}", "--json"))
    assert job["status"] == "succeeded"


@pytest.mark.parametrize("label", ["curl", "httpx", "comfy-sdk", "fetch"])
def test_a_generated_program_runs_as_it_is(product: Running, tmp_path: Path, label: str) -> None:
    if label == "fetch" and NODE is None:
        pytest.skip("there is no Node: install it, or name COMFYBURST_TEST_CLIENTS")
    with httpx.Client(base_url=product.api, headers=product.auth, timeout=30) as http:
        flow = {
            **POSTER,
            "1": {**POSTER["1"], "inputs": {**POSTER["1"]["inputs"], "prompt": "ü 😀 it's"}},
        }
        pushed = http.post("/workflows", json={"name": "coded", "workflow": flow})
        assert pushed.is_success, pushed.text
        samples = http.get("/workflows/coded/code").json()["samples"]
    [source] = [each["source"] for each in samples if each["label"] == label]
    interpreters = {
        "curl": ["bash", "-c", source],
        "fetch": [str(NODE), "--input-type=module", "-e", source],
    }
    command = interpreters.get(label, [sys.executable, "-c", source])
    done = subprocess.run(  # noqa: S603 - the program that users copy
        command,
        cwd=tmp_path,
        env=clean_environment(
            {
                "COMFY_BASE_URL": product.url,
                "COMFY_API_KEY": product.api_key,
                "PATH": os.environ["PATH"],
            }
        ),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    if label == "curl":
        job = json.loads(done.stdout)
        assert (job["status"], job["inputs"]["prompt"]) == ("succeeded", "ü 😀 it's")
    else:
        [name] = done.stdout.split()
        assert (tmp_path / name).stat().st_size > 0
