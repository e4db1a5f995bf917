"""An installation as `comfyburst comfy` leaves it, but for its gigabytes."""

from pathlib import Path

from infra.comfyui.installed import Installation, write_installed
from infra.comfyui.place import claim


def script(path: Path, body: str) -> Path:
    """A program of that content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def installed_in(state: Path) -> Installation:
    """By git, on the CPU; its interpreter does nothing."""
    folder = state / "comfyui"
    claim(folder)
    directory = folder / "git" / "ComfyUI"
    python = script(directory / ".venv" / "bin" / "python", "exit 0")
    (directory / "main.py").touch()
    installation = Installation(
        folder=folder,
        directory=directory,
        python=python,
        arguments=("--cpu",),
        version="0.9.1",
        source="git",
    )
    write_installed(state, installation)
    return installation
