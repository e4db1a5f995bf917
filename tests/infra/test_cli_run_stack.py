"""`comfyburst run` and `doctor` on the whole product, as a user types them."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.running import POSTER, Running, clean_environment, running, steps

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Generator[Running]:
    with running(tmp_path_factory.mktemp("stack") / "state") as product:
        yield product


def start(product: Running, *words: str, cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "infra.cli.main", *words],
        cwd=cwd,
        env=clean_environment(
            {
                "COMFYBURST_STATE": str(product.state),
                "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
            }
        ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def call(product: Running, *words: str, cwd: Path) -> tuple[int, str, str]:
    with start(product, *words, cwd=cwd) as process:
        output, said = process.communicate(timeout=60)
        return process.returncode, output, said


def written(folder: Path, graph: dict[str, Any]) -> str:
    (folder / "flow.json").write_text(json.dumps(graph))
    return "flow.json"


def jobs(product: Running) -> list[dict[str, Any]]:
    return product.rows("select status from app.jobs order by created_at desc")


def test_a_workflow_becomes_files_that_overwrite_nothing(product: Running, tmp_path: Path) -> None:
    flow = written(tmp_path, POSTER)
    run = ("run", flow, "-i", "Poster.seed=8", "-i", "1.prompt=Hi", "-o", "out")

    first, second = (call(product, *run, cwd=tmp_path) for _ in range(2))

    assert (first[0], second[0]) == (0, 0), first[2] + second[2]
    assert first[1] == "out/poster_00001_.png\n"
    assert second[1] == "out/poster_00001_ (1).png\n"
    assert (tmp_path / first[1].strip()).read_bytes()[:4] == b"\x89PNG"


def test_a_file_can_be_had_without_the_workflow_in_it(product: Running, tmp_path: Path) -> None:
    flow = written(tmp_path, POSTER)
    told, silent = (
        call(product, "run", flow, "-o", folder, *more, cwd=tmp_path)
        for folder, more in (("told", ()), ("silent", ("--strip-metadata",)))
    )
    assert (told[0], silent[0]) == (0, 0), told[2] + silent[2]
    before, after = ((tmp_path / made[1].strip()).read_bytes() for made in (told, silent))
    assert (b"class_type" in before, b"class_type" in after) == (True, False)


def test_a_file_goes_in_and_its_copy_comes_out(product: Running, tmp_path: Path) -> None:
    _, made, _ = call(product, "run", written(tmp_path, POSTER), cwd=tmp_path)
    (tmp_path / made.strip()).rename(tmp_path / "a photo.png")
    copies = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "none.png"}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "c"}},
    }

    code, output, said = call(
        product,
        *("run", written(tmp_path, copies), "-i", "LoadImage.image=@a photo.png", "--json"),
        cwd=tmp_path,
    )

    assert code == 0, said
    job = json.loads(output)
    assert (job["status"], job["files"]) == ("succeeded", ["c_00001_.png"])


def test_ctrl_c_cancels_the_job(product: Running, tmp_path: Path) -> None:
    flow = written(tmp_path, steps(200, 0.1))
    with start(product, "run", flow, cwd=tmp_path) as process:
        while not any(job["status"] == "running" for job in jobs(product)):
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)

    assert process.returncode == 130
    assert said.rstrip().endswith("is canceled")
    assert jobs(product)[0]["status"] == "canceled"


def test_a_front_door_that_dies_meanwhile_is_outlived(product: Running, tmp_path: Path) -> None:
    flow = written(tmp_path, steps(40, 0.1, tag=1))
    with start(product, "run", flow, cwd=tmp_path) as process:
        assert process.stderr is not None
        while "running" not in (line := process.stderr.readline()):
            assert line, "it ended before its job ran"
        product.kill("front-door")
        output, said = process.communicate(timeout=60)

    assert (process.returncode, output) == (0, "s_00001_.png\n"), said
    assert "the stream broke" in said


def test_a_node_that_fails_is_named(product: Running, tmp_path: Path) -> None:
    graph = {
        "1": {
            "class_type": "BurstProbeError",
            "inputs": {"kind": "ValueError", "message": "[red]no\x1b[2J"},
            "_meta": {"title": "The culprit"},
        },
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "f"}},
    }

    code, output, said = call(product, "run", written(tmp_path, graph), cwd=tmp_path)

    assert (code, output) == (1, "")
    assert "in node 1: The culprit (BurstProbeError)" in said
    assert "[red]no" in said
    assert "\x1b" not in said


def test_doctor_finds_a_running_product_well(product: Running, tmp_path: Path) -> None:
    code, output, said = call(product, "doctor", cwd=tmp_path)

    assert code == 0, output + said
    assert "Postgres" in output
    assert "the embedded engine" in output


def test_keys_and_migrate_reach_the_embedded_database(product: Running, tmp_path: Path) -> None:
    made = call(product, "keys", "create", "--name", "from a test", cwd=tmp_path)
    migrated = call(product, "migrate", cwd=tmp_path)

    assert made[0] == 0, made[2]
    assert made[1].startswith("cb_")
    assert migrated[:2] == (0, "nothing to apply\n")
