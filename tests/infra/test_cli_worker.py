"""What `comfyburst worker` hands to the worker."""

import json
from pathlib import Path

from app.config import Settings
from infra.cli.worker import environment_of


def settings(state: Path) -> Settings:
    return Settings().model_copy(
        update={"state": state, "port": 9, "internal_url": None, "redis_url": "unix:///r"}
    )


def test_a_worker_learns_where_to_ask_and_no_secret(tmp_path: Path) -> None:
    ours = {"DATABASE_URL": "postgresql://u:p@h/d", "COMFYBURST_SECRET": "s", "PATH": "/bin"}

    seen = environment_of(ours, settings(tmp_path), "big")

    place = seen.pop("COMFYBURST_WORKER_STATE")
    assert place.startswith(f"{tmp_path}/worker-")
    assert seen == {
        "PATH": "/bin",
        "INTERNAL_URL": "http://127.0.0.1:9",
        "REDIS_URL": "unix:///r",
        "COMFYBURST_ENVIRONMENT": "big",
        "PYTHONUNBUFFERED": "1",
    }


def test_it_asks_the_front_door_that_runs_here(tmp_path: Path) -> None:
    (tmp_path / "ready.json").write_text(json.dumps({"url": "http://127.0.0.1:4242"}))

    seen = environment_of({}, settings(tmp_path), "local")

    assert seen["INTERNAL_URL"] == "http://127.0.0.1:4242"


def test_a_folder_of_yours_is_kept(tmp_path: Path) -> None:
    seen = environment_of({"COMFYBURST_WORKER_STATE": "/mine"}, settings(tmp_path), "local")

    assert seen["COMFYBURST_WORKER_STATE"] == "/mine"
