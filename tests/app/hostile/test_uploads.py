"""Uploads that are malformed, cut or lie about their length: refused, and nothing of them is kept."""

import json
import logging
import time

import pytest

from tests.app.conftest import House
from tests.app.hostile.wire import FILE, TEXTS, Wire, form, part

pytestmark = pytest.mark.usefixtures("nothing_kept")

KIND = "Content-Type: multipart/form-data; boundary=bound"


def named(disposition: str) -> bytes:
    """A file part with another disposition."""
    return part("file", b"x", disposition=disposition)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(form(TEXTS, FILE, FILE), id="two files"),
        pytest.param(form(TEXTS, FILE, part("tags", "late")), id="a part after the file"),
        pytest.param(form(FILE, TEXTS), id="the file first"),
        pytest.param(form(TEXTS, part("file_path", "b.png"), FILE), id="two paths"),
        pytest.param(form(TEXTS, part("content_type", "a/b"), FILE), id="two types"),
        pytest.param(form(TEXTS), id="no file"),
        pytest.param(form(part("content_type", "a/b"), FILE), id="no path"),
        pytest.param(form(part("file_path", "a.png"), FILE), id="no type"),
        pytest.param(form(TEXTS, FILE, end=b""), id="no final boundary"),
        pytest.param(form(TEXTS, FILE, end=b"--bound"), id="half a final boundary"),
        pytest.param(form(TEXTS, FILE, end=b"--bound-"), id="one dash short"),
        pytest.param(form(TEXTS, FILE, end=b"--bounb--\r\n"), id="another final boundary"),
        pytest.param(form(*[part("tags", "t")] * 10_000, TEXTS, FILE), id="ten thousand parts"),
        pytest.param(form(TEXTS, part("tags", "t" * 9_000), FILE), id="a long text"),
        pytest.param(form(TEXTS, part("tags", b"\xff\xfe"), FILE), id="a text that is no UTF-8"),
        pytest.param(form(TEXTS, part("tags", "\x00"), FILE), id="a NUL"),
        pytest.param(form(TEXTS, part("x", "", headers="X: " + "y" * 9_000 + "\r\n"), FILE), id="a long header"),
        pytest.param(form(TEXTS, part("x", "", headers="X: y\r\n" * 1_000), FILE), id="many headers"),
        pytest.param(form(TEXTS, part("x", "", headers="no colon\r\n"), FILE), id="a header that is none"),
        pytest.param(form(part("expected_hash", "blake3:zz"), TEXTS, FILE), id="a hash that is none"),
        pytest.param(form(part("expires_in", "5"), TEXTS, FILE), id="too short a life"),
        pytest.param(form(part("expires_in", "1e3"), TEXTS, FILE), id="a life that is no number"),
        pytest.param(form(part("expires_in", "9" * 5_000), TEXTS, FILE), id="an endless life"),
        pytest.param(form(TEXTS, named("form-data")), id="a file without its name"),
        pytest.param(form(TEXTS, named("form-data; name=\"files\"")), id="another name"),
        pytest.param(b"x" * 50_000 + form(TEXTS, FILE), id="something before the first boundary"),
        pytest.param(b"\r\n" * 50_000, id="nothing but lines"),
    ],
)  # fmt: skip
def test_a_form_that_is_no_upload_is_422(wire: Wire, body: bytes) -> None:
    reply = wire.upload(body)
    assert reply.status == 422, reply.body
    assert reply.code in {"invalid_request", "invalid_hash"}


@pytest.mark.parametrize("size", [1, 2, 7, 4_096])
def test_a_boundary_may_fall_anywhere_between_two_reads(wire: Wire, size: int) -> None:
    body = form(TEXTS, FILE, FILE)
    chunks = [body[i : i + size] for i in range(0, len(body), size)]
    sent = b"".join(b"%x\r\n%b\r\n" % (len(c), c) for c in chunks) + b"0\r\n\r\n"
    head = wire.head("POST", "/api/v2/assets", KIND, "Transfer-Encoding: chunked")
    reply = wire.one(head + sent)
    assert (reply.status, reply.code) == (422, "invalid_request")


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "multipart/mixed; boundary=bound",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "text/html; boundary=bound",
    ],
)
def test_another_content_type_is_415(wire: Wire, content_type: str) -> None:
    body = form(TEXTS, FILE)
    lengths = f"Content-Length: {len(body)}"
    head = wire.head("POST", "/api/v2/assets", f"Content-Type: {content_type}", lengths)
    reply = wire.one(head + body)
    assert (reply.status, reply.code) == (415, "unsupported_media_type")


def test_a_boundary_of_a_thousand_characters_is_422(wire: Wire) -> None:
    kind = f"Content-Type: multipart/form-data; boundary={'b' * 1_000}"
    reply = wire.one(wire.head("POST", "/api/v2/assets", kind, "Content-Length: 0"))
    assert (reply.status, reply.code) == (422, "invalid_request")


@pytest.mark.parametrize("encoding", ["gzip", "br", "GZIP", "identity, gzip"])
def test_a_compressed_upload_is_415(wire: Wire, encoding: str) -> None:
    reply = wire.upload(form(TEXTS, FILE), f"Content-Encoding: {encoding}")
    assert (reply.status, reply.code) == (415, "unsupported_media_type")


def test_bytes_beyond_the_declared_length_are_another_request(wire: Wire) -> None:
    body = form(TEXTS, FILE)
    head = wire.head("POST", "/api/v2/assets", KIND, f"Content-Length: {len(body) - 20}")
    replies = wire.send(head + body, replies=2)
    assert {reply.status for reply in replies} <= {400, 422}
    assert replies, "the rest is no request, which is said"


@pytest.mark.parametrize("left_out", [1, 30, 200])
def test_an_upload_whose_client_goes_away_leaves_nothing_and_no_error(
    wire: Wire, house: House, left_out: int, caplog: pytest.LogCaptureFixture
) -> None:
    body = form(TEXTS, FILE.replace(b"some bytes", b"b" * 300_000))
    head = wire.head("POST", "/api/v2/assets", KIND, f"Content-Length: {len(body)}")
    incoming = house.settings.state / "storage" / "incoming"
    with caplog.at_level(logging.INFO), wire.connect() as connection:
        connection.sendall(head + body[:-left_out])
        until = time.monotonic() + 5
        while left_out < 200 and not list(incoming.glob("*")) and time.monotonic() < until:
            time.sleep(0.01)
        connection.close()
        _wait_for_line(caplog, "POST /api/v2/assets 499")
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING] == []


def test_a_job_whose_client_goes_away_is_not_recorded_and_no_error(
    wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    body = json.dumps({"workflow": {}}).encode()
    kind = "Content-Type: application/json"
    with caplog.at_level(logging.INFO), wire.connect() as connection:
        connection.sendall(wire.head("POST", "/api/v2/jobs", kind, "Content-Length: 900") + body)
        connection.close()
        _wait_for_line(caplog, "POST /api/v2/jobs 499")
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING] == []


def _wait_for_line(caplog: pytest.LogCaptureFixture, line: str) -> None:
    until = time.monotonic() + 5
    while line not in [r.getMessage() for r in caplog.records]:
        assert time.monotonic() < until, [r.getMessage() for r in caplog.records]
        time.sleep(0.01)
