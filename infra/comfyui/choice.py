"""Which ComfyUI does the work: the variables decide, then what was installed here, then the engine."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from infra.comfyui.installed import Installation, working

_ENGINE: Final = {"COMFYUI_URL": "", "COMFYUI_DIR": ""}


@dataclass(frozen=True, slots=True)
class Choice:
    """What a worker is to use."""

    variables: Mapping[str, str]
    """Over those of our own environment; an empty one counts as absent."""
    place: str | Path | None
    """A URL, a folder, or None for the embedded engine."""
    installed: Installation | None = None

    def environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Ours, with the choice made in it."""
        return {**environ, **self.variables}


def choose(environ: Mapping[str, str], state: Path, *, engine: bool = False) -> Choice:
    """Choose from these variables and this state folder; `COMFYUI_DIR=` asks for the engine too.

    Raises:
        BrokenInstallationError: it would be the installed one, and that cannot be started. Work for
            ComfyUI must not land on the engine unasked: its jobs would fail on every node.
    """
    if engine:
        return Choice(_ENGINE, None)
    if url := environ.get("COMFYUI_URL"):
        return Choice({}, url)
    directory = environ.get("COMFYUI_DIR")
    if directory is not None:
        return Choice({}, Path(directory) if directory else None)
    installed = working(state)
    if installed is None:
        return Choice({}, None)
    return Choice(_variables(installed, environ), installed.directory, installed)


def _variables(installed: Installation, environ: Mapping[str, str]) -> dict[str, str]:
    """A COMFYUI_PYTHON of the user's wins; COMFYUI_ARGS come after ours, so theirs win as well."""
    return {
        "COMFYUI_DIR": str(installed.directory),
        "COMFYUI_PYTHON": environ.get("COMFYUI_PYTHON") or str(installed.python),
        "COMFYUI_ARGS": " ".join(
            filter(None, (shlex.join(installed.arguments), environ.get("COMFYUI_ARGS")))
        ),
    }
