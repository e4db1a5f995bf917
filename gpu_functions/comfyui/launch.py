"""What a ComfyUI child is started with: command line, environment, folders. Nothing is started here."""

import importlib.util
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

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

    def command(self, port: int) -> list[str]:
        """The whole command line, tied to the life of this process."""
        tether = Path(__file__).with_name("tether.py")
        return [sys.executable, "-I", "-S", str(tether), str(os.getpid()), *self._comfyui(port)]

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

    def environment(self, environ: Mapping[str, str]) -> dict[str, str]:
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
        return passed

    def make_folders(self) -> None:
        """Lay out the state folder; nothing in it that a workspace wrote is touched."""
        self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in WORKSPACE_FOLDERS:
            self.folder(name).mkdir(exist_ok=True)
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

    def renew_folders(self) -> None:
        """Fresh folders for another workspace: nothing of the last one is left to read."""
        for name in WORKSPACE_FOLDERS:
            shutil.rmtree(self.folder(name), ignore_errors=True)
        self.make_folders()


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
