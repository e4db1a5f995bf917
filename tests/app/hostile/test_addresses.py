"""Addresses, ids, methods and parameters that are none: 4xx in the envelope, whoever asks, however."""

from collections.abc import Iterator
from uuid import UUID, uuid4

import httpx
import pytest

from tests.app.conftest import House
from tests.app.front_door import POSTER
from tests.app.hostile.wire import Wire

ROUTES = (
    "/jobs/{id}",
    "/jobs/{id}/workflow",
    "/jobs/{id}/events",
    "/assets/{id}",
    "/assets/{id}/content",
)


@pytest.fixture(scope="module")
def job(house: House) -> Iterator[UUID]:
    """A job of alice's."""
    made = house.alice.submit()
    yield UUID(made["id"])
    house.alice.http.post(f"/jobs/{made['id']}/cancel")


def refused(reply: httpx.Response) -> str:
    """The code of the envelope, which it must be."""
    assert 400 <= reply.status_code < 500, reply.text
    assert reply.headers["x-comfy-request-id"]
    assert set(reply.json()["error"]) == {"code", "message", "details"}
    return reply.json()["error"]["code"]


@pytest.mark.parametrize("route", ROUTES)
def test_an_id_in_any_other_form_names_nothing(house: House, job: UUID, route: str) -> None:
    forms = [
        str(job).upper(),
        job.hex,
        job.urn,
        f"{{{job}}}",
        f"%20{job}",
        f"{job}%20",
        f"{job}%00",
        f"{job}%0a",
        f"{job};v=1",
        f"{job},{job}",
        f"..%2f{job}",
        f"x%2f..%2f{job}",
        f"%2e%2e%2fjobs%2f{job}",
        str(job).replace("-", "\u2010"),
        str(job).translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")),
        "1",
        "-1",
        "null",
        "None",
        "undefined",
        "__proto__",
        "0" * 36,
        "a" * 5_000,
        "%",
        "%zz",
        "%ff",
        "%ed%a0%80",
        "%F0%9F%8F%94",
        "'%20or%201=1--",
        "*",
    ]
    for form in forms:
        code = refused(house.alice.http.get(route.format(id=form)))
        assert code.endswith("not_found"), form


def test_anothers_ids_look_like_no_ids(house: House, job: UUID) -> None:
    bob = house.caller("bob")
    asset = house.alice.upload(b"alice's").json()["id"]
    calls = [
        *[("GET", f"/jobs/{{job}}{rest}") for rest in ("", "/workflow", "/events", "?wait=1")],
        ("POST", "/jobs/{job}/cancel"),
        ("GET", "/assets/{asset}"),
        ("GET", "/assets/{asset}/content"),
        ("HEAD", "/assets/{asset}/content"),
        ("DELETE", "/assets/{asset}"),
    ]
    for method, path in calls:
        foreign = bob.http.request(method, path.format(job=job, asset=asset))
        absent = bob.http.request(method, path.format(job=uuid4(), asset=uuid4()))
        assert foreign.status_code == absent.status_code == 404, path
        assert foreign.content == absent.content
        assert set(foreign.headers) == set(absent.headers)
    assert house.alice.http.get(f"/assets/{asset}").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/api/v2",
        "/api/v2/",
        "/api/v2/jobs/",
        "//api/v2/jobs",
        "/api//v2/jobs",
        "/api/v2/jobs//",
        "/api/v2/../v2/jobs",
        "/api/v2/%2e%2e/v2/jobs",
        "/api/v2/jobs%2f",
        "/api/v2/jobs%00",
        "/api/v2/jobs;a=b",
        "/API/V2/JOBS",
        "/api/v1/jobs",
        "/internal",
        "/internal/claims/x/y",
        "/files/../../etc/passwd",
        "/files/..%2f..%2fetc/passwd",
        "/.env",
        "/.git/config",
    ],
)
def test_an_address_that_is_none_is_404(wire: Wire, path: str) -> None:
    reply = wire.one(wire.head("GET", path))
    assert 400 <= reply.status < 500, reply
    assert reply.code


