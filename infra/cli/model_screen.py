"""What `comfyburst environments models` shows: one bar on a terminal, plain lines elsewhere; on stderr."""

from types import TracebackType
from typing import Self, assert_never

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from comfy_images.manifest import ModelFile
from comfy_images.model_sync import Origin
from infra.cli.plain import plain


class ModelScreen:
    """Shows one sync. Nothing is read as markup."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._live.add_task("", visible=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def start(self, model: ModelFile, there: int) -> None:
        """A model is fetched from this byte on."""
        self._live.reset(
            self._task,
            total=model.size_bytes,
            completed=there,
            description=model.path,
            visible=True,
        )
        if not self._console.is_terminal:
            resumed = f", {there / 1e9:.2f} GB of it are here" if there else ""
            self._say(f"fetching {model.path}: {model.size_bytes / 1e9:.2f} GB{resumed}")

    def bytes(self, there: int) -> None:
        """So many of its bytes are there."""
        self._live.update(self._task, completed=there)

    def checking(self, model: ModelFile) -> None:
        """All of it is there; its hash is computed."""
        self._live.update(self._task, description=f"checking {model.path}", visible=True)

    def done(self, model: ModelFile, origin: Origin | None) -> None:
        """It is there and right."""
        self._live.update(self._task, visible=False)
        match origin:
            case None:
                words = "is there"
            case "stated":
                words = "is there; its hash is the one that its source states"
            case "recorded":
                words = "is there; its hash is the one that the first sync recorded"
            case "first":
                words = "is there; no source states its hash: recorded in the lock, to be held to"
            case _:
                assert_never(origin)
        self._say(f"{model.path} {words}")

    def failed(self, model: ModelFile, reason: str) -> None:
        """It is not there, or not right."""
        self._live.update(self._task, visible=False)
        self._say(f"FAILED: {model.path}: {reason}")

    def _say(self, text: str) -> None:
        self._console.print(Text(plain(text)), soft_wrap=True)
