"""What a ComfyUI child is started with: command line, environment, folders. Nothing is started here."""

import importlib.util
import os
import shutil
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gpu_functions.isolation.confinement import Confinement, tied
from gpu_functions.isolation.user import ComfyUser, IsolationError
from gpu_functions.settings import WorkerSettings

_PASSED_ON = frozenset({
    "PATH", "HOME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "XDG_CACHE_HOME",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE",
    "HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "TRANSFORMERS_CACHE", "TORCH_HOME",
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "ROCR_VISIBLE_DEVICES",
})  # fmt: skip
_PASSED_ON_PREFIXES = ("LC_", "CUDA_", "NVIDIA_", "HIP_", "HSA_", "PYTORCH_", "TORCHINDUCTOR_")
"""An allow-list: nodes read the environment, so no token, key or URL of ours may be in it."""

WORKSPACE_FOLDERS = ("input", "output", "temp", "user")
_FOLDERS_OF_A_USER = (*WORKSPACE_FOLDERS, "home", "tmp")
_CACHES = ("HF_HOME", "HF_HUB_CACHE", "TRANSFORMERS_CACHE", "TORCH_HOME")
_WRITTEN_TO = frozenset({
    "XDG_CACHE_HOME", "CUDA_CACHE_PATH", "TORCHINDUCTOR_CACHE_DIR", "PYTORCH_KERNEL_CACHE_PATH",
})  # fmt: skip
"""What one workspace compiled into a cache, the next would run: under COMFY_USER they lie in HOME."""
_MAX_UPLOAD_MB = 16_384
_OUR_PACK = "comfyburst"


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start ComfyUI or the engine on this machine."""

    settings: WorkerSettings

    @property
    def state(self) -> Path:
        """The folder everything of this ComfyUI lies in."""
        return self.settings.state.absolute()

    @property
    def is_engine(self) -> bool:
        """True where no ComfyUI is configured."""
        return self.settings.comfyui_dir is None

    def folder(self, name: str) -> Path:
        """One of WORKSPACE_FOLDERS."""
        return self.state / name

    def command(self, port: int, confinement: Confinement | None = None) -> list[str]:
        """The whole command line, tied to the life of this process."""
        return [*tied(confinement), *self._comfyui(port)]

    def _comfyui(self, port: int) -> list[str]:
        directory = self.settings.comfyui_dir
        if directory is None:
            program = [sys.executable, "-m", "comfy_images.engine"]
        else:
            program = [str(self.settings.interpreter), str(directory.absolute() / "main.py")]
        flags = ["--listen", "127.0.0.1", "--port", str(port), "--base-directory", str(self.state)]
        for flag, *values in _OPTIONAL_FLAGS:
            if directory is None or _knows(directory, flag):
                flags += [flag, *values]
        return [*program, *flags, *self.settings.comfyui_args]

    def environment(
        self, environ: Mapping[str, str], user: ComfyUser | None = None
    ) -> dict[str, str]:
        """What the child may see of our environment."""
        passed = {
            name: value
            for name, value in environ.items()
            if name in _PASSED_ON or name.startswith(_PASSED_ON_PREFIXES)
        }
        passed |= {"PYTHONNOUSERSITE": "1", "PYTHONUNBUFFERED": "1"}
        if self.settings.probes:
            passed["COMFYBURST_PROBES"] = "1"
        nodes = _our_nodes()
        if self.is_engine and nodes is not None:
            passed["PYTHONPATH"] = str(nodes.parent.parent)
        if user is not None:
            passed = {name: value for name, value in passed.items() if name not in _WRITTEN_TO}
            passed |= {"HOME": str(self.folder("home")), "TMPDIR": str(self.folder("tmp"))}
            passed |= {"USER": user.name, "LOGNAME": user.name}
        return passed

    # --- folders ------------------------------------------------------------------------------

    def make_folders(self, user: ComfyUser | None = None) -> None:
        """Lay out the state folder; nothing in it that a workspace wrote is touched.

        Raises:
            IsolationError: it is not ours to give folders of it away.
        """
        self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        if user is not None:
            _let_pass(self.state)
        for name in WORKSPACE_FOLDERS if user is None else _FOLDERS_OF_A_USER:
            self.folder(name).mkdir(exist_ok=True)
            if user is not None:
                self.folder(name).chmod(0o700)
                os.chown(self.folder(name), user.uid, user.gid, follow_symlinks=False)
        packs = self.folder("custom_nodes")
        packs.mkdir(exist_ok=True)
        nodes = _our_nodes()
        if nodes is not None:
            _link(packs / _OUR_PACK, nodes)
        directory = self.settings.comfyui_dir
        if directory is not None:
            # --base-directory moves models and packs too: the operator's own stay in use.
            _link(self.folder("models"), directory.absolute() / "models")
            for pack in (directory.absolute() / "custom_nodes").glob("[!._]*"):
                _link(packs / pack.name, pack)
        if user is not None:
            packs.chmod(0o755)

    @property
    def users_folders(self) -> list[Path]:
        """What COMFY_USER may write to."""
        return [self.folder(name) for name in _FOLDERS_OF_A_USER]

    def renew_folders(self, user: ComfyUser | None = None) -> None:
        """Fresh folders for another workspace.

        Raises:
            OSError: something of the last one is left to read.
        """
        self.remove_folders()
        self.make_folders(user)

    def remove_folders(self) -> None:
        """Nothing of the last workspace is left to read.

        Raises:
            OSError: something is.
        """
        for folder in self.users_folders:
            with suppress(FileNotFoundError):
                shutil.rmtree(folder)

    # --- another user -------------------------------------------------------------------------

    def confinement(self, user: ComfyUser, environ: Mapping[str, str]) -> Confinement:
        """How the child is started as `user`; once the folders are made."""
        ours = [Path(__file__).parents[1]]
        nodes = _our_nodes()
        if nodes is not None:
            ours.append(nodes.parent if self.is_engine else nodes)
        needed = [*ours, *self._prefixes, *self._trees(environ)]
        return Confinement(user, self.state, tuple(needed))

    def readable(self) -> list[Path]:
        """What COMFY_USER must be able to read."""
        directory = self.settings.comfyui_dir
        main = [directory.absolute() / "main.py"] if directory is not None else []
        return [Path(__file__), *filter(None, [_our_nodes()]), *main]

    def closed(self, environ: Mapping[str, str]) -> list[Path]:
        """What COMFY_USER must not be able to change: all that another workspace's process runs."""
        programs = [prefix / "bin" for prefix in self._prefixes]
        libraries = [lib for prefix in self._prefixes for lib in prefix.glob("lib/python3*")]
        ours = [Path(__file__).parents[1], self.folder("custom_nodes")]
        return [*ours, *programs, *libraries, *self._trees(environ)]

    @property
    def _prefixes(self) -> list[Path]:
        """Of ComfyUI's Python, and of the one that it was made from."""
        python = self.settings.interpreter.absolute()
        return [python.parents[1], python.resolve().parents[1]]

    def _trees(self, environ: Mapping[str, str]) -> list[Path]:
        """ComfyUI, its models and packs, and the caches that the operator names."""
        directory = self.settings.comfyui_dir
        trees = [directory.absolute(), directory.resolve()] if directory is not None else []
        links = [self.folder("models"), *self.folder("custom_nodes").glob("*")]
        trees += [link.resolve() for link in links if link.exists()]
        return trees + [Path(environ[name]) for name in _CACHES if environ.get(name)]


