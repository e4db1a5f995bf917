"""How slowly a body may come: a stalled one is ended, an honest one and a held answer are not."""

import threading
import time
from collections.abc import Generator

import httpx
import pytest

from app.protocol import GuardedProtocol
from tests.app.conftest import House, opened_house
from tests.app.hostile.late import serving_late
from tests.app.hostile.wire import FILE, TEXTS, Wire, form, read_replies

JSON = "Content-Type: application/json"
WINDOW_S = 0.5


class Strict(GuardedProtocol):
    """The same rule over half a second: 100 bytes in each."""

    headers_within_s = 5.0
    body_window_s = WINDOW_S
    min_body_bytes_s = 200.0


@pytest.fixture
def strict(house: House) -> Generator[Wire]:
    """Alice at a front door that loses patience quickly."""
    with opened_house(house.settings, Strict) as impatient:
        yield Wire(impatient.url, house.alice.key)


@pytest.mark.usefixtures("nothing_kept")
def test_a_body_that_stalls_is_408(strict: Wire) -> None:
    reply = strict.one(strict.head("POST", "/api/v2/jobs", JSON, "Content-Length: 9") + b"{")
    assert (reply.status, reply.code) == (408, "request_timeout")


@pytest.mark.usefixtures("nothing_kept")
def test_a_body_of_a_byte_now_and_then_is_408(strict: Wire) -> None:
    head = strict.head("POST", "/api/v2/jobs", JSON, "Content-Length: 900")
    started = time.monotonic()
    [reply] = strict.send(head, *[b" "] * 20, pause_s=WINDOW_S / 5)
    assert (reply.status, reply.code) == (408, "request_timeout")
    assert time.monotonic() - started > WINDOW_S


@pytest.mark.usefixtures("nothing_kept")
def test_an_upload_that_stalls_keeps_nothing(strict: Wire) -> None:
    body = form(TEXTS, FILE)
    kind = "Content-Type: multipart/form-data; boundary=bound"
    head = strict.head("POST", "/api/v2/assets", kind, f"Content-Length: {len(body)}")
    reply = strict.one(head + body[:-30])
    assert (reply.status, reply.code) == (408, "request_timeout")
    time.sleep(0.2)  # the application hears of it


def test_an_upload_a_little_above_the_floor_may_take_many_windows(strict: Wire) -> None:
    slow = b"s" * 1_500
    content = form(TEXTS, FILE.replace(b"some bytes", slow))
    kind = "Content-Type: multipart/form-data; boundary=bound"
    head = strict.head("POST", "/api/v2/assets", kind, f"Content-Length: {len(content)}")
    pieces = [content[i : i + 30] for i in range(0, len(content), 30)]
    [reply] = strict.send(head, *pieces, pause_s=WINDOW_S / 10)
    assert reply.status == 201, reply.body


@pytest.mark.usefixtures("nothing_kept")
def test_two_hundred_slow_bodies_hinder_nobody(strict: Wire) -> None:
    head = strict.head("POST", "/api/v2/jobs", JSON, "Content-Length: 900")
    connections = [strict.connect() for _ in range(200)]
    for connection in connections:
        connection.sendall(head)
    assert httpx.get(f"{strict.url}/healthz", timeout=5).status_code == 200
    codes = {reply.status for c in connections for reply in read_replies(c, 1)}
    for connection in connections:
        connection.close()
    assert codes == {408}


def test_a_held_answer_is_no_slow_body(strict: Wire, house: House) -> None:
    job = house.alice.submit()
    with strict.connect() as connection:
        connection.sendall(strict.head("GET", f"/api/v2/jobs/{job['id']}?wait=2"))
        [reply] = read_replies(connection, 1)
        assert reply.status == 200
        connection.sendall(strict.head("GET", f"/api/v2/jobs/{job['id']}"))
        assert [r.status for r in read_replies(connection, 1)] == [200]
    house.alice.http.post(f"/jobs/{job['id']}/cancel")


def test_while_we_do_not_read_the_client_is_not_slow() -> None:
    size = 2_000_000
    with serving_late(Strict, WINDOW_S * 3) as url, Wire(url, "").connect() as connection:
        wire = Wire(url, "")
        connection.sendall(wire.head("POST", "/", f"Content-Length: {size}"))
        sender = threading.Thread(target=connection.sendall, args=(b"x" * size,))
        sender.start()
        [reply] = read_replies(connection, 1)
        sender.join(5)
    assert (reply.status, reply.body) == (200, str(size).encode())
