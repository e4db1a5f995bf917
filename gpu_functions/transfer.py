"""Files in and out by presigned URL: streamed, checked, and uploaded exactly once.

Inputs go from storage straight into ComfyUI's upload, outputs from ComfyUI's folder straight into
storage; neither is ever whole in memory.
"""

import asyncio
import logging
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import BinaryIO, TypeVar

import httpx
from blake3 import blake3
from tenacity import (
    AsyncRetrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
    wait_random_exponential,
)

from gpu_functions.comfyui.client import ComfyClient, ComfyUnreachableError
from gpu_functions.comfyui.outputs import OutputFile, open_beneath
from gpu_functions.comfyui.process import Running
from gpu_functions.contract import OutputGrant, TicketInput
from gpu_functions.media.files import CannotStripError

log = logging.getLogger(__name__)

_CHUNK_BYTES = 1 << 20
_INPUT_ATTEMPTS = 5
_OUTPUT_PATIENCE_S = 600.0
"""Local storage is the front door itself: an upload outlives an outage of minutes."""
_FRESH_GRANTS = 3
_NO_ROOM = 507

Result = TypeVar("Result")


class TransferError(Exception):
    """A file could not be moved; the message says which and why, without its URL."""


class NoRoomError(TransferError):
    """Storage is full."""


class _TryAgainError(Exception):
    """A passing failure of storage."""


class _ExpiredError(Exception):
    """The URL is no longer good."""


def http_client() -> httpx.AsyncClient:
    """The client for presigned URLs: no redirects, no compression that would change a size."""
    return httpx.AsyncClient(
        timeout=httpx.Timeout(30, connect=5),
        headers={"Accept-Encoding": "identity"},
        follow_redirects=False,
    )


@dataclass(frozen=True, slots=True)
class Transfer:
    """Moves files for one worker. `patience_s`: how long an upload is repeated."""

    http: httpx.AsyncClient
    patience_s: float = _OUTPUT_PATIENCE_S

    # --- in -----------------------------------------------------------------------------------

    async def fetch_input(self, client: ComfyClient, item: TicketInput) -> None:
        """Put one input into ComfyUI's input folder. Raises TransferError."""
        retrying = AsyncRetrying(
            retry=retry_if_exception_type((_TryAgainError, httpx.TransportError)),
            wait=wait_random_exponential(multiplier=0.2, max=5),
            stop=stop_after_attempt(_INPUT_ATTEMPTS),
            reraise=True,
        )
        try:
            await retrying(self._fetch_once, client, item)
        except (_TryAgainError, httpx.TransportError) as error:
            reason = str(error) or type(error).__name__
            raise TransferError(f"input {item.file_name!r}: {reason}") from error

    async def _fetch_once(self, client: ComfyClient, item: TicketInput) -> None:
        async with self.http.stream("GET", item.url) as reply:
            if reply.status_code >= 500 or reply.status_code == 429:
                raise _TryAgainError(f"storage answered HTTP {reply.status_code}")
            if reply.status_code != 200:
                raise TransferError(
                    f"input {item.file_name!r}: storage answered HTTP {reply.status_code}"
                )
            stored = await client.upload(item.file_name, item.size_bytes, _checked(reply, item))
        if stored != item.file_name:
            raise TransferError(f"input {item.file_name!r}: ComfyUI stored it as {stored!r}")

    # --- out ----------------------------------------------------------------------------------

    async def put_output(
        self, output: "Source", register: Callable[[], Awaitable[OutputGrant]]
    ) -> tuple[OutputGrant, str]:
        """Upload one file to the place `register` grants; the grant and the file's blake3.

        Raises TransferError, and what `register` raises.
        """
        for _ in range(_FRESH_GRANTS):
            grant = await register()
            try:
                return grant, await self._put_patiently(output, grant)
            except _ExpiredError:
                log.info("the URL of an output expired, asking for a fresh one")
            except (_TryAgainError, httpx.TransportError) as error:
                reason = str(error) or type(error).__name__
                raise TransferError(f"storage: {reason}") from error
        raise TransferError("storage refuses every URL it grants")

    async def _put_patiently(self, output: "Source", grant: OutputGrant) -> str:
        unanswered = False
        retrying = AsyncRetrying(
            retry=retry_if_exception_type((_TryAgainError, httpx.TransportError)),
            wait=wait_random_exponential(multiplier=0.2, max=5),
            stop=stop_after_delay(self.patience_s),
            reraise=True,
        )
        async for attempt in retrying:
            with attempt:
                hasher = blake3()
                try:
                    reply = await self.http.put(
                        grant.url, content=_hashed(output, hasher), headers=_headers(output, grant)
                    )
                except httpx.TransportError:
                    unanswered = True
                    raise
                _judge_put(reply, repeated=unanswered)
                return str(hasher.hexdigest())
        raise AssertionError("the last attempt returns or raises")


