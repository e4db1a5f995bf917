"""Which ComfyUI was installed for this state folder: one small file says it."""

import os
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from infra.local.private_file import write_private

FILE: Final = "comfyui.json"
REMEDY: Final = (
    "Run ./dev comfy again: it keeps what still works. "
    "Until then ./dev up --engine starts without it."
)

Source = Literal["git", "package"]


class BrokenInstallationError(Exception):
    """What was installed is not there any more; the message ends with the remedy."""


class Installation(BaseModel):
    """`python directory/main.py *arguments` starts it."""

    model_config = ConfigDict(frozen=True)

    folder: Path
    """Made by us, and all that `--remove` takes away."""
    directory: Path
    python: Path
    arguments: tuple[str, ...]
    version: str
    source: Source

    @property
    def models(self) -> Path:
        """Where its checkpoints, loras and the like belong."""
        return self.directory / "models"

    def problem(self) -> str | None:
        """What of it is gone; None when it can be started."""
        if not (self.directory / "main.py").is_file():
            return f"{self.directory} holds no ComfyUI any more"
        if not os.access(self.python, os.X_OK):
            return f"its interpreter {self.python} is gone"
        return None


def read_installed(state: Path) -> Installation | None:
    """What `comfyburst comfy` left; None where it never ran.

    Raises:
        BrokenInstallationError: the file cannot be read.
    """
    path = state / FILE
    try:
        return Installation.model_validate_json(path.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise BrokenInstallationError(f"{path} cannot be read. {REMEDY}") from error


def working(state: Path) -> Installation | None:
    """The same, once it was seen to be there.

    Raises:
        BrokenInstallationError: the file cannot be read, or tells of what is gone.
    """
    installed = read_installed(state)
    problem = installed.problem() if installed else None
    if problem:
        raise BrokenInstallationError(f"The installed ComfyUI is broken: {problem}. {REMEDY}")
    return installed


def write_installed(state: Path, installation: Installation) -> None:
    """From now on `./dev` uses it."""
    write_private(state / FILE, installation.model_dump_json(indent=1) + "\n")


def forget_installed(state: Path) -> None:
    """From now on `./dev` uses the engine."""
    (state / FILE).unlink(missing_ok=True)
