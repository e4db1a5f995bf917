"""The WebSocket beside a run: hints as they come, never the verdict.

Connected before the prompt is posted. The reader hands each frame on without waiting, since a slow
reader blocks every client of ComfyUI; a broken socket is closed before a new one takes its id, else
ComfyUI's clean-up leaves the new one deaf (facts/comfyui-protocol.md §2).
"""

import asyncio
import json
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from gpu_functions.comfyui.client import ComfyUnreachableError
from gpu_functions.comfyui.frames import Frame, read_frame

log = logging.getLogger(__name__)

_HELLO = json.dumps({"type": "feature_flags", "data": {"supports_preview_metadata": True}})
_RECONNECT_AFTER_S = 0.25
_FAILURES = (OSError, WebSocketException, TimeoutError)


@dataclass(slots=True)
class Watch:
    """Frames about one prompt, from `open` to `close`."""

    url: str
    """ComfyUI's http:// address."""
    prompt_id: str
    client_id: str
    on_frame: Callable[[Frame], None]
    _socket: ClientConnection | None = None
    _reader: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect and start reading. Raises ComfyUnreachableError."""
        try:
            self._socket = await self._connect()
        except _FAILURES as error:
            raise ComfyUnreachableError(f"no WebSocket: {error}") from error
        self._reader = asyncio.create_task(self._read())

    async def close(self) -> None:
        """Stop reading; may be called at any time."""
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        await self._close()

    async def refresh(self) -> None:
        """Reconnect: a socket silent for long may be a deaf one."""
        await self._close()

    async def _connect(self) -> ClientConnection:
        socket = await connect(
            f"{self.url.replace('http', 'ws', 1)}/ws?clientId={self.client_id}",
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
                        said = read_frame(frame, self.prompt_id)
                        if said is not None:
                            self.on_frame(said)
            await self._close()
            await asyncio.sleep(_RECONNECT_AFTER_S)
            with suppress(*_FAILURES):
                self._socket = await self._connect()

    async def _close(self) -> None:
        socket, self._socket = self._socket, None
        if socket is not None:
            with suppress(*_FAILURES):
                await socket.close()
