import os
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from gpu_functions.comfyui.launch import Launch
from gpu_functions.settings import WorkerSettings, read_token, variables


def test_an_empty_variable_counts_as_absent() -> None:
    settings = WorkerSettings.from_environment({"INTERNAL_URL": "", "COMFYUI_DIR": ""})
    assert settings == WorkerSettings()


def test_arguments_are_split_as_a_shell_would() -> None:
    settings = WorkerSettings.from_environment({"COMFYUI_ARGS": "--cpu --output 'a b'"})
    assert settings.comfyui_args == ("--cpu", "--output", "a b")


def test_a_value_that_makes_no_sense_names_its_variable() -> None:
    with pytest.raises(ValidationError, match="COMFYUI_START_TIMEOUT_S"):
        WorkerSettings.from_environment({"COMFYUI_START_TIMEOUT_S": "soon"})


def test_every_variable_is_described() -> None:
    listed = variables()
    assert all(len(variable.description) > 20 for variable in listed)
    assert {"INTERNAL_URL", "REDIS_URL", "COMFYUI_URL", "COMFYBURST_WORKER_TOKEN_FD"} <= {
        variable.name for variable in listed
    }


def test_a_checkout_with_a_venv_runs_in_it(tmp_path: Path) -> None:
    python = tmp_path / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    assert WorkerSettings(comfyui_dir=tmp_path).interpreter == python
    assert WorkerSettings().interpreter == Path(sys.executable)


def test_the_token_is_read_once_and_its_descriptor_closed() -> None:
    read_end, write_end = os.pipe()
    os.write(write_end, b"cbw_secret\n")
    os.close(write_end)
    assert read_token(read_end) == "cbw_secret"
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(read_end)


@pytest.mark.parametrize("content", [b"", b"\n"])
def test_a_worker_without_a_token_does_not_start(content: bytes) -> None:
    read_end, write_end = os.pipe()
    os.write(write_end, content)
    os.close(write_end)
    with pytest.raises(ValueError, match="COMFYBURST_WORKER_TOKEN_FD"):
        read_token(read_end)
    with pytest.raises(ValueError, match="COMFYBURST_WORKER_TOKEN_FD"):
        read_token(None)


# --- the launch of a ComfyUI --------------------------------------------------------------------


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout of an old version, with a pack and a models folder of the operator's."""
    directory = tmp_path / "ComfyUI"
    (directory / "comfy").mkdir(parents=True)
    (directory / "comfy" / "cli_args.py").write_text('add("--preview-method")\n')
    (directory / "custom_nodes" / "their_pack").mkdir(parents=True)
    (directory / "models" / "checkpoints").mkdir(parents=True)
    return directory


def test_flags_an_old_version_does_not_know_are_left_out(checkout: Path, tmp_path: Path) -> None:
    settings = WorkerSettings(
        comfyui_dir=checkout, state=tmp_path / "state", comfyui_args=("--cpu",)
    )
    command = Launch(settings).command(8188)
    assert "--preview-method" in command
    assert "--database-url" not in command
    assert command[-1] == "--cpu"
    assert str(checkout / "main.py") in command


def test_models_and_packs_of_the_checkout_stay_in_use(checkout: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    launch = Launch(WorkerSettings(comfyui_dir=checkout, state=state))
    launch.make_folders()
    launch.make_folders()
    assert (state / "models" / "checkpoints").is_dir()
    assert (state / "custom_nodes" / "their_pack").is_dir()


def test_another_workspace_finds_fresh_folders_and_the_same_models(
    checkout: Path, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    launch = Launch(WorkerSettings(comfyui_dir=checkout, state=state))
    launch.make_folders()
    for name in ("input", "output", "temp", "user"):
        (state / name / "left").write_text("behind")
    launch.renew_folders()
    assert not list(state.rglob("left"))
    assert (state / "models" / "checkpoints").is_dir()


def test_no_secret_of_ours_reaches_comfyui(tmp_path: Path) -> None:
    environ = {
        "PATH": "/bin",
        "CUDA_VISIBLE_DEVICES": "0",
        "REDIS_URL": "redis://:password@h",
        "COMFYBURST_WORKER_TOKEN_FD": "3",
        "COMFYBURST_SECRET": "x",
        "DATABASE_URL": "postgresql://",
        "HF_TOKEN": "hf_x",
        "AWS_SECRET_ACCESS_KEY": "x",
    }
    passed = Launch(WorkerSettings(state=tmp_path)).environment(environ)
    assert passed.keys() - {"PYTHONPATH"} == {
        "PATH",
        "CUDA_VISIBLE_DEVICES",
        "PYTHONNOUSERSITE",
        "PYTHONUNBUFFERED",
    }