@pytest.mark.parametrize(
    "method", ["PUT", "PATCH", "DELETE", "TRACE", "OPTIONS", "PROPFIND", "HEAD"]
)
@pytest.mark.parametrize("path", ["/api/v2/jobs", "/api/v2/assets"])
def test_a_method_that_an_address_does_not_know_is_405(wire: Wire, method: str, path: str) -> None:
    reply = wire.one(wire.head(method, path, "Connection: close"))
    assert reply.status == 405, reply
    assert reply.headers["allow"]
    assert reply.headers["x-comfy-request-id"]
    if method != "HEAD":
        assert reply.code == "method_not_allowed"


def test_trace_gives_no_header_back(wire: Wire) -> None:
    assert wire.key.encode() not in wire.one(wire.head("TRACE", "/api/v2/jobs")).body


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("limit=0", 422),
        ("limit=-1", 422),
        ("limit=1e2", 422),
        ("limit=ten", 422),
        ("limit=", 422),
        ("limit=99999999999999999999999", 422),
        ("limit=%00", 422),
        ("cursor=%00", 400),
        ("cursor=%ff%fe", 400),
        ("cursor=" + "A" * 22, 200),
        ("cursor=" + "A" * 10_000, 400),
        ("cursor='; drop table app.jobs; --", 400),
        ("status=running,", 400),
        ("status=RUNNING", 400),
        ("status=%00", 400),
        ("metadata[a]=%ed%a0%80", 200),
        ("metadata[]=x", 200),
        ("metadata[a]=1&metadata[a]=2", 200),
        ("metadata[__proto__]=x", 200),
        ("metadata[" + "k" * 2_000 + "]=x", 200),
        ("nonsense=1&wait[]=2&&=&%", 200),
    ],
)
def test_a_parameter_of_the_list_is_right_refused_or_ignored(
    wire: Wire, query: str, status: int
) -> None:
    reply = wire.one(wire.head("GET", f"/api/v2/jobs?{query}".replace(" ", "%20")))
    assert reply.status == status, reply.body
    assert status == 200 or reply.code


@pytest.mark.parametrize(
    "query",
    ["cursor=bogus!", "cursor=%00", "cursor=" + "A" * 9_000, "cursor=%ff", "previews=maybe"],
)
def test_a_place_in_the_workspaces_stream_that_cannot_be_is_4xx(wire: Wire, query: str) -> None:
    reply = wire.one(wire.head("GET", f"/api/v2/events?{query}"))
    assert reply.status in {400, 422}
    assert reply.code


@pytest.mark.parametrize("wait", ["-1", "nan", "ten", "", "1;2", "0x5", "%00", "true"])
def test_a_wait_that_is_no_number_is_422(wire: Wire, job: UUID, wait: str) -> None:
    reply = wire.one(wire.head("GET", f"/api/v2/jobs/{job}?wait={wait}"))
    assert (reply.status, reply.code) == (422, "invalid_request")


@pytest.mark.parametrize(
    "header",
    [
        "Prefer: wait=ten",
        "Prefer: wait=-5",
        "Prefer: wait=0.5.5",
        "Prefer: return=minimal; foo=\"bar",
        "Prefer: " + "wait," * 5_000,
        "Last-Event-ID: 99999999999999999999",
        "Last-Event-ID: \u00b2",
        "Range: bytes=9-1",
        "If-None-Match: *",
        "Accept: application/xml",
        "Accept-Encoding: gzip;q=nan",
        "X-Request-Id: a\tb c",
        "Cookie: " + "a=b;" * 5_000,
        "Authorization: Basic YTpi",
    ],
)  # fmt: skip
def test_a_header_of_nonsense_is_ignored(wire: Wire, job: UUID, header: str) -> None:
    reply = wire.one(wire.head("GET", f"/api/v2/jobs/{job}", header))
    assert reply.status == 200, reply.body


