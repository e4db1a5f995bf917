"""What a container of an environment is built from: the same for a Dockerfile and a Modal image.

A Modal image takes it word for word: `base` or `debian_slim(python_version)`, `apt_install` of
`system_packages`, `env(variables)`, then one `run_commands` a step, each command by `shlex.join`
(facts/modal.md §4, Images). No model and no secret is in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from comfy_images.manifest import Lock
from comfy_images.steps import Places, Step, start_once, steps

ROOT: Final = PurePosixPath("/opt/comfyui")
BASE_PACKAGES: Final = ("ca-certificates", "ffmpeg", "git", "libgl1", "libglib2.0-0")
"""git fetches the packs; the rest is what OpenCV and PyAV of common packs load."""

VARIABLES: Final[Mapping[str, str]] = {
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_NO_CACHE_DIR": "1",
    "PYTHONUNBUFFERED": "1",
    # What NVIDIA's container runtime looks for: the wheels of torch bring CUDA, the host its driver.
    "NVIDIA_VISIBLE_DEVICES": "all",
    "NVIDIA_DRIVER_CAPABILITIES": "compute,utility,video",
}


@dataclass(frozen=True, slots=True)
class ImagePlan:
    """A container image, described."""

    name: str
    digest: str
    """Of the lock."""
    base: str
    """Where it is not the default, Modal takes it by `from_registry`."""
    python_version: str
    system_packages: tuple[str, ...]
    variables: Mapping[str, str]
    places: Places
    steps: tuple[Step, ...]
    command: tuple[str, ...]
    """Starts ComfyUI in `places.comfyui`; its address comes from whoever starts it."""


def image_plan(lock: Lock) -> ImagePlan:
    """Describe the image of a locked environment."""
    environment = lock.environment
    version = environment.python.version
    places = Places(ROOT, f"python{version}")
    check = (start_once(places),) if environment.image.check else ()
    more = environment.image.system_packages
    return ImagePlan(
        name=environment.name,
        digest=lock.digest,
        base=environment.image.base or f"python:{version}-slim-bookworm",
        python_version=version,
        system_packages=tuple(sorted({*BASE_PACKAGES, *more})),
        variables=VARIABLES,
        places=places,
        steps=(*steps(lock, places), *check),
        command=(str(places.venv_python), "main.py", *environment.comfyui.arguments),
    )
