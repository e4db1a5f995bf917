"""How an environment is put together, as commands: one list for a local install, Docker and Modal.

A command is its words and nothing else: no redirection, no expansion, nothing of a manifest inside
a script. So whoever runs them needs no shell, and whoever writes them down has only to quote words.
"""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from comfy_images.manifest import Lock

Command = tuple[str, ...]

_WRITE_LINES: Final = (
    "import pathlib, sys; "
    "pathlib.Path(sys.argv[1]).write_text(''.join(f'{line}\\n' for line in sys.argv[2:]))"
)
_IF_THERE: Final = '[ ! -f "$0" ] || exec "$@"'
"""For `sh -c`: the file that must be there, then the command."""
_IN_FOLDER: Final = 'cd "$0" && exec "$@"'
_STARTS: Final = (
    'said=$("$@" 2>&1) || { printf "%s\\n" "$said"; exit 1; }; printf "%s\\n" "$said"; '
    'case $said in *"(IMPORT FAILED)"*) exit 1;; esac'
)
"""ComfyUI ends well where a pack did not import, and only says so."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where an environment lies. Absolute paths."""

    root: PurePosixPath
    python: str
    """Makes the virtual environment: `python3.12`, or a path."""

    @property
    def comfyui(self) -> PurePosixPath:
        """The checkout; main.py, models and custom_nodes are in it."""
        return self.root / "ComfyUI"

    @property
    def venv_python(self) -> PurePosixPath:
        """The interpreter that everything is installed into."""
        return self.root / "venv" / "bin" / "python"

    @property
    def constraints(self) -> PurePosixPath:
        """The file of pins that bind every install."""
        return self.root / "constraints.txt"


@dataclass(frozen=True, slots=True)
class Step:
    """Commands that belong together: one layer of an image."""

    title: str
    """What they do, as in "Could not {title}"."""
    commands: tuple[Command, ...]


def steps(lock: Lock, places: Places) -> tuple[Step, ...]:
    """Everything but models, in the order in which one builds on the other.

    The large and stable comes first, so that a changed pack costs an image no new torch. Each command
    may be run again on what it left.
    """
    environment = lock.environment
    own = Step("install the Python packages of the environment", tuple(_own_packages(lock, places)))
    core = Step(
        f"install ComfyUI {environment.comfyui.version or environment.comfyui.commit[:12]}",
        (
            *_checkout(environment.comfyui.url, environment.comfyui.commit, places.comfyui),
            _requirements(lock, places, places.comfyui),
        ),
    )
    packs = [_pack(lock, places, index) for index in range(len(environment.custom_nodes))]
    return (own, core, *packs)


def start_once(places: Places) -> Step:
    """Load all nodes without a graphics card, and fail where a pack does not import."""
    main = (str(places.venv_python), "main.py", "--cpu", "--quick-test-for-ci")
    return Step(
        "start it once with all its nodes",
        (("sh", "-c", _IN_FOLDER, str(places.comfyui), "sh", "-c", _STARTS, "sh", *main),),
    )


def pins(lock: Lock) -> list[str]:
    """Lines of the constraints file: pip takes no extras there."""
    python = lock.environment.python
    return sorted({_without_extras(line) for line in (*python.requirements, *python.constraints)})


def _own_packages(lock: Lock, places: Places) -> list[Command]:
    python = lock.environment.python
    commands: list[Command] = [
        (places.python, "-m", "venv", str(places.root / "venv")),
        (str(places.venv_python), "-c", _WRITE_LINES, str(places.constraints), *pins(lock)),
    ]
    if python.requirements:
        commands.append((*_pip(lock, places), *python.requirements))
    return commands


def _pack(lock: Lock, places: Places, index: int) -> Step:
    pack = lock.environment.custom_nodes[index]
    folder = places.comfyui / "custom_nodes" / pack.name
    commands = list(_checkout(pack.url, pack.commit, folder))
    if pack.requirements:
        commands.append(_requirements(lock, places, folder))
    if pack.install_script:
        script = (str(places.venv_python), "install.py")
        commands.append(("sh", "-c", _IN_FOLDER, str(folder), *script))
    return Step(f"install the custom nodes {pack.name}", tuple(commands))


def _checkout(url: str, commit: str, folder: PurePosixPath) -> tuple[Command, ...]:
    """One commit and no history. Git checks that what it gets is what the commit names."""
    git = ("git", "-C", str(folder))
    return (
        ("git", "init", "--quiet", str(folder)),
        (*git, "fetch", "--quiet", "--depth", "1", "--no-tags", url, commit),
        (*git, "-c", "advice.detachedHead=false", "checkout", "--quiet", "--detach", commit),
    )


def _requirements(lock: Lock, places: Places, folder: PurePosixPath) -> Command:
    file = str(folder / "requirements.txt")
    return ("sh", "-c", _IF_THERE, file, *_pip(lock, places), "-r", file)


def _pip(lock: Lock, places: Places) -> Command:
    python = lock.environment.python
    index = ("--index-url", python.index_url) if python.index_url else ()
    more = tuple(word for url in python.extra_index_urls for word in ("--extra-index-url", url))
    pip = (str(places.venv_python), "-m", "pip", "install", "--no-input", "--progress-bar", "off")
    return (*pip, *index, *more, "-c", str(places.constraints))


def _without_extras(requirement: str) -> str:
    return re.sub(r"\[.*?\]", "", requirement, count=1)