@pytest.mark.parametrize("value", ["x", "-1", "1.5", "99999999999999999999", "\u00b2", "1 2", "*"])
def test_a_place_in_a_stream_that_cannot_be_is_ignored(
    wire: Wire, house: House, value: str
) -> None:
    made = house.alice.submit()
    house.alice.http.post(f"/jobs/{made['id']}/cancel")
    head = wire.head("GET", f"/api/v2/jobs/{made['id']}/events", f"Last-Event-ID: {value}")
    with wire.connect() as connection:
        connection.sendall(head)
        answer = b""
        while b"canceled" not in answer:
            more = connection.recv(65_536)
            assert more, answer
            answer += more
    assert answer.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("wanted", "status"),
    [
        ("bytes=", 200),
        ("bytes=a-b", 200),
        ("bytes=0-0,2-2", 200),
        ("bytes=" + "0-1," * 2_000, 200),
        ("bytes=0-" + "9" * 5_000, 200),
        ("bytes=\u00b2-3", 200),
        ("lines=1-2", 200),
        ("bytes=-", 416),
        ("bytes=9-1", 416),
        ("bytes=0-999999999", 206),
    ],
)
def test_a_range_is_served_refused_or_ignored(
    wire: Wire, house: House, wanted: str, status: int
) -> None:
    asset = house.alice.upload(b"0123456789").json()["id"]
    reply = wire.one(wire.head("GET", f"/api/v2/assets/{asset}/content", f"Range: {wanted}"))
    assert reply.status == status
    assert reply.code if status == 416 else reply.body == b"0123456789"


@pytest.mark.parametrize(
    "text", ["", "zz", "md5:aa", "blake3:", "blake3:" + "g" * 64, "%00", "a" * 9_000]
)
def test_a_hash_that_is_none_is_nothing_we_have(wire: Wire, text: str) -> None:
    reply = wire.one(wire.head("HEAD", f"/api/v2/assets/by-hash/{text}", "Connection: close"))
    assert reply.status in {404, 405}


@pytest.mark.parametrize("key", ["a" * 256, "\x80", "caf\u00e9"])
def test_an_idempotency_key_that_is_none_is_refused_or_taken_as_text(wire: Wire, key: str) -> None:
    headers = ("Content-Type: application/json", f"Idempotency-Key: {key}")
    reply = wire.submit(b'{"workflow": {}}', *headers)
    assert reply.status in {400, 422}
    assert reply.code


def test_equal_idempotency_keys_of_two_workspaces_never_meet(house: House) -> None:
    bob = house.caller("bob")
    headers = {"Idempotency-Key": "the same"}
    made = [
        caller.http.post("/jobs", json={"workflow": POSTER}, headers=headers)
        for caller in (house.alice, bob)
    ]
    assert [reply.status_code for reply in made] == [201, 201]
    assert made[0].json()["id"] != made[1].json()["id"]
    assert "idempotent-replayed" not in made[1].headers
    for caller, reply in zip((house.alice, bob), made, strict=True):
        caller.http.post(f"/jobs/{reply.json()['id']}/cancel")


@pytest.mark.usefixtures("nothing_kept")
@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.test",
        "null",
        "",
        "http://[",
        "http://[::1",
        "//",
        "://",
        "file://",
        "\x80",
        "a" * 9_000,
    ],
)
def test_another_website_may_not_write(wire: Wire, origin: str) -> None:
    reply = wire.submit(b"{}", "Content-Type: application/json", f"Origin: {origin}")
    assert (reply.status, reply.code) == (403, "foreign_origin")


def test_our_own_pages_may_write(wire: Wire) -> None:
    reply = wire.submit(b"{}", "Content-Type: application/json", f"Origin: {wire.url}")
    assert (reply.status, reply.code) == (422, "invalid_request")
