"""`comfyburst workflows convert` and `inspect`, which need no server."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from infra.cli.workflows.group import workflows
from tests.app.front_door import OBJECT_INFO as POSTER_INFO
from tests.app.workflows.convert.drawing import OBJECT_INFO, node, save, workflow
from tests.app.workflows.convert.report import DATA
from tests.app.workflows.test_declared import EXTERNAL, editors

FILES = Path(__file__).parents[1] / "app" / "workflows" / "inspect" / "files"


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    """A small workflow of the editor."""
    path = tmp_path / "flow.json"
    path.write_text(json.dumps(workflow([node(1, "Make"), save(2, 1)], [(1, 1, 0, 2, 0)])))
    return path


@pytest.fixture
def known(tmp_path: Path) -> Path:
    """The object_info that it needs."""
    path = tmp_path / "object_info.json"
    path.write_text(json.dumps(OBJECT_INFO))
    return path


def run(tmp_path: Path, *words: Any) -> Result:
    """The command where nothing runs."""
    nothing = {
        "COLUMNS": "200",
        "COMFYUI_URL": "",
        "DATABASE_URL": "",
        "COMFYBURST_STATE": str(tmp_path / "state"),
    }
    return CliRunner().invoke(workflows, [str(word) for word in words], env=nothing)


def test_convert_prints_the_graph_of_a_file(flow: Path, known: Path, tmp_path: Path) -> None:
    done = run(tmp_path, "convert", flow, "--object-info", known)
    graph = json.loads(done.stdout)
    assert (done.exit_code, graph["2"]["inputs"]["images"]) == (0, ["1", 0])


def test_convert_prints_the_graph_that_a_video_carries(tmp_path: Path) -> None:
    done = run(tmp_path, "convert", FILES / "clip.mp4")
    assert json.loads(done.stdout)["8"]["class_type"] == "SaveVideo"


def test_convert_says_what_it_did_beside_the_graph(known: Path, tmp_path: Path) -> None:
    path = tmp_path / "flow.json"
    path.write_text(json.dumps(workflow([node(3, "Make"), save(2, None)], [])))
    done = run(tmp_path, "convert", path, "--object-info", known)
    assert set(json.loads(done.stdout)) == {"2"}
    assert "Nodes that feed nothing that is saved or shown. (3)" in done.stderr


def test_convert_without_a_comfyui_to_ask_says_where_to_name_one(
    flow: Path, tmp_path: Path
) -> None:
    done = run(tmp_path, "convert", flow)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "--object-info" in done.stderr


def test_convert_names_absent_nodes_and_their_packs(known: Path, tmp_path: Path) -> None:
    path = tmp_path / "flow.json"
    path.write_text(json.dumps(workflow([node(1, "Gone", properties={"cnr_id": "pack"})], [])))
    done = run(tmp_path, "convert", path, "--object-info", known)
    assert done.exit_code == 1
    assert "Gone: node 1, of the pack pack" in done.stderr


def test_inspect_shows_what_a_file_takes_and_gives(tmp_path: Path) -> None:
    known = tmp_path / "object_info.json"
    known.write_bytes(gzip.decompress((DATA / "object_info-0.8.0.json.gz").read_bytes()))
    done = run(tmp_path, "inspect", FILES / "frame.png", "--object-info", known)
    assert done.exit_code == 0
    assert (
        "PNG: a graph, as Export (API) writes it, from the PNG text chunk `prompt`" in done.stdout
    )
    assert "1.image" in done.stdout
    assert "output" in done.stdout


def test_inspect_prints_json(flow: Path, known: Path, tmp_path: Path) -> None:
    done = run(tmp_path, "inspect", flow, "--object-info", known, "--json")
    value = json.loads(done.stdout)
    assert (value["format"], value["kind"]) == ("JSON", "ui")
    assert value["nodes"] == {"Make": 1, "Save": 1}
    assert "seed" in {each["name"] for each in value["inputs"]}


def test_inspect_reads_the_marks_of_other_products_in_the_file_itself(tmp_path: Path) -> None:
    flow, known = tmp_path / "flow.json", tmp_path / "object_info.json"
    flow.write_text(json.dumps(editors(EXTERNAL)))
    known.write_text(json.dumps(POSTER_INFO))
    done = run(tmp_path, "inspect", flow, "--object-info", known, "--json")
    assert "headline" in {each["name"] for each in json.loads(done.stdout)["inputs"]}


def test_inspect_tells_the_facts_where_no_graph_can_be_made(flow: Path, tmp_path: Path) -> None:
    done = run(tmp_path, "inspect", flow)
    assert done.exit_code == 0
    assert "2 nodes: Make, Save" in done.stdout
    assert "No graph was made" in done.stdout


@pytest.mark.parametrize("command", ["convert", "inspect"])
def test_a_file_without_a_workflow_is_refused_with_the_reason(command: str, tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    path.write_text("hello")
    done = run(tmp_path, command, path)
    assert done.exit_code == 1
    assert "not known to carry a ComfyUI workflow" in done.stderr


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    done = run(tmp_path, "inspect", tmp_path / "gone.json")
    assert (done.exit_code, "No such file" in done.stderr) == (1, True)


def test_names_in_a_file_cannot_move_the_cursor(tmp_path: Path) -> None:
    path = tmp_path / "flow.json"
    path.write_text(json.dumps({"1": {"class_type": "\x1b[2JSave", "inputs": {}}}))
    assert "\x1b" not in run(tmp_path, "inspect", path).stdout
