"""What a worker says about the files of a node: names, types and sizes are ours to decide."""

import unicodedata
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.app.conftest import House


@pytest.fixture
def running(house: House) -> Iterator[str]:
    """A job of alice's that runs; it ends with the test."""
    job = house.alice.submit()
    house.executor.claim()
    yield job["id"]
    house.executor.succeed()


NAMES = [
    "a\r\nSet-Cookie: x=y",
    '"><script>alert(1)</script>.html',
    "rtl\u202egnp.html",
    "../../etc/passwd",
    "..",
    "/etc/passwd",
    "C:\\windows\\x.png",
    "a/b/c.png",
    "a\x1b[2J.png",
    "line\u2028end.png",
    "__proto__",
    "x.png [output]",
    "写" * 80 + ".png",
    "." * 255,
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_a_node_chose_is_a_clean_basename(
    house: House, running: str, name: str
) -> None:
    output_id = house.executor.put_output(b"bytes", name=name)
    [output] = [o for o in house.alice.job(running)["outputs"] if o["id"] == output_id]
    shown: str = output["name"]
    assert shown
    assert not set(shown) & set('/\\\r\n"<>'), shown
    assert shown not in {".", ".."}
    assert not [c for c in shown if unicodedata.category(c) in {"Cc", "Zl", "Zp"}]
    served = httpx.get(output["url"])
    assert served.status_code == 200
    assert "set-cookie" not in served.headers
    assert served.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "name", ["page.html", "drawing.svg", "code.js", "paper.pdf", "noextension"]
)
@pytest.mark.parametrize("claimed", ["image/png", "text/html", "a\r\nb: c"])
def test_active_content_of_a_node_is_never_shown_in_place(
    house: House, running: str, name: str, claimed: str
) -> None:
    output_id = house.executor.put_output(b"<script>", name=name, content_type=claimed)
    [output] = [o for o in house.alice.job(running)["outputs"] if o["id"] == output_id]
    served = httpx.get(output["url"])
    assert served.headers["content-disposition"].startswith("attachment")
    assert served.headers["content-type"].partition(";")[0] != "image/png"
    assert "sandbox" in served.headers["content-security-policy"]


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize(
    "size",
    [-1, 2**63, 10**30, 1_000_000_000_001, "five", None, 1.5, [1]],
)
def test_a_size_that_cannot_be_is_refused_and_the_job_goes_on(house: House, size: Any) -> None:
    reply = house.executor.register_output(size_bytes=size)
    assert 400 <= reply.status_code < 500, reply.text
    assert set(reply.json()["error"]) == {"code", "message", "details"}


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "x" * 256),
        ("name", "a\x00b"),
        ("name", 5),
        ("node_id", "n" * 201),
        ("node_id", "\x00"),
        ("kind", "3d"),
        ("kind", "IMAGE"),
        ("content_type", "c" * 101),
        ("surprise", 1),
    ],
)
def test_a_registration_out_of_range_is_refused(house: House, field: str, value: Any) -> None:
    reply = house.executor.register_output(**{field: value})
    assert reply.status_code == 422, reply.text


def test_a_worker_without_its_token_gets_no_further_than_401(house: House) -> None:
    for method, path in (
        ("PUT", "/internal/environments/local/d1"),
        ("POST", "/internal/claims"),
        ("POST", "/internal/jobs/01970000-0000-7000-8000-000000000000/outputs"),
        ("POST", "/internal/jobs/01970000-0000-7000-8000-000000000000/events"),
    ):
        for token in ("", house.alice.key, "a.b.c", "eyJhbGciOiJub25lIn0.e30."):
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            reply = httpx.request(method, house.url + path, headers=headers, json={})
            assert reply.status_code in {401, 422}, (path, token, reply.text)
            assert "error" in reply.json()
