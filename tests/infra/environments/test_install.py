"""An environment installed here: commits from repositories, packages from a folder, no network.

ComfyUI and its packs are small repositories of these tests. Git is told by its own `insteadOf` that
their https URLs are folders, as one would name a mirror.
"""

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from comfy_images.manifest import Lock, Manifest, lock
from infra.comfyui.follow import ComfyUIInstallError
from infra.environments.install import Installed, install, interpreter, passed_on

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
MAIN = """
import importlib, pathlib, sys
assert "--quick-test-for-ci" in sys.argv and "--cpu" in sys.argv
for pack in sorted(pathlib.Path("custom_nodes").iterdir()):
    sys.path.insert(0, str(pack.parent))
    try:
        importlib.import_module(pack.name)
        print("0.0 seconds:", pack)
    except Exception as error:
        print("0.0 seconds (IMPORT FAILED):", pack, error)
"""


@dataclass(frozen=True)
class World:
    """Where repositories and packages are, instead of the network."""

    folder: Path

    @property
    def environ(self) -> Mapping[str, str]:
        return {
            **os.environ,
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.file://{self.folder}/.insteadOf",
            "GIT_CONFIG_VALUE_0": "https://git.example/",
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.folder),
            "HF_TOKEN": "secret",
        }

    def commit(self, name: str, files: dict[str, str]) -> str:
        """A commit with exactly these files; a repository of that name is made where there is none."""
        repository = self.folder / name
        if not repository.exists():
            repository.mkdir(parents=True)
            self._git(repository, "init", "--quiet")
        for path in repository.iterdir():
            if path.name != ".git":
                path.unlink()
        for path, text in files.items():
            (repository / path).write_text(text)
        self._git(repository, "add", "--all")
        self._git(repository, "commit", "--quiet", "--allow-empty", "-m", "test")
        return self._git(repository, "rev-parse", "HEAD")

    def _git(self, repository: Path, *words: str) -> str:
        identity = ("-c", "user.name=x", "-c", "user.email=x@localhost")
        command = ["git", "-C", str(repository), *identity, *words]
        done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - git, with our words
        return done.stdout.strip()

    def package(self, name: str, version: str) -> None:
        """A wheel with one empty module."""
        info = f"{name}-{version}.dist-info"
        with zipfile.ZipFile(self.folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"{name}.py", f"VERSION = {version!r}\n")
            wheel.writestr(
                f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
            )
            wheel.writestr(
                f"{info}/WHEEL",
                "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            )
            wheel.writestr(f"{info}/RECORD", "")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("world")
    made = World(folder)
    for version in ("1.0", "2.0"):
        made.package("burst_test_zoom", version)
    return made


def environment(core: str, packs: dict[str, str], **python: Any) -> Lock:
    values = {
        "name": "test",
        "comfyui": {"url": "https://git.example/core", "commit": core},
        "python": {"version": VERSION, **python},
        "custom_nodes": [
            {"url": f"https://git.example/{name}", "commit": commit}
            for name, commit in packs.items()
        ],
    }
    return lock(Manifest.model_validate(values))


def said_by(
    locked: Lock, folder: Path, world: World, *, check: bool = True
) -> tuple[Installed, list[str]]:
    said: list[str] = []
    done = install(
        locked, folder, said.append, environ=world.environ, python=sys.executable, check=check
    )
    return done, said


def test_an_environment_is_installed_at_its_commits_and_pins(world: World, tmp_path: Path) -> None:
    core = world.commit("core", {"main.py": MAIN, "requirements.txt": "burst_test_zoom\n"})
    old = world.commit("zoom", {"__init__.py": "import burst_test_zoom\nOLD = True\n"})
    world.commit("zoom", {"__init__.py": "raise SystemError('the newest')\n"})
    locked = environment(core, {"zoom": old}, constraints=["burst_test_zoom==1.0"])

    done, said = said_by(locked, tmp_path / "studio", world)

    assert (done.directory / "custom_nodes" / "zoom" / "__init__.py").read_text().endswith("True\n")
    written = json.loads((tmp_path / "studio" / "installed.json").read_text())
    assert written["digest"] == done.digest == locked.digest
    assert "burst_test_zoom==1.0" in written["packages"]
    assert said[0] == "Install the Python packages of the environment."
    assert said[-1] == "Start it once with all its nodes."

    again, said = said_by(locked, tmp_path / "studio", world)
    assert again == done
    assert said == ["test is installed already; nothing was fetched."]

    # A changed environment: another pack, the old one gone, models and outputs untouched.
    (done.models / "checkpoints").mkdir(parents=True)
    (done.models / "checkpoints" / "mine.safetensors").write_bytes(b"mine")
    frames = world.commit("frames", {"__init__.py": "", "requirements.txt": "burst_test_zoom\n"})
    changed = environment(core, {"frames": frames}, requirements=["burst_test_zoom==2.0"])
    done, _ = said_by(changed, tmp_path / "studio", world)

    assert [path.name for path in (done.directory / "custom_nodes").iterdir()] == ["frames"]
    assert (done.models / "checkpoints" / "mine.safetensors").exists()
    packages = json.loads((tmp_path / "studio" / "installed.json").read_text())["packages"]
    assert "burst_test_zoom==2.0" in packages


def test_a_pack_that_does_not_import_fails_the_install_by_name(
    world: World, tmp_path: Path
) -> None:
    core = world.commit("core", {"main.py": MAIN})
    broken = world.commit("broken", {"__init__.py": "import not_there\n"})
    locked = environment(core, {"broken": broken})

    with pytest.raises(ComfyUIInstallError, match=r"(?s)IMPORT FAILED.*broken.*not_there"):
        said_by(locked, tmp_path / "studio", world)

    assert not (tmp_path / "studio" / "installed.json").exists()
    said_by(locked, tmp_path / "studio", world, check=False)


def test_a_commit_that_is_not_there_is_told_with_its_repository(
    world: World, tmp_path: Path
) -> None:
    world.commit("core", {"main.py": MAIN})

    with pytest.raises(ComfyUIInstallError, match=r"(?s)install ComfyUI.*git\.example/core"):
        said_by(environment("0" * 40, {}), tmp_path / "studio", world)


def test_a_folder_of_somebody_else_is_not_touched(world: World, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")

    with pytest.raises(ComfyUIInstallError, match="not of our making"):
        said_by(environment("0" * 40, {}), tmp_path, world)

    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_python_that_is_not_here_is_asked_for() -> None:
    assert interpreter(VERSION)
    with pytest.raises(ComfyUIInstallError, match="--python"):
        interpreter("3.19")


def test_packs_see_no_token_and_no_key(world: World) -> None:
    seen = passed_on({**world.environ, "COMFYBURST_SECRET": "x", "DATABASE_URL": "x"})

    assert not {"HF_TOKEN", "COMFYBURST_SECRET", "DATABASE_URL"} & set(seen)
    assert {"PATH", "PIP_NO_INDEX", "GIT_CONFIG_COUNT"} <= set(seen)
