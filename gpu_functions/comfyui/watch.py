"""The WebSocket of a ComfyUI: hints as they come, never the verdict.

One socket serves one run after the other, under one client id: a connection costs a short job as much
as all else together. The reader hands each frame on without waiting, since a slow reader blocks
every client of ComfyUI; a broken socket is closed before a new one takes its id, else ComfyUI's
clean-up leaves the new one deaf (facts/comfyui-protocol.md §2).
"""

import asyncio
import contextvars
import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from uuid import uuid4

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from gpu_functions.comfyui.client import ComfyUnreachableError
from gpu_functions.comfyui.frames import Frame, read_frame

_HELLO = json.dumps({"type": "feature_flags", "data": {"supports_preview_metadata": True}})
_RECONNECT_AFTER_S = 0.25
_FAILURES = (OSError, WebSocketException, TimeoutError)
_FRESH_S = 60.0


@dataclass(slots=True)
class Watch:
    """Frames about one prompt at a time, from `follow` to `leave`."""

    fresh_s: float = _FRESH_S
    """A socket unused for longer is not trusted: what lies between may have dropped it unsaid."""
    client_id: str = field(default="", init=False)
    """What `follow` connected as: prompts posted under it are heard of here."""
    _url: str = ""
    _prompt_id: str = ""
    _on_frame: Callable[[Frame], None] | None = None
    _heard: bool = False
    _used_at: float = 0.0
    _socket: ClientConnection | None = None
    _reader: asyncio.Task[None] | None = None

    async def follow(self, url: str, prompt_id: str, on_frame: Callable[[Frame], None]) -> None:
        """Hand on what the ComfyUI at this http:// address says about a prompt.

        Raises ComfyUnreachableError where nobody answers.
        """
        if url != self._url or not self._is_usable():
            await self.close()
            # A new id: ComfyUI may not have cleaned up after the old one yet. Within a run the id must
            # stay, since its prompt is bound to it; a pause does there.
            self._url, self.client_id = url, uuid4().hex
            try:
                self._socket = await self._connect()
            except _FAILURES as error:
                raise ComfyUnreachableError(f"no WebSocket: {error}") from error
            # It outlives the run that needed it, and must not log in that job's name.
            self._reader = asyncio.create_task(self._read(), context=contextvars.Context())
        self._prompt_id, self._heard = prompt_id, False
        # What a frame sets off does log in the name of the run that listens.
        self._on_frame = partial(contextvars.copy_context().run, on_frame)

    async def leave(self) -> None:
        """Stop following; may be called at any time. A socket that said nothing was deaf: it goes."""
        if self._on_frame is None:
            return
        self._on_frame = None
        self._used_at = time.monotonic()
        if not self._heard:
            await self.close()

    async def close(self) -> None:
        """Stop reading; may be called at any time."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
        await self._hang_up()

    async def refresh(self) -> None:
        """Reconnect: a socket silent for long may be a deaf one."""
        await self._hang_up()

    def _is_usable(self) -> bool:
        is_read = self._reader is not None and not self._reader.done()
        is_fresh = time.monotonic() - self._used_at <= self.fresh_s
        return self._socket is not None and is_read and is_fresh

    async def _connect(self) -> ClientConnection:
        socket = await connect(
            f"{self._url.replace('http', 'ws', 1)}/ws?clientId={self.client_id}",
            max_size=None,  # a text output of 9 MB is one frame
            compression=None,
            ping_interval=None,  # a node that holds the GIL answers no ping for seconds
            close_timeout=0.5,
            open_timeout=10,
            proxy=None,
        )
        await socket.send(_HELLO)
        return socket

    async def _read(self) -> None:
        while True:
            if self._socket is not None:
                with suppress(*_FAILURES):
                    async for frame in self._socket:
                        self._hand_on(frame)
            await self._hang_up()
            if self._on_frame is None:
                return  # nobody listens: the next run connects
            await asyncio.sleep(_RECONNECT_AFTER_S)
            with suppress(*_FAILURES):
                self._socket = await self._connect()

    def _hand_on(self, frame: str | bytes) -> None:
        if self._on_frame is None:
            return
        said = read_frame(frame, self._prompt_id)
        if said is not None:
            self._heard = True
            self._on_frame(said)

    async def _hang_up(self) -> None:
        socket, self._socket = self._socket, None
        if socket is not None:
            with suppress(*_FAILURES):
                await socket.close()
