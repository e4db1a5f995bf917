"""The steps of an install: what they name, and that pip is bound by every pin."""

from pathlib import PurePosixPath

from comfy_images.manifest import Manifest, lock, read_manifest
from comfy_images.steps import Places, pins, steps
from tests.comfy_images.environment import STUDIO

PLACES = Places(PurePosixPath("/opt/x"), "python3.12")


def studio() -> Manifest:
    return read_manifest(STUDIO.encode())


def test_pins_bind_every_install_without_the_extras_that_pip_refuses_there() -> None:
    assert pins(lock(studio())) == [
        f"clip @ git+https://git.example/openai/CLIP@{'a' * 40}",
        "numpy==2.3.5",
        "torch==2.9.1",
        "transformers==4.57.6",
        "xformers==0.0.33",
    ]


def test_every_install_is_bound_by_them_and_knows_the_index() -> None:
    installs = [
        command
        for step in steps(lock(studio()), PLACES)
        for command in step.commands
        if "pip" in command
    ]

    assert len(installs) == 3
    for command in installs:
        assert command[command.index("-c", 3) + 1] == "/opt/x/constraints.txt"
        assert "https://wheels.example/whl/cu128" in command


def test_a_pack_is_one_commit_in_a_folder_of_its_name() -> None:
    zoom = steps(lock(studio()), PLACES)[2]

    folder = "/opt/x/ComfyUI/custom_nodes/ComfyUI-Zoom"
    assert ("git", "init", "--quiet", folder) in zoom.commands
    fetched = next(command for command in zoom.commands if "fetch" in command)
    assert fetched[-2:] == ("https://git.example/someone/ComfyUI-Zoom.git", "b" * 40)


def test_a_pack_runs_its_script_only_where_it_was_asked_to() -> None:
    _, _, zoom, frames = steps(lock(studio()), PLACES)

    assert not any("install.py" in command for command in zoom.commands)
    assert any("install.py" in command for command in frames.commands)
    assert not any("pip" in command for command in frames.commands)
