"""Which ComfyUI `./dev` uses, and what it says where the installed one broke."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.cli.doctor import outside
from infra.comfyui.choice import choose
from infra.comfyui.installed import FILE, BrokenInstallationError, Installation, read_installed
from infra.local.greeting import greeting
from infra.local.worker import serves_any_workspace, worker_environment


def test_without_a_variable_the_installed_one_works(state: Path, installed: Installation) -> None:
    choice = choose({"PATH": "/bin"}, state)

    assert choice.place == installed.directory
    assert worker_environment(choice.environment({"PATH": "/bin"})) == {
        "PATH": "/bin",
        "COMFYUI_DIR": str(installed.directory),
        "COMFYUI_PYTHON": str(installed.python),
        "COMFYUI_ARGS": "--cpu",
    }
    assert not serves_any_workspace(choice)


def test_arguments_and_an_interpreter_of_yours_come_on_top(
    state: Path, installed: Installation
) -> None:
    yours = {"COMFYUI_ARGS": "--preview-size '256'", "COMFYUI_PYTHON": "/opt/python"}

    variables = choose(yours, state).variables

    assert variables["COMFYUI_ARGS"] == "--cpu --preview-size '256'"
    assert variables["COMFYUI_PYTHON"] == "/opt/python"


@pytest.mark.parametrize(
    ("environ", "place"),
    [
        ({"COMFYUI_URL": "http://127.0.0.1:8188"}, "http://127.0.0.1:8188"),
        ({"COMFYUI_DIR": "/mine"}, Path("/mine")),
        ({"COMFYUI_DIR": ""}, None),
    ],
)
def test_a_variable_wins_over_the_installed_one(
    state: Path, installed: Installation, environ: dict[str, str], place: object
) -> None:
    choice = choose(environ, state)

    assert (choice.place, choice.installed) == (place, None)


def test_engine_wins_over_everything(state: Path, installed: Installation) -> None:
    choice = choose({"COMFYUI_URL": "http://127.0.0.1:1"}, state, engine=True)

    assert choice.place is None
    assert choice.environment({"COMFYUI_URL": "x"})["COMFYUI_URL"] == ""
    assert serves_any_workspace(choice)


def test_where_nothing_was_installed_the_engine_works(state: Path) -> None:
    assert choose({}, state).place is None


@pytest.mark.parametrize("gone", ["main.py", ".venv/bin/python"])
async def test_a_broken_one_is_refused_and_told_with_its_remedy(
    state: Path, installed: Installation, gone: str
) -> None:
    (installed.directory / gone).unlink()

    with pytest.raises(BrokenInstallationError, match=r"broken.*\./dev comfy.*--engine"):
        choose({}, state)
    row = await outside.comfyui(state, {})
    assert row.state == "fail"
    assert str(installed.directory) in row.found
    assert "./dev comfy" in row.remedy


def test_a_broken_one_matters_to_nobody_who_names_another(
    state: Path, installed: Installation
) -> None:
    (installed.directory / "main.py").unlink()

    assert choose({"COMFYUI_DIR": ""}, state).place is None
    assert choose({}, state, engine=True).place is None


def test_a_file_that_cannot_be_read_is_told(state: Path) -> None:
    (state / FILE).write_text("{")

    with pytest.raises(BrokenInstallationError, match="cannot be read"):
        read_installed(state)


async def test_doctor_and_ready_tell_which_one_works(state: Path, installed: Installation) -> None:
    row = await outside.comfyui(state, {})
    said = greeting("http://x", "0.9.1", state, 1.0, choose({}, state))

    assert row.state == "ok"
    for text in (row.found, said):
        assert "0.9.1" in text
        assert str(installed.directory) in text
    assert str(installed.models) in said
    assert "up --engine" in said


def test_a_broken_one_keeps_up_from_starting(state: Path, installed: Installation) -> None:
    (installed.directory / "main.py").unlink()
    kept = {n: v for n, v in os.environ.items() if not n.startswith("COMFYUI")}

    refused = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "infra.cli.main", "up", "--port", "0", "--state", str(state)],
        env=kept,
        capture_output=True,
        text=True,
        check=False,
    )

    assert refused.returncode == 1
    assert "broken" in refused.stderr
    assert "./dev up --engine" in refused.stderr