def _let_pass(state: Path) -> None:
    """A folder of ours that COMFY_USER may pass through, and neither list nor change."""
    folder = os.open(state, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if os.fstat(folder).st_uid != os.geteuid():
            raise IsolationError(f"{state} belongs to another user; remove it or choose another.")
        os.fchmod(folder, 0o711)
    finally:
        os.close(folder)


_OPTIONAL_FLAGS: tuple[tuple[str, ...], ...] = (
    ("--disable-auto-launch",),
    ("--database-url", "sqlite:///:memory:"),
    ("--preview-method", "auto"),
    ("--max-upload-size", str(_MAX_UPLOAD_MB)),
    ("--dont-print-server",),
)


def _knows(directory: Path, flag: str) -> bool:
    """Whether this version has the flag: argparse ends ComfyUI at one it does not know."""
    try:
        return f'"{flag}"' in (directory / "comfy" / "cli_args.py").read_text(encoding="utf-8")
    except OSError:
        return False


def _our_nodes() -> Path | None:
    """Where comfy_images/nodes lies, found without importing it: it belongs to ComfyUI's side."""
    spec = importlib.util.find_spec("comfy_images")
    places = spec.submodule_search_locations if spec is not None else None
    nodes = Path(next(iter(places))) / "nodes" if places else None
    return nodes if nodes is not None and nodes.is_dir() else None


def _link(link: Path, target: Path) -> None:
    if not target.exists() or (link.exists() and not link.is_symlink()):
        return
    if not link.is_symlink() or link.readlink() != target:
        link.unlink(missing_ok=True)
        link.symlink_to(target)
