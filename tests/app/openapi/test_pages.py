"""`/docs` is whole from our own origin, small, cached, and lets nothing else in."""

import re
from collections.abc import AsyncGenerator

import httpx
import pytest

from app.config import Settings
from app.main import create_app
from app.openapi.document import text_of
from infra.openapi import FILE, drift
from tests.app.openapi.contract import contract


@pytest.fixture
async def http() -> AsyncGenerator[httpx.AsyncClient]:
    """To an application that was never started: these pages need neither database nor storage."""
    transport = httpx.ASGITransport(create_app(Settings()))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        yield http


async def test_the_page_names_only_files_of_ours_and_carries_no_script(
    http: httpx.AsyncClient,
) -> None:
    page = await http.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    sources = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert sources
    assert all(re.match(r"docs/|openapi\.json$|data:,$", source) for source in sources)
    assert not re.search(r"<script>|<script [^>]*>[^<]|\bon\w+=|https?://", page.text)


async def test_the_policy_lets_nothing_from_elsewhere_in(http: httpx.AsyncClient) -> None:
    policy = (await http.get("/docs")).headers["content-security-policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == "'self'"
    assert rules["connect-src"] == "'self'"
    assert rules["worker-src"] == "blob:"
    assert rules["frame-ancestors"] == "'none'"
    assert "http" not in policy
    assert "unsafe-eval" not in policy


async def test_files_of_the_page_are_named_by_content_and_kept_for_ever(
    http: httpx.AsyncClient,
) -> None:
    page = (await http.get("/docs")).text
    names = re.findall(r'"(docs/[a-z]+-[0-9a-f]{16}\.(?:js|css))"', page)
    assert len(names) == 3
    for name in names:
        reply = await http.get(f"/{name}")
        assert reply.status_code == 200
        assert reply.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert reply.headers["content-type"].split(";")[0] in {"text/javascript", "text/css"}


async def test_redoc_is_sent_compressed_and_without_its_logo_elsewhere(
    http: httpx.AsyncClient,
) -> None:
    page = (await http.get("/docs")).text
    [name] = re.findall(r"docs/redoc-[0-9a-f]+\.js", page)
    packed = await http.get(f"/{name}", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["vary"] == "Accept-Encoding"
    assert int(packed.headers["content-length"]) < 400_000
    plain = await http.get(f"/{name}", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.headers["etag"] != packed.headers["etag"]
    assert plain.text == packed.text
    assert "cdn.redoc.ly" not in plain.text


@pytest.mark.parametrize("path", ["docs", "openapi.json", "internal/openapi.json"])
async def test_what_is_known_is_not_sent_again(http: httpx.AsyncClient, path: str) -> None:
    first = await http.get(f"/{path}")
    assert first.headers["cache-control"] == "no-cache"
    again = await http.get(f"/{path}", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    head = await http.head(f"/{path}")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["etag"] == first.headers["etag"]


async def test_a_file_that_is_not_of_the_page_is_not_there(http: httpx.AsyncClient) -> None:
    reply = await http.get("/docs/redoc.js")
    assert (reply.status_code, reply.json()["error"]["code"]) == (404, "not_found")


async def test_what_is_served_is_what_is_committed(http: httpx.AsyncClient) -> None:
    served = await http.get("/openapi.json")
    assert served.content == FILE.read_bytes(), "run: python -m infra.openapi"


def test_the_check_finds_nothing_and_the_text_is_always_the_same() -> None:
    assert drift() == ""
    assert text_of(contract()) == FILE.read_text()


async def test_internals_are_described_to_who_sits_here_alone(http: httpx.AsyncClient) -> None:
    address = "/internal/openapi.json"
    paths = (await http.get(address)).json()["paths"]
    assert all(path.startswith("/internal/") for path in paths)
    assert "/internal/claims" in paths
    through_a_proxy = await http.get(address, headers={"X-Forwarded-For": "203.0.113.9"})
    assert through_a_proxy.status_code == 404
    public = (await http.get("/openapi.json")).json()["paths"]
    assert not any(path.startswith("/internal") for path in public)
