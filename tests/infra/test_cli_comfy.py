"""`comfyburst comfy`, without a network: what it decides, refuses, keeps, and tells `./dev`."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from infra.cli.comfy import NEEDED_BYTES, ComfyOptions, comfy, decide, is_wanted
from infra.cli.main import app
from infra.comfyui.check import arguments_for, start_once
from infra.comfyui.choice import choose
from infra.comfyui.follow import ComfyUIInstallError, follow, remedy, told_of
from infra.comfyui.from_git import (
    URL,
    comfy_command,
    comfy_environment,
    github_answers,
    version_of,
)
from infra.comfyui.graphics import Graphics, find_graphics, torch_of
from infra.comfyui.install import install
from infra.comfyui.installed import Installation, read_installed
from infra.comfyui.place import claim, remove, require_room
from infra.local.single import only_one
from infra.pinned import OURS
from tests.infra.comfy import script


def quiet(_: str) -> None:
    """For reports that no one reads."""


# Where it comes from


def test_auto_takes_git_where_github_answers() -> None:
    assert decide("auto", lambda: True) == "git"
    assert decide("auto", lambda: False) == "package"
    assert decide("git", lambda: True) == "git"


def test_the_package_asks_nobody() -> None:
    def asked() -> bool:
        raise AssertionError

    assert decide("package", asked) == "package"


def test_git_that_was_asked_for_is_not_replaced_in_silence() -> None:
    with pytest.raises(ComfyUIInstallError, match="--source package"):
        decide("git", lambda: False)


def test_a_repository_answers_or_does_not(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    identity = ("-c", "user.name=x", "-c", "user.email=x@localhost")
    for words in (["init", "-q"], [*identity, "commit", "-q", "--allow-empty", "-m", "x"]):
        there = ["git", "-C", str(repository), *words]
        repository.mkdir(exist_ok=True)
        subprocess.run(there, check=True)  # noqa: S603 - git, with our words

    assert github_answers(str(repository))
    assert not github_answers(str(tmp_path / "none"))
    assert not github_answers("http://127.0.0.1:1/x.git")


@pytest.mark.parametrize(
    ("tool", "body", "found"),
    [
        ("nvidia-smi", "echo 'GPU 0: NVIDIA GeForce'", Graphics.NVIDIA),
        ("nvidia-smi", "echo 'GPU 0'; exit 9", Graphics.NONE),
        ("nvidia-smi", "echo 'No devices were found'", Graphics.NONE),
        ("rocm-smi", "echo 'GPU[0]: Card Series: Radeon'", Graphics.AMD),
        ("none", "", Graphics.NONE),
    ],
)
def test_the_drivers_tool_says_which_card_is_there(
    tmp_path: Path, tool: str, body: str, found: Graphics
) -> None:
    script(tmp_path / tool, body)

    if sys.platform == "darwin":
        pytest.skip("an Apple card is found whatever the tools say")
    assert find_graphics(str(tmp_path)) is found


def test_torch_says_whether_it_can_use_the_card(tmp_path: Path) -> None:
    assert torch_of(script(tmp_path / "a", "echo 2.9.1+cu130 gpu")) == ("2.9.1+cu130", True)
    assert torch_of(script(tmp_path / "b", "echo 2.9.1+cpu cpu")) == ("2.9.1+cpu", False)
    with pytest.raises(ValueError, match="cannot import torch"):
        torch_of(script(tmp_path / "c", "exit 1"))


@pytest.mark.parametrize(
    ("torch", "graphics", "arguments", "says"),
    [
        ("2.9.1+cu130 gpu", Graphics.NVIDIA, (), "can use"),
        ("2.9.1+cpu cpu", Graphics.NONE, ("--cpu",), "--cpu"),
        ("2.9.1+cu130 cpu", Graphics.NVIDIA, ("--cpu",), "cannot use the NVIDIA card"),
    ],
)
def test_torch_decides_on_what_it_computes(
    tmp_path: Path, torch: str, graphics: Graphics, arguments: tuple[str, ...], says: str
) -> None:
    told: list[str] = []

    assert (
        arguments_for(script(tmp_path / "p", f"echo {torch}"), graphics, told.append) == arguments
    )
    assert says in told[0]


def test_it_is_started_once_as_it_will_be(installed: Installation, tmp_path: Path) -> None:
    script(installed.python, f'echo "$@" > {tmp_path}/words; test -d "$4/custom_nodes"')

    start_once(installed, quiet)

    assert f"{installed.directory}/main.py --quick-test-for-ci --base-directory" in (
        said := (tmp_path / "words").read_text()
    )
    assert said.endswith(" --cpu\n")


def test_one_that_does_not_start_is_told_with_its_reason(installed: Installation) -> None:
    script(installed.python, "echo ModuleNotFoundError: requests; exit 1")

    with pytest.raises(ComfyUIInstallError, match=r"(?s)requests.*--source package"):
        start_once(installed, quiet)


# comfy-cli


@pytest.mark.parametrize(
    ("graphics", "flag"),
    [
        (Graphics.NVIDIA, "--nvidia"),
        (Graphics.AMD, "--amd"),
        (Graphics.APPLE, "--m-series"),
        (Graphics.NONE, "--cpu"),
    ],
)
def test_comfy_cli_is_told_the_card_and_asks_nothing(graphics: Graphics, flag: str) -> None:
    command = comfy_command(Path("/comfy"), Path("/to"), graphics, restore=False)

    assert command == [
        *("/comfy", "--skip-prompt", "--no-json", "--workspace", "/to", "install"),
        *("--url", URL, "--version", "latest", "--skip-manager", flag),
    ]


def test_a_checkout_that_is_there_is_completed() -> None:
    assert "--restore" in comfy_command(Path("/c"), Path("/to"), Graphics.NONE, restore=True)


def test_comfy_cli_sees_no_environment_of_ours_and_tells_nobody(tmp_path: Path) -> None:
    (tmp_path / ".gitconfig").touch()
    (tmp_path / ".config").mkdir()
    ours = {"HOME": str(tmp_path), "VIRTUAL_ENV": "/ours", "CONDA_PREFIX": "/ours", "PATH": "/bin"}

    seen = comfy_environment(ours, tmp_path / "home")

    assert not {"VIRTUAL_ENV", "CONDA_PREFIX"} & seen.keys()
    assert (seen["HOME"], seen["DO_NOT_TRACK"]) == (str(tmp_path / "home"), "1")
    assert seen["GIT_CONFIG_GLOBAL"] == str(tmp_path / ".gitconfig")
    assert seen["XDG_CONFIG_HOME"] == str(tmp_path / ".config")
    assert "NETRC" not in seen


def test_a_checkout_says_its_version(tmp_path: Path) -> None:
    assert version_of(tmp_path) == "unknown"
    (tmp_path / "comfyui_version.py").write_text('# generated\n__version__ = "0.9.1"\n')
    assert version_of(tmp_path) == "0.9.1"


# Safe, and done once


def test_what_is_installed_is_not_installed_again(
    state: Path, installed: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    assert comfy(ComfyOptions("auto", None, state)) == 0
    assert "installed already" in capsys.readouterr().out


def test_another_source_a_broken_one_or_another_folder_is_installed(
    state: Path, installed: Installation
) -> None:
    asked = ComfyOptions("auto", None, state)
    assert is_wanted(installed, asked)
    assert not is_wanted(installed, ComfyOptions("package", None, state))
    assert not is_wanted(installed, ComfyOptions("auto", state / "other", state))
    assert not is_wanted(installed.model_copy(update={"source": "package"}), asked)
    (installed.directory / "main.py").unlink()
    assert not is_wanted(installed, asked)


def test_too_little_room_is_said_before_anything_is_fetched(tmp_path: Path) -> None:
    with pytest.raises(ComfyUIInstallError, match=r"GB free .* needed.*--into"):
        require_room(tmp_path / "not" / "yet", 10**18)
    assert not (tmp_path / "not").exists()
    assert require_room(tmp_path, 1) > 1
    assert set(NEEDED_BYTES) == set(Graphics)


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "main.py").touch()

    for refused in (lambda: claim(tmp_path), lambda: remove(tmp_path)):
        with pytest.raises(ComfyUIInstallError, match="not of our making"):
            refused()
    assert (tmp_path / "main.py").exists()


def test_the_packages_installer_leaves_a_folder_of_somebody_else_alone(tmp_path: Path) -> None:
    (tmp_path / "venv").mkdir()

    with pytest.raises(ComfyUIInstallError, match="not of our making"):
        install(tmp_path, quiet)
    assert (tmp_path / "venv").exists()


@pytest.mark.parametrize(
    "name",
    [
        "models/checkpoints/sd.safetensors",
        "models/embeddings/small.pt",
        "custom_nodes/mine/x.py",
        "output/picture.png",
        "user/default/workflows/flow.json",
        "../../notes.txt",
    ],
)
def test_what_is_yours_is_never_deleted(
    state: Path, installed: Installation, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    yours = installed.directory / name
    yours.parent.mkdir(parents=True, exist_ok=True)
    yours.touch()

    assert comfy(ComfyOptions("auto", None, state, remove=True)) == 1
    assert "these are yours" in capsys.readouterr().err
    assert yours.exists()
    assert read_installed(state) == installed


def test_remove_takes_away_what_came_with_it(
    state: Path, installed: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in (
        "models/configs/v1.yaml",
        "models/loras/put_loras_here",
        "custom_nodes/example_node.py.example",
    ):
        (installed.directory / name).parent.mkdir(parents=True)
        (installed.directory / name).touch()

    assert comfy(ComfyOptions("auto", None, state, remove=True)) == 0
    assert not installed.folder.exists()
    assert choose({}, state).place is None
    assert comfy(ComfyOptions("auto", None, state, remove=True)) == 0
    assert "Nothing is installed" in capsys.readouterr().out


def test_nothing_is_removed_beneath_a_running_dev(
    state: Path, installed: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    with only_one(state):
        assert comfy(ComfyOptions("auto", None, state, remove=True)) == 1
    assert "Stop it first" in capsys.readouterr().err
    assert (installed.folder / OURS).exists()


# What a person sees


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("  Downloading torch-2.13.0-cp311-cp311-linux.whl (539.1 MB)", "torch 2.13.0 (539.1 MB)"),
        ("Downloading https://host/a/b/big-1.0.whl (1.2 GB)", "big 1.0 (1.2 GB)"),
        ("  Using cached scipy-1.17.1-cp311.whl (35.1 MB)", "scipy 1.17.1 (35.1 MB)"),
        ("Downloading kornia-0.9.0-py3.whl (1.9 MB)", None),
        ("Downloading small-1.0.whl (12 kB)", None),
        ("Installing collected packages: a, b", "all is here; unpacking"),
        ("Cloning into '/x/ComfyUI'...", "Cloning into '/x/ComfyUI'..."),
        ("Requirement already satisfied: pip", None),
    ],
)
def test_the_large_files_are_told_with_their_size(line: str, told: str | None) -> None:
    assert told_of(line) == told


def test_a_large_file_of_this_machine_is_told_too(tmp_path: Path) -> None:
    for name, size_bytes in (("torch-2.13.0+cpu-cp311.whl", 6_000_000), ("small-1.0-py3.whl", 10)):
        with (tmp_path / name).open("wb") as wheel:
            wheel.truncate(size_bytes)

    assert (
        told_of(f"Processing {tmp_path}/torch-2.13.0+cpu-cp311.whl") == "torch 2.13.0+cpu (6.0 MB)"
    )
    assert told_of(f"Processing {tmp_path}/small-1.0-py3.whl") is None
    assert told_of(f"Processing {tmp_path}/gone-1.0-py3.whl") is None


def test_a_silent_step_says_that_it_lives_and_a_failed_one_why() -> None:
    told: list[str] = []

    follow("wait", ["/bin/sh", "-c", "sleep 0.3"], told.append, still_s=0.1)
    with pytest.raises(ComfyUIInstallError) as failed:
        follow("fetch", ["/bin/sh", "-c", "echo No space left on device >&2; exit 3"], quiet)

    assert any("still at it" in line for line in told)
    assert "Could not fetch (exit code 3)" in str(failed.value)
    assert "Make room" in str(failed.value)
    with pytest.raises(ComfyUIInstallError, match="Could not start it"):
        follow("start it", ["/nowhere/python"], quiet)


def test_a_missing_network_is_named() -> None:
    assert "HTTPS_PROXY" in remedy("fatal: Could not resolve host: github.com")
    assert remedy("SyntaxError") == ""


def test_help_teaches() -> None:
    shown = CliRunner().invoke(app, ["comfy", "--help"], env={"COLUMNS": "100", "NO_COLOR": "1"})

    assert "comfyburst comfy --remove" in shown.output
    assert "auto" in shown.output
