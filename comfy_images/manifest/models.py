"""What an environment consists of: ComfyUI, packs of custom nodes, Python packages, model files."""

from typing import Annotated, Any, Final, cast
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

from comfy_images.manifest.fields import (
    PICKLED_KINDS,
    Argument,
    BaseImage,
    Commit,
    EnvironmentName,
    FileName,
    FileUrl,
    Flag,
    GitUrl,
    IndexUrl,
    ModelFolder,
    PackFolder,
    PythonVersion,
    Requirement,
    Sha256,
    Size,
    SystemPackage,
    Text,
)

COMFYUI_URL: Final = "https://github.com/comfyanonymous/ComfyUI"
MAX_PACKS: Final = 200
MAX_MODELS: Final = 500
MAX_PACKAGES: Final = 2_000


def last_part(url: str) -> str:
    """What a clone or a download of it would be called."""
    return unquote(urlsplit(url).path.rstrip("/").rpartition("/")[2])


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class ComfyUI(_Part):
    """Which ComfyUI, to the commit."""

    url: GitUrl = COMFYUI_URL
    """Its repository."""
    commit: Commit
    """Of ComfyUI, whole."""
    version: Text = ""
    """What that commit calls itself, for people; it is no part of the digest."""
    arguments: Annotated[tuple[Argument, ...], Field(max_length=50)] = ()
    """How it is started, one word each; addresses and folders are the worker's."""


class Pack(_Part):
    """One folder of `custom_nodes`."""

    name: PackFolder
    """Its folder; the last part of the URL where none is said."""
    url: GitUrl
    """Its repository."""
    commit: Commit
    """Of the pack, whole."""
    requirements: Flag = True
    """Install its requirements.txt, where it has one."""
    install_script: Flag = False
    """Run its install.py, where it has one: code of the pack, at build time, with the network."""

    @model_validator(mode="before")
    @classmethod
    def _named_by_its_url(cls, values: Any) -> Any:
        return _with_name(values, suffix=".git")


class Python(_Part):
    """The interpreter and what is installed into it."""

    version: PythonVersion = "3.12"
    """Major and minor."""
    requirements: Annotated[tuple[Requirement, ...], Field(max_length=MAX_PACKAGES)] = ()
    """Installed first (the torch, wheels of packs), each pinned; they bind what follows."""
    constraints: Annotated[tuple[Requirement, ...], Field(max_length=MAX_PACKAGES)] = ()
    """Not installed for their own sake; they bind what ComfyUI and the packs ask for."""
    index_url: IndexUrl | None = None
    """In place of the index that pip is configured for."""
    extra_index_urls: Annotated[tuple[IndexUrl, ...], Field(max_length=10)] = ()
    """Beside it, as that of a CUDA torch. A name is taken from whichever has the higher version."""


class ModelFile(_Part):
    """One file below `models`."""

    name: FileName
    """As workflows name it; the last part of the URL where none is said."""
    folder: ModelFolder
    """Below models: checkpoints, loras, vae and so on."""
    url: FileUrl
    """Where it is fetched."""
    size_bytes: Size
    """Exactly; a download that grows past it is cut."""
    sha256: Sha256 | None = None
    """Only where a source states it. Left out, the first sync records what it got, and says so."""
    allow_pickle: Flag = False
    """For .ckpt, .pt, .pth and .bin: reading one may run what is inside."""
    source: Text = ""
    """The page that states all this, for people."""
    license: Text = ""
    """As its source states it."""

    @model_validator(mode="before")
    @classmethod
    def _named_by_its_url(cls, values: Any) -> Any:
        return _with_name(values)

    @property
    def path(self) -> str:
        """Below the models folder; unique in an environment."""
        return f"{self.folder}/{self.name}"

    @property
    def is_pickled(self) -> bool:
        """Whether reading it may run code."""
        return self.name.lower().endswith(PICKLED_KINDS)


class Image(_Part):
    """What a container has beside Python; a local install takes none of it."""

    base: BaseImage | None = None
    """Has `python3.N` of `python.version` and apt. Default: python:3.N-slim-bookworm."""
    system_packages: Annotated[tuple[SystemPackage, ...], Field(max_length=200)] = ()
    """Of Debian, beside those every ComfyUI needs."""
    check: Flag = True
    """Start ComfyUI once without a graphics card, and fail the build where a pack does not import."""


class Manifest(_Part):
    """An environment, as its TOML says it."""

    name: EnvironmentName
    """Jobs ask for the environment by it."""
    description: Text = ""
    """For people."""
    comfyui: ComfyUI
    """Which ComfyUI."""
    python: Python = Python()
    """Which Python, with what in it."""
    custom_nodes: Annotated[tuple[Pack, ...], Field(max_length=MAX_PACKS)] = ()
    """Packs of custom nodes."""
    models: Annotated[tuple[ModelFile, ...], Field(max_length=MAX_MODELS)] = ()
    """Model files."""
    image: Image = Image()
    """What containers have beside."""


def _with_name(values: Any, suffix: str = "") -> Any:
    if not isinstance(values, dict) or "name" in values:
        return cast(Any, values)
    url = cast("dict[str, Any]", values).get("url")
    if not isinstance(url, str):
        return cast(Any, values)
    return {**cast("dict[str, Any]", values), "name": last_part(url).removesuffix(suffix)}
