"""A TCP proxy that refuses, delays, cuts, swallows or answers for what is behind it.

It runs on a loop of its own in a thread, so that tests and the soak change its fault while calls are
under way. HTTP is understood only so far that a fault can be for some requests alone.
"""

import asyncio
import contextlib
import random
import re
import threading
from collections.abc import Awaitable, Coroutine, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Literal

LOOPBACK: Final = "127.0.0.1"
_CHUNK_BYTES: Final = 65_536
_REQUEST: Final = re.compile(rb"(GET|HEAD|POST|PUT|PATCH|DELETE) /")

Kind = Literal["refuse", "delay", "cut", "blackhole", "answer"]


@dataclass(slots=True)
class Fault:
    """What happens to exchanges that begin while it is set.

    refuse: nobody listens, and open connections are reset. delay: every chunk comes `delay_s` late.
    cut: the request passes, `after_bytes` of its reply too, then both ends are reset.
    blackhole: bytes vanish, connections stay open. answer: `status` in place of what is behind.
    """

    kind: Kind
    matching: re.Pattern[bytes] | None = None
    """Only requests that begin so; None: everything, connections that are open included."""
    after_bytes: int = 0
    delay_s: float = 0.0
    status: int = 503
    times: int | None = None
    """So many exchanges at most."""
    every: int = 1
    """Only each so many-th that matches: 2 never meets a call and its repetition."""
    chance: float = 1.0
    seen: int = 0
    """Exchanges that matched."""
    hits: int = 0
    """Exchanges that it met."""

    def meets(self, request: bytes, chance: random.Random) -> bool:
        """Whether an exchange that begins with these bytes is met; counts it."""
        if self.matching is not None and not self.matching.match(request):
            return False
        self.seen += 1
        if self.seen % self.every or (self.times is not None and self.hits >= self.times):
            return False
        if self.chance < 1 and chance.random() >= self.chance:
            return False
        self.hits += 1
        return True

    @property
    def meets_all(self) -> bool:
        """Whether it also meets what is under way."""
        return self.matching is None and self.times is None and self.every == 1 and self.chance >= 1


@dataclass(eq=False, slots=True)
class _Connection:
    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    fault: Fault | None = None
    passed: int = 0

    def reset(self) -> None:
        for writer in (self.client, self.server):
            writer.transport.abort()


@dataclass(eq=False, slots=True)
class Proxy:
    """From a loopback port of its own to another. Open it with `proxying`."""

    port: int
    upstream_port: int
    loop: asyncio.AbstractEventLoop
    chance: random.Random
    fault: Fault | None = None
    _server: asyncio.Server | None = None
    _connections: set[_Connection] = field(default_factory=set[_Connection])

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"http://{LOOPBACK}:{self.port}"

    def set(self, fault: Fault) -> Fault:
        """From now on; returns it, for its count of hits."""
        self._run(self._set(fault))
        return fault

    def heal(self) -> None:
        """Pass everything on; what a blackhole has swallowed stays lost, so its connections end."""
        self._run(self._set(None))

    @contextmanager
    def failing(self, fault: Fault) -> Generator[Fault]:
        """For as long as the block lasts."""
        self.set(fault)
        try:
            yield fault
        finally:
            self.heal()

    # --- on its loop --------------------------------------------------------------------------

    async def _set(self, fault: Fault | None) -> None:
        healed = self.fault
        self.fault = fault
        if fault is not None and fault.kind == "refuse":
            await self.stop()
        elif self._server is None:
            await self._start()
        if fault is None and healed is not None and healed.kind == "blackhole":
            self._reset_all()

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._accept, LOOPBACK, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Listen no more, and reset what is open. On its loop."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self._reset_all()

    def _reset_all(self) -> None:
        for connection in list(self._connections):
            connection.reset()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            behind = await asyncio.open_connection(LOOPBACK, self.upstream_port)
        except OSError:
            writer.transport.abort()
            return
        connection = _Connection(writer, behind[1])
        self._connections.add(connection)
        try:
            await _first_end(
                self._requests(reader, connection), self._replies(behind[0], connection)
            )
        finally:
            self._connections.discard(connection)
            connection.reset()

    async def _requests(self, reader: asyncio.StreamReader, connection: _Connection) -> None:
        while chunk := await reader.read(_CHUNK_BYTES):
            if _REQUEST.match(chunk):
                met = self.fault is not None and self.fault.meets(chunk, self.chance)
                connection.fault = self.fault if met else None
                connection.passed = 0
            fault = self._fault_of(connection)
            match fault.kind if fault else None:
                case None | "cut":
                    await _pass_on(connection.server, chunk)
                case "delay":
                    assert fault is not None
                    await asyncio.sleep(fault.delay_s)
                    await _pass_on(connection.server, chunk)
                case "blackhole":
                    continue
                case "answer":
                    assert fault is not None
                    await _pass_on(connection.client, _reply(fault.status))
                    await _half_close(connection.client, reader)
                    return
                case "refuse":
                    return

    async def _replies(self, reader: asyncio.StreamReader, connection: _Connection) -> None:
        while chunk := await reader.read(_CHUNK_BYTES):
            fault = self._fault_of(connection)
            if fault is not None and fault.kind == "blackhole":
                continue
            if fault is not None and fault.kind == "delay":
                await asyncio.sleep(fault.delay_s)
            if fault is not None and fault.kind == "cut":
                chunk = chunk[: max(0, fault.after_bytes - connection.passed)]
            connection.passed += len(chunk)
            if chunk:
                await _pass_on(connection.client, chunk)
            if fault is not None and fault.kind == "cut" and connection.passed >= fault.after_bytes:
                return

    def _fault_of(self, connection: _Connection) -> Fault | None:
        if self.fault is not None and self.fault.meets_all:
            return self.fault
        return connection.fault

    # --- from other threads -------------------------------------------------------------------

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self.loop).result(10)


async def _pass_on(writer: asyncio.StreamWriter, chunk: bytes) -> None:
    writer.write(chunk)
    await writer.drain()


async def _half_close(writer: asyncio.StreamWriter, reader: asyncio.StreamReader) -> None:
    """Let the answer be read before the reset: a body may still be on its way to us."""
    if writer.can_write_eof():
        writer.write_eof()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(1.0):
            while await reader.read(_CHUNK_BYTES):
                pass


def _reply(status: int) -> bytes:
    body = b'{"error": {"code": "upstream_error", "message": "proxy", "details": null}}'
    return (
        f"HTTP/1.1 {status} Fault\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    ).encode() + body


async def _first_end(*ways: Awaitable[None]) -> None:
    tasks = [asyncio.ensure_future(way) for way in ways]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def proxying(upstream_port: int, *, seed: int = 0) -> Generator[Proxy]:
    """A proxy in front of that loopback port, which nobody has to listen on yet."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="proxy", daemon=True)
    thread.start()
    proxy = Proxy(0, upstream_port, loop, random.Random(seed))  # noqa: S311 - chance, not secrecy
    try:
        proxy.heal()
        yield proxy
    finally:
        _close(proxy)
        thread.join(10)
        loop.close()


def _close(proxy: Proxy) -> None:
    async def end() -> None:
        proxy.fault = None
        await proxy.stop()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    asyncio.run_coroutine_threadsafe(end(), proxy.loop).result(10)
    proxy.loop.call_soon_threadsafe(proxy.loop.stop)
