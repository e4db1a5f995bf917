"""The process that opens outputs: started when first needed, replaced when it dies, one for a ComfyUI.

A thumbnail is a courtesy: whatever goes wrong, an output is published without one, and after a few
deaths in a row none is asked for any more. Metadata is a promise: whatever goes wrong, an output that
was to be stripped is not published.
"""

import json
import logging
import os
import signal
import socket
import struct
import subprocess
from asyncio import Lock, Task, create_task, shield, to_thread
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

from gpu_functions.contract import MAX_THUMBNAIL_BYTES
from gpu_functions.isolation.confinement import Confinement, tied
from gpu_functions.media.files import CannotStripError

log = logging.getLogger(__name__)

MAX_SOURCE_BYTES: Final = 512 << 20
"""Of a thumbnail."""
_SECONDS_PER_FILE: Final = 10
_STRIPPED_PER_SECOND: Final = 20 << 20
_PATIENCE_S: Final = 5.0
"""Beyond what the process was given: it ends itself."""
_DEATHS_IN_A_ROW: Final = 3
_LENGTH = struct.Struct("!I")
_SCRIPT: Final = Path(__file__).with_name("serve.py")

ThumbnailKind = Literal["image", "video"]
Request = dict[str, str | int]


@dataclass(slots=True)
class MediaProcess:
    """Asks a bounded process of another interpreter."""

    interpreter: Path
    """One with Pillow for thumbnails, and PyAV for videos: ComfyUI's own."""
    confinement: Confinement | None = None
    """Where ComfyUI runs as another user, so does this."""
    _process: "subprocess.Popen[bytes] | None" = None
    _channel: socket.socket | None = None
    _deaths: int = 0
    _one_at_a_time: Lock = field(default_factory=Lock)
    _asking: set["Task[bytes | None]"] = field(default_factory=set["Task[bytes | None]"])

    async def thumbnail(self, file: BinaryIO, size_bytes: int, kind: ThumbnailKind) -> bytes | None:
        """A WebP of at most 512 pixels a side; None where there is none to be had.

        The file's own position is neither used nor moved, and it may be closed at any time.
        """
        if size_bytes > MAX_SOURCE_BYTES or self._deaths >= _DEATHS_IN_A_ROW:
            return None
        request: Request = {"do": "thumbnail", "kind": kind, "seconds": _SECONDS_PER_FILE}
        return await self._exchange(request, file) or None

    async def strip(self, file: BinaryIO, size_bytes: int, extension: str, made: BinaryIO) -> bool:
        """Write the file without its metadata into `made`; False where it may stay as it is.

        Raises:
            CannotStripError: it holds metadata, or may hold some, and nobody here can take it out
        """
        seconds = _SECONDS_PER_FILE + size_bytes // _STRIPPED_PER_SECOND
        request: Request = {"do": "strip", "extension": extension[:16], "seconds": seconds}
        reply = await self._exchange(request, file, made)
        if reply is None:
            raise CannotStripError("the process that does it did not outlive it")
        try:
            said: dict[str, Any] = json.loads(reply)
        except ValueError as error:
            raise CannotStripError("the process that does it made no sense") from error
        if said.get("rewritten") in (True, False):
            return bool(said["rewritten"])
        raise CannotStripError(str(said.get("refused", "no reason was given"))[:300])

    @property
    def pid(self) -> int | None:
        """Of the process, where one runs."""
        return self._process.pid if self._process is not None else None

    async def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
        async with self._one_at_a_time:
            await to_thread(self._end)

    async def _exchange(self, request: Request, *files: BinaryIO) -> bytes | None:
        descriptors = [os.dup(file.fileno()) for file in files]
        asking = create_task(self._alone(request, descriptors))
        self._asking.add(asking)
        asking.add_done_callback(self._asking.discard)
        # Whoever asked may be canceled: the exchange goes on to its end, or the next would read it.
        return await shield(asking)

    async def _alone(self, request: Request, descriptors: list[int]) -> bytes | None:
        try:
            async with self._one_at_a_time:
                return await to_thread(self._ask, request, descriptors)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def _ask(self, request: Request, descriptors: list[int]) -> bytes | None:
        try:
            channel = self._channel or self._start()
            channel.settimeout(int(request["seconds"]) + _PATIENCE_S)
            socket.send_fds(channel, [json.dumps(request).encode()], descriptors)
            (length,) = _LENGTH.unpack(_exactly(channel, _LENGTH.size))
            reply = _exactly(channel, length) if length <= MAX_THUMBNAIL_BYTES else b""
        except OSError as error:
            self._deaths += 1
            log.warning("the process that opens outputs ended (%s)", type(error).__name__)
            self._end()
            return None
        if length > MAX_THUMBNAIL_BYTES:
            self._end()
        self._deaths = 0
        return reply

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
        self._channel = ours
        return ours

    def _command(self, channel: int) -> Sequence[str]:
        script = [str(self.interpreter), "-I", str(_SCRIPT), str(channel)]
        return [*tied(self.confinement), *script]

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
