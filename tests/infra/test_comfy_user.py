"""What COMFY_USER changes of what is minted, said and refused."""

import os
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from app.config import Settings
from app.errors import AppError
from app.jobs.dispatch.routing import choose_backend
from app.workflows.environments.repository import Environment
from gpu_functions.settings import WorkerSettings
from infra.cli.doctor.outside import comfy_user_row
from infra.cli.worker import environment_of
from infra.comfyui.choice import choose
from infra.local.greeting import greeting
from infra.local.places import PlaceError
from infra.local.worker import confines, serves_any_workspace, settings_of_worker, worker_state

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
COMFYUI = {"COMFYUI_DIR": "/comfy"}
USER = {"COMFY_USER": "64999"}


@only_root
def test_a_confined_comfyui_serves_every_workspace(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMFYUI_DIR", "/comfy")
    assert not serves_any_workspace(choose(os.environ, state))
    monkeypatch.setenv("COMFY_USER", "64999")
    assert serves_any_workspace(choose(os.environ, state))


def test_a_user_that_cannot_be_used_stops_the_start_even_for_the_engine(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMFY_USER", "no-such-user")
    with pytest.raises(PlaceError, match="there is no such user"):
        serves_any_workspace(choose(os.environ, state, engine=True))


def test_a_comfyui_that_runs_already_is_no_choice_for_it() -> None:
    with pytest.raises(PlaceError, match="not ours to restart"):
        settings_of_worker({**USER, "COMFYUI_URL": "http://127.0.0.1:8188"})


def test_without_it_nothing_is_confined_and_the_folder_stays(tmp_path: Path) -> None:
    worker = WorkerSettings()
    assert not confines(worker)
    assert worker_state(tmp_path / "worker", worker) == tmp_path / "worker"


def test_its_folder_can_be_passed_through_and_not_listed(tmp_path: Path) -> None:
    path = worker_state(tmp_path / "worker", WorkerSettings(comfy_user="64999"))
    try:
        assert path.parent == Path("/var/tmp")  # noqa: S108 - see places.py
        assert path.stat().st_mode & 0o7777 == 0o711
        assert path == worker_state(tmp_path / "worker", WorkerSettings(comfy_user="64999"))
    finally:
        path.rmdir()


def test_a_worker_of_the_command_line_keeps_one_folder_for_its_user(tmp_path: Path) -> None:
    settings = Settings(state=tmp_path)
    seen = [environment_of(USER, settings, "local") for _ in range(2)]
    folders = {Path(environment["COMFYBURST_WORKER_STATE"]) for environment in seen}
    (folder,) = folders
    folder.rmdir()
    assert seen[0]["COMFY_USER"] == "64999"


def test_ready_says_whose_rights_nodes_have(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def said() -> str:
        return greeting("http://127.0.0.1:1", "engine", state, 1.0, choose(os.environ, state))

    assert "Nodes run with your rights." in said()
    monkeypatch.setenv("COMFY_USER", "comfy")
    assert "Nodes run as the user comfy and serve every workspace" in said()


@pytest.mark.parametrize(
    ("variables", "how", "found"),
    [
        ({}, "ok", "the engine's own nodes serve every workspace"),
        (COMFYUI, "ok", "serve your workspace alone"),
        ({**COMFYUI, "COMFYUI_SHARED": "1"}, "ok", "you vouch"),
        pytest.param({**COMFYUI, **USER}, "ok", "nodes run as 64999", marks=only_root),
        ({**COMFYUI, "COMFY_USER": "no-such-user"}, "fail", "there is no such user"),
        ({**COMFYUI, "COMFY_USER": "0"}, "fail", "can read everything"),
    ],
)
def test_doctor_says_whose_rights_nodes_have(
    state: Path, variables: dict[str, str], how: str, found: str
) -> None:
    row = comfy_user_row(state, variables)
    assert (row.state, found in row.found) == (how, True)
    assert ("useradd" in row.remedy) == (how == "fail")


def test_a_refusal_names_it_as_a_remedy() -> None:
    mine = Environment(
        "local", "d", "local", [uuid4()], "0.3.75", is_engine=False, registered_at=datetime.now(UTC)
    )
    with pytest.raises(AppError, match="COMFY_USER"):
        choose_backend("local", mine, uuid4())
