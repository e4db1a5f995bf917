"""The process that makes thumbnails: started when first needed, replaced when it dies, one for a ComfyUI.

A thumbnail is a courtesy. Whatever goes wrong, an output is published without one, and after a few
deaths in a row nothing is asked of it any more.
"""

import importlib.util
import json
import logging
import os
import signal
import socket
import struct
import subprocess
import sys
from asyncio import Lock, Task, create_task, shield, to_thread
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, Literal

from gpu_functions.contract import MAX_THUMBNAIL_BYTES

log = logging.getLogger(__name__)

MAX_SOURCE_BYTES: Final = 512 << 20
_PATIENCE_S: Final = 15.0
_DEATHS_IN_A_ROW: Final = 3
_LENGTH = struct.Struct("!I")
_SCRIPT: Final = Path(__file__).with_name("decode.py")

ThumbnailKind = Literal["image", "video"]


def interpreter_with_pillow() -> Path | None:
    """Our own, where it can decode: what a ComfyUI that is not ours must do with."""
    return Path(sys.executable) if importlib.util.find_spec("PIL") else None


@dataclass(slots=True)
class ThumbnailMaker:
    """Asks a bounded process of another interpreter."""

    interpreter: Path
    """One with Pillow, and for videos PyAV: ComfyUI's own."""
    _process: "subprocess.Popen[bytes] | None" = None
    _channel: socket.socket | None = None
    _deaths: int = 0
    _one_at_a_time: Lock = field(default_factory=Lock)
    _making: set["Task[bytes | None]"] = field(default_factory=set["Task[bytes | None]"])

    async def make(self, file: BinaryIO, size_bytes: int, kind: ThumbnailKind) -> bytes | None:
        """A WebP of at most 512 pixels a side; None where there is none to be had.

        The file's own position is neither used nor moved, and it may be closed at any time.
        """
        if size_bytes > MAX_SOURCE_BYTES or self._deaths >= _DEATHS_IN_A_ROW:
            return None
        making = create_task(self._make(os.dup(file.fileno()), kind))
        self._making.add(making)
        making.add_done_callback(self._making.discard)
        # Whoever asked may be canceled: the exchange goes on to its end, or the next would read it.
        return await shield(making)

    async def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
        async with self._one_at_a_time:
            await to_thread(self._end)

    async def _make(self, descriptor: int, kind: ThumbnailKind) -> bytes | None:
        try:
            async with self._one_at_a_time:
                return await to_thread(self._ask, descriptor, kind)
        finally:
            os.close(descriptor)

    def _ask(self, descriptor: int, kind: ThumbnailKind) -> bytes | None:
        try:
            channel = self._channel or self._start()
            socket.send_fds(channel, [json.dumps({"kind": kind}).encode()], [descriptor])
            (length,) = _LENGTH.unpack(_exactly(channel, _LENGTH.size))
            image = _exactly(channel, length) if length <= MAX_THUMBNAIL_BYTES else b""
        except OSError as error:
            self._deaths += 1
            log.warning("no thumbnail: its process ended (%s)", type(error).__name__)
            self._end()
            return None
        if length > MAX_THUMBNAIL_BYTES:
            self._end()
        self._deaths = 0
        return image or None

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own script
                self._command(theirs.fileno()),
                env=_environment(os.environ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        ours.settimeout(_PATIENCE_S)
        self._channel = ours
        return ours

    def _command(self, channel: int) -> Sequence[str]:
        tether = Path(__file__).parents[1] / "comfyui" / "tether.py"
        tied = [sys.executable, "-I", "-S", str(tether), str(os.getpid())]
        return [*tied, str(self.interpreter), "-I", str(_SCRIPT), str(channel)]

    def _end(self) -> None:
        process, self._process = self._process, None
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()
        if process is not None:
            process.send_signal(signal.SIGKILL)
            process.wait()


def _exactly(channel: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        chunk = channel.recv(size - len(data))
        if not chunk:
            raise ConnectionResetError
        data += chunk
    return bytes(data)


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in environ}