@dataclass(frozen=True, slots=True)
class Source:
    """Something to upload: an open file, or text."""

    size_bytes: int
    file: BinaryIO | None = None
    data: bytes = b""

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes from the start, never more than registered; may be read again."""
        if self.file is None:
            yield self.data
            return
        await asyncio.to_thread(self.file.seek, 0)
        left = self.size_bytes
        while left and (chunk := await asyncio.to_thread(self.file.read, min(left, _CHUNK_BYTES))):
            left -= len(chunk)
            yield chunk


@asynccontextmanager
async def open_output(running: Running, output: OutputFile) -> AsyncGenerator[Source, None]:
    """Open one output wherever it is: in memory, in ComfyUI's folders, or behind its /view.

    Raises FileNotFoundError, UnsafePathError, ComfyUnreachableError.
    """
    if output.text is not None:
        data = output.text.encode()
        yield Source(len(data), data=data)
        return
    if running.folders is not None:
        root = running.folders / output.folder
        file = await asyncio.to_thread(open_beneath, root, output.subfolder, output.filename)
    else:
        file = await _view(running.client, output)
    with file:
        yield Source(await asyncio.to_thread(file.seek, 0, 2), file=file)


@asynccontextmanager
async def without_metadata(
    running: Running, output: OutputFile, source: Source
) -> AsyncGenerator[Source, None]:
    """The same file without what it says of its making, in a file without a name.

    Raises CannotStripError.
    """
    if source.file is None:
        yield source  # a text that a node showed: there is nothing beside it
        return
    if running.media is None:
        raise CannotStripError("nothing here opens files")
    extension = output.filename.rpartition(".")[2].lower()
    # Beside the original, where there is room for files of its size.
    made = await asyncio.to_thread(tempfile.TemporaryFile, dir=running.folders)
    with made:
        if await running.media.strip(source.file, source.size_bytes, extension, made):
            yield Source(await asyncio.to_thread(made.seek, 0, 2), file=made)
        else:
            yield source


async def _view(client: ComfyClient, output: OutputFile) -> BinaryIO:
    """Copy a file of a ComfyUI whose disk is not ours: its size must be known before a PUT."""
    async with client.view(output) as reply:
        if reply.status_code == 404:
            raise FileNotFoundError(output.filename)
        if reply.status_code != 200:
            raise ComfyUnreachableError(f"GET /view answered HTTP {reply.status_code}")
        copy = tempfile.TemporaryFile()  # noqa: SIM115 - handed to the caller
        try:
            async for chunk in reply.aiter_bytes(_CHUNK_BYTES):
                await asyncio.to_thread(copy.write, chunk)
        except BaseException:
            copy.close()
            raise
    return copy


async def _checked(reply: httpx.Response, item: TicketInput) -> AsyncIterator[bytes]:
    """The body. When it is not what was promised, the upload breaks off before it is complete."""
    hasher = blake3()
    size = 0
    try:
        async for chunk in reply.aiter_raw(_CHUNK_BYTES):
            size += len(chunk)
            hasher.update(chunk)
            if size > item.size_bytes:
                break
            yield chunk
    except httpx.TransportError as error:
        # Storage's failure, not that of the ComfyUI it is on its way to.
        raise _TryAgainError(f"storage: {type(error).__name__}") from error
    if size != item.size_bytes:
        raise _TryAgainError(f"storage sent {size} bytes instead of {item.size_bytes}")
    if item.blake3 is not None and hasher.hexdigest() != item.blake3:
        raise _TryAgainError("its content is not what was uploaded")


async def _hashed(output: Source, hasher: blake3) -> AsyncIterator[bytes]:
    async for chunk in output.chunks():
        hasher.update(chunk)
        yield chunk


def _headers(output: Source, grant: OutputGrant) -> dict[str, str]:
    # Exactly the granted headers are signed; the length is one of them, but never chunked.
    lower = {name.lower() for name in grant.headers}
    length = {} if "content-length" in lower else {"Content-Length": str(output.size_bytes)}
    return {**grant.headers, **length}


def _judge_put(reply: httpx.Response, *, repeated: bool) -> None:
    status = reply.status_code
    if status in (200, 201, 204):
        return
    if status in (409, 412) and repeated:
        # Write-once, and an earlier attempt ended without an answer: it was the one that wrote.
        return
    if status == 403:
        raise _ExpiredError
    if status == _NO_ROOM:
        raise NoRoomError("storage has no room left")
    if status >= 500 or status in (408, 429):
        raise _TryAgainError(f"HTTP {status}")
    raise TransferError(f"storage answered HTTP {status}")
