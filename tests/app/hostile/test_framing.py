"""Where a request begins and ends: two readings of one stream of bytes are never possible."""

import pytest

from app.protocol import MAX_HEADER_BYTES
from tests.app.hostile.wire import Wire

pytestmark = pytest.mark.usefixtures("nothing_kept")

CHUNKED = "Transfer-Encoding: chunked"
JSON = "Content-Type: application/json"


@pytest.mark.parametrize(
    "headers",
    [
        (CHUNKED, "Content-Length: 4"),
        ("Content-Length: 4", CHUNKED),
        ("Content-Length: 4", "Content-Length: 5"),
        ("Content-Length: 4, 5",),
        ("Content-Length: -1",),
        ("Content-Length: 0x4",),
        ("Content-Length: +4",),
        ("Content-Length: 99999999999999999999",),
        ("Transfer-Encoding: chunked, gzip",),
        ("Transfer-Encoding: gzip, identity",),
        ("Transfer-Encoding : chunked",),
        (" Transfer-Encoding: chunked",),
        ("Transfer-Encoding:\x0bchunked",),
        ("X: a\x00b",),
        ("X: a\rb",),
        ("No-Colon",),
        ("X\x00Y: z",),
    ],
)
def test_a_body_of_two_lengths_is_no_request(wire: Wire, headers: tuple[str, ...]) -> None:
    smuggled = b"0\r\n\r\nGET /api/v2/jobs HTTP/1.1\r\nHost: localhost\r\n\r\n"
    replies = wire.send(wire.head("POST", "/api/v2/jobs", JSON, *headers) + smuggled, replies=2)
    assert [reply.status for reply in replies] == [400]
    assert replies[0].code == "invalid_http"
    assert replies[0].headers["connection"] == "close"


@pytest.mark.parametrize(
    "line",
    [
        b"GET\t/healthz HTTP/1.1",
        b"GET /healthz HTTP/3.7",
        b"GET http://[evil/ HTTP/1.1",
        b"GET /caf\xc3\xa9 HTTP/1.1",
        b"get /healthz HTTP/1.1",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"CONNECT evil.test:443 HTTP/1.1",
        b"PRI * HTTP/2.0",
    ],
)
def test_a_line_that_is_no_request_gets_the_envelope(wire: Wire, line: bytes) -> None:
    reply = wire.one(line + b"\r\nHost: localhost\r\n\r\n")
    assert (reply.status, reply.code) == (400, "invalid_http")


def test_a_bad_chunk_ends_the_request(wire: Wire) -> None:
    reply = wire.one(wire.head("POST", "/api/v2/jobs", JSON, CHUNKED) + b"zz\r\n{}\r\n0\r\n\r\n")
    assert (reply.status, reply.code) == (400, "invalid_http")


def test_pipelined_requests_are_answered_in_order(wire: Wire) -> None:
    first = wire.head("GET", "/api/v2/jobs")
    second = wire.head("POST", "/api/v2/jobs", JSON, "Content-Length: 2") + b"{}"
    third = wire.head("GET", "/nothing")
    replies = wire.send(first + second + third, replies=3)
    assert [reply.status for reply in replies] == [200, 422, 404]


def test_many_pipelined_requests_are_no_long_header(wire: Wire) -> None:
    request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 900 + b"\r\n\r\n"
    replies = wire.send(request * 60 + request[:500], request[500:], pause_s=0.2, replies=61)
    assert [reply.status for reply in replies] == [200] * 61


@pytest.mark.parametrize("count", [1, 2_000])
def test_headers_over_the_limit_are_431_though_they_come_at_once(wire: Wire, count: int) -> None:
    bomb = [f"X-{i}: {'a' * ((MAX_HEADER_BYTES + 1_000) // count)}" for i in range(count)]
    reply = wire.one(wire.head("GET", "/api/v2/jobs", *bomb))
    assert (reply.status, reply.code) == (431, "headers_too_large")


def test_a_very_long_address_is_431_and_a_long_one_is_404(wire: Wire) -> None:
    reply = wire.one(wire.head("GET", "/" + "a" * MAX_HEADER_BYTES))
    assert (reply.status, reply.code) == (431, "headers_too_large")
    reply = wire.one(wire.head("GET", "/api/v2/" + "a/" * 10_000))
    assert (reply.status, reply.code) == (404, "not_found")


def test_a_request_to_speak_another_protocol_is_answered_in_http(wire: Wire) -> None:
    for upgrade in ("websocket", "h2c"):
        headers = ("Connection: Upgrade", f"Upgrade: {upgrade}", "Sec-WebSocket-Key: x")
        reply = wire.one(wire.head("GET", "/api/v2/jobs", *headers))
        assert reply.status == 200, upgrade


def test_a_client_that_asks_first_hears_continue_then_its_answer(wire: Wire) -> None:
    head = wire.head("POST", "/api/v2/jobs", JSON, "Content-Length: 2", "Expect: 100-continue")
    with wire.connect() as connection:
        connection.sendall(head)
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"{}")
        assert connection.recv(100).startswith(b"HTTP/1.1 422")


def test_a_client_that_asks_first_is_spared_a_body_that_is_too_long(wire: Wire) -> None:
    length = "Content-Length: 999999999"
    reply = wire.one(wire.head("POST", "/api/v2/jobs", JSON, length, "Expect: 100-continue"))
    assert (reply.status, reply.code) == (413, "payload_too_large")


@pytest.mark.parametrize(
    "hosts",
    [
        (),
        ("Host: ",),
        ("Host: evil.test",),
        ("Host: localhost", "Host: evil.test"),
        ("Host: localhost", "Host: localhost"),
        ("Host: localhost:80@evil.test",),
        ("Host: localhost:80/../evil.test",),
        ("Host: localhost:port",),
        ("Host: localhost:",),
        ("Host: user@localhost",),
        ("Host: localhost.evil.test",),
        ("Host: [::1",),
        ("Host: [::1]evil.test",),
        ("Host: lo\u00e7alhost",),
    ],
)
def test_a_host_that_is_not_ours_alone_is_refused(wire: Wire, hosts: tuple[str, ...]) -> None:
    lines = ["GET /api/v2/jobs HTTP/1.1", f"Authorization: Bearer {wire.key}", *hosts, "", ""]
    reply = wire.one("\r\n".join(lines).encode("latin-1"))
    assert (reply.status, reply.code) == (400, "bad_host")


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8000", "127.0.0.1", "[::1]:8000", "[::1]"]
)
def test_our_own_names_are_answered(wire: Wire, host: str) -> None:
    key = f"Authorization: Bearer {wire.key}"
    reply = wire.one(f"GET /api/v2/jobs HTTP/1.1\r\nHost: {host}\r\n{key}\r\n\r\n".encode())
    assert reply.status == 200
