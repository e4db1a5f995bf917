"""JSON that is too deep, too much, or not quite JSON: a 4xx in the envelope, quickly, and no job."""

import time
from typing import Any

import psutil
import pytest

from tests.app.conftest import House
from tests.app.front_door import POSTER
from tests.app.hostile.wire import Wire

pytestmark = pytest.mark.usefixtures("nothing_kept")

MEBIBYTE = 1 << 20
HANG_S = 30.0
"""What costs more than its length takes minutes: a bound on that, not on the machine."""


def workflow(value: str) -> bytes:
    """A body with one node that holds a value."""
    return f'{{"workflow": {{"1": {{"class_type": "X", "inputs": {{"x": {value}}}}}}}}}'.encode()


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(workflow("NaN"), id="NaN"),
        pytest.param(workflow("-Infinity"), id="Infinity"),
        pytest.param(workflow("1e999"), id="1e999"),
        pytest.param(workflow("-1e999999"), id="-1e999999"),
        pytest.param(workflow("9" * 400), id="an integer beyond all floats"),
        pytest.param(workflow('"\\u0000"'), id="an escaped NUL"),
        pytest.param(workflow('"\x00"'), id="a NUL"),
        pytest.param(workflow('{"\\u0000": 1}'), id="a NUL in a name"),
        pytest.param(workflow('"\\ud800"'), id="half a surrogate pair"),
        pytest.param(workflow('"\\udc00\\ud800"'), id="a pair the wrong way round"),
        pytest.param(workflow('"a\tb"'), id="a raw tab"),
        pytest.param(workflow('"\\x41"'), id="an escape that is none"),
        pytest.param(workflow("01"), id="a leading zero"),
        pytest.param(workflow("+1"), id="a plus"),
        pytest.param(workflow("'a'"), id="single quotes"),
        pytest.param(workflow("[1,]"), id="a trailing comma"),
        pytest.param(workflow("1 // one"), id="a comment"),
        pytest.param(workflow("1") + b"{}", id="two documents"),
        pytest.param(workflow("[" * 64 + "]" * 64), id="too deep"),
        pytest.param(workflow("[" * 10_000 + "]" * 10_000), id="ten thousand deep"),
        pytest.param(workflow("[" * 1_000_000), id="a million open brackets"),
        pytest.param(workflow("[" + "[]," * 300_000 + "[]]"), id="300,000 lists"),
        pytest.param(b"{" + b",".join(b'"%d":1' % i for i in range(400_000)) + b"}", id="400,000 names"),
        pytest.param(b'{"a":"' + b'\\",' * 3_000_000, id="a string without end, full of commas"),
        pytest.param(b'"[,' * 3_000_000, id="three million strings"),
        pytest.param(b"\xef\xbb\xbf" + workflow("1"), id="a byte order mark"),
        pytest.param(workflow("1").decode().encode("utf-16"), id="UTF-16"),
        pytest.param(workflow("1").decode().encode("utf-32-le"), id="UTF-32"),
        pytest.param(workflow('"é"').decode().encode("latin-1"), id="Latin-1"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"null", id="null"),
        pytest.param(b"true", id="true"),
        pytest.param(b"7", id="a number"),
        pytest.param(b'"{}"', id="a string"),
        pytest.param(b"[{}]", id="a list"),
    ],
)  # fmt: skip
def test_what_is_not_quite_json_is_422(wire: Wire, body: bytes) -> None:
    started = time.monotonic()
    reply = wire.submit(body)
    assert (reply.status, reply.code) == (422, "invalid_json"), reply.body
    assert time.monotonic() - started < HANG_S


def test_no_body_makes_the_front_door_grow_by_a_hundred_megabytes(wire: Wire) -> None:
    process = psutil.Process()
    before = process.memory_info().rss
    for body in (b'{"a":[' + b"[]," * 3_000_000 + b"[]]}", b"{" * 9_000_000, b'"[,' * 3_000_000):
        assert wire.submit(body).code == "invalid_json"
    assert process.memory_info().rss - before < 100 * MEBIBYTE


def test_a_text_of_many_commas_is_no_bomb(house: House) -> None:
    graph = {
        **POSTER,
        "1": {"class_type": "Poster", "inputs": {"prompt": "a," * 400_000, "seed": 1}},
    }
    graph["2"] = {"class_type": "Nope", "inputs": {}}
    reply = house.alice.http.post("/jobs", json={"workflow": graph})
    assert reply.json()["error"]["code"] == "invalid_workflow", "it was read"


@pytest.mark.parametrize("declared", [True, False])
def test_one_byte_more_than_ten_megabytes_is_413(wire: Wire, *, declared: bool) -> None:
    body = b" " * 10_000_001
    if declared:
        reply = wire.submit(body)
    else:
        head = wire.head(
            "POST", "/api/v2/jobs", "Content-Type: application/json", "Transfer-Encoding: chunked"
        )
        reply = wire.one(head + b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n")
    assert (reply.status, reply.code) == (413, "payload_too_large")


def test_ten_megabytes_to_the_byte_are_read(wire: Wire) -> None:
    assert wire.submit(b"{}" + b" " * 9_999_998).code == "invalid_request"


@pytest.mark.parametrize(
    "headers",
    [
        ("Content-Type: text/plain",),
        ("Content-Type: application/x-www-form-urlencoded",),
        ("Content-Type: application/jsonp",),
        ("Content-Type: ",),
        ("Accept: application/json",),
        ("Content-Type: application/json", "Content-Encoding: gzip"),
    ],
)
def test_a_body_that_does_not_say_json_is_415(wire: Wire, headers: tuple[str, ...]) -> None:
    reply = wire.submit(b"{}", *headers)
    assert (reply.status, reply.code) == (415, "unsupported_media_type")


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", "latin-1", "utf-16", "nonsense"])
def test_json_is_utf_8_whatever_charset_is_claimed(wire: Wire, charset: str) -> None:
    reply = wire.submit(b"{}", f"Content-Type: application/json; charset={charset}")
    assert (reply.status, reply.code) == (422, "invalid_request")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("priority", True),
        ("priority", "5"),
        ("priority", 0.5),
        ("priority", 10**30),
        ("deadline_s", True),
        ("deadline_s", "60"),
        ("deadline_s", 0),
        ("max_tries", False),
        ("max_tries", 2.5),
        ("metadata", {"a": True}),
        ("metadata", {"a": None}),
        ("metadata", [["a", "b"]]),
        ("metadata", {"a" * 1_025: "b"}),
        ("extra_data", []),
        ("extra_data", {"api_key_comfy_org": 5}),
        ("environment", None),
        ("environment", 5),
        ("__proto__", {"priority": 1}),
    ],
)
def test_a_field_of_another_type_is_422(house: House, field: str, value: Any) -> None:
    reply = house.alice.http.post("/jobs", json={"workflow": POSTER, field: value})
    assert reply.status_code == 422, reply.text
    assert reply.json()["error"]["code"] == "invalid_request"


def test_of_two_equal_names_the_last_is_read_and_the_first_by_nobody(wire: Wire) -> None:
    first = '{"1": {"class_type": "FirstOfTwo", "inputs": {}}}'
    second = '{"1": {"class_type": "SecondOfTwo", "inputs": {}}}'
    reply = wire.submit(f'{{"workflow": {first}, "workflow": {second}}}'.encode())
    assert reply.code == "invalid_workflow"
    assert b"SecondOfTwo" in reply.body
    assert b"FirstOfTwo" not in reply.body
