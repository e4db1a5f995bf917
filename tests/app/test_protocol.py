"""Headers end at 32 KiB and must come in time, on a real socket."""

import socket
from urllib.parse import urlsplit

import pytest

from app.config import Settings
from app.protocol import MAX_HEADER_BYTES, GuardedProtocol
from tests.app.conftest import House
from tests.app.front_door import serving


class Impatient(GuardedProtocol):
    """Waits for headers only a moment."""

    headers_within_s = 0.2


def connect(url: str) -> socket.socket:
    """A bare connection."""
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname or "", parts.port or 0), timeout=5)


def test_headers_of_ten_megabytes_are_cut(house: House) -> None:
    with connect(house.url) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ")
        with pytest.raises(OSError):  # noqa: PT011 - reset or broken pipe, as the system likes
            client.sendall(b"a" * 10_000_000)


def test_headers_a_little_too_long_are_431(house: House) -> None:
    with connect(house.url) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * MAX_HEADER_BYTES)
        assert client.recv(64).startswith(b"HTTP/1.1 431")


def test_a_half_sent_request_line_is_closed(settings: Settings) -> None:
    with serving(settings, Impatient) as url, connect(url) as client:
        client.sendall(b"GET /heal")
        assert client.recv(64) == b""


def test_two_requests_on_one_connection_are_answered(house: House) -> None:
    request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with connect(house.url) as client:
        for _ in range(2):
            client.sendall(request)
            answer = b""
            while not answer.endswith(b'{"status":"ok"}'):  # its head may come alone
                answer += client.recv(4_096)
            assert answer.startswith(b"HTTP/1.1 200")
