"""TCP in between: a relay that cuts one connection at a chosen byte, and a CONNECT proxy."""

import socket
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from socketserver import BaseRequestHandler, ThreadingTCPServer

CHUNK_BYTES = 65_536


@dataclass(slots=True)
class Relay:
    """Passes bytes to `port`; cuts the first connection whose answer holds `cut_after`."""

    port: int
    cut_after: bytes = b""
    cuts: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def handle(self, client: socket.socket) -> None:
        """One connection."""
        with socket.create_connection(("127.0.0.1", self.port)) as server:
            both_ways(client, server, self)

    def passes(self, seen: bytes, chunk: bytes) -> tuple[bytes, bool]:
        """What of a chunk is passed on after `seen`, and whether it ends there."""
        with self._lock:
            end = (seen + chunk).find(self.cut_after) if self.cut_after and not self.cuts else -1
            if end < 0:
                return chunk, False
            self.cuts += 1
            return chunk[: max(0, end + len(self.cut_after) - len(seen))], True


@dataclass(slots=True)
class Tunnel:
    """An HTTP proxy that knows CONNECT and a few names; asked for another, it refuses."""

    ports: Mapping[str, int]
    refused: list[str] = field(default_factory=list[str])

    def handle(self, client: socket.socket) -> None:
        """One connection."""
        request = b""
        while b"\r\n\r\n" not in request:
            chunk = client.recv(CHUNK_BYTES)
            if not chunk:
                return
            request += chunk
        method, name, _ = request.split(b"\r\n")[0].decode().split(" ", 2)
        if method != "CONNECT" or name not in self.ports:
            self.refused.append(f"{method} {name}")
            client.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            return
        with socket.create_connection(("127.0.0.1", self.ports[name])) as server:
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            both_ways(client, server, Relay(self.ports[name]))


def both_ways(client: socket.socket, server: socket.socket, relay: Relay) -> None:
    """Until either side ends, or the relay cuts."""

    def upwards() -> None:
        with suppress(OSError):
            while chunk := client.recv(CHUNK_BYTES):
                server.sendall(chunk)
        _end(server)

    thread = threading.Thread(target=upwards, daemon=True)
    thread.start()
    seen = b""
    with suppress(OSError):
        while chunk := server.recv(CHUNK_BYTES):
            passed, is_cut = relay.passes(seen, chunk)
            client.sendall(passed)
            if is_cut:
                break
            seen = (seen + chunk)[-len(relay.cut_after or b".") :]
    _end(client)
    _end(server)
    thread.join(10)


def _end(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)


@contextmanager
def listening(handler: Relay | Tunnel) -> Generator[int]:
    """Let it serve a loopback port; yields that."""

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            handler.handle(self.request)

    class Server(ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join(10)
