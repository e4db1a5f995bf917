"""`/docs` is whole from our own origin, small, cached, and lets nothing else in."""

import re

import httpx
import pytest

from app.openapi.document import text_of
from infra.openapi import FILE, drift
from tests.app.conftest import House
from tests.app.openapi.contract import contract


def test_the_page_names_only_files_of_ours_and_carries_no_script(house: House) -> None:
    page = httpx.get(f"{house.url}/docs")
    assert page.headers["content-type"].startswith("text/html")
    sources = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert sources
    assert all(re.match(r"docs/|openapi\.json$|data:,$", source) for source in sources)
    assert not re.search(r"<script>|<script [^>]*>[^<]|\bon\w+=|https?://", page.text)


def test_the_policy_lets_nothing_from_elsewhere_in(house: House) -> None:
    policy = httpx.get(f"{house.url}/docs").headers["content-security-policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == "'self'"
    assert rules["connect-src"] == "'self'"
    assert rules["worker-src"] == "blob:"
    assert rules["frame-ancestors"] == "'none'"
    assert "http" not in policy
    assert "unsafe-eval" not in policy


def test_files_of_the_page_are_named_by_content_and_kept_for_ever(house: House) -> None:
    page = httpx.get(f"{house.url}/docs").text
    names = re.findall(r'"(docs/[a-z]+-[0-9a-f]{16}\.(?:js|css))"', page)
    assert len(names) == 3
    for name in names:
        reply = httpx.get(f"{house.url}/{name}")
        assert reply.status_code == 200
        assert reply.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert reply.headers["content-type"].split(";")[0] in {"text/javascript", "text/css"}


def test_redoc_is_sent_compressed_and_without_its_logo_elsewhere(house: House) -> None:
    page = httpx.get(f"{house.url}/docs").text
    [name] = re.findall(r"docs/redoc-[0-9a-f]+\.js", page)
    packed = httpx.get(f"{house.url}/{name}", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["vary"] == "Accept-Encoding"
    assert int(packed.headers["content-length"]) < 400_000
    plain = httpx.get(f"{house.url}/{name}", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.headers["etag"] != packed.headers["etag"]
    assert plain.text == packed.text
    assert "cdn.redoc.ly" not in plain.text


@pytest.mark.parametrize("path", ["docs", "openapi.json", "internal/openapi.json"])
def test_what_is_known_is_not_sent_again(house: House, path: str) -> None:
    first = httpx.get(f"{house.url}/{path}")
    assert first.headers["cache-control"] == "no-cache"
    again = httpx.get(f"{house.url}/{path}", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    head = httpx.head(f"{house.url}/{path}")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["etag"] == first.headers["etag"]


def test_a_file_that_is_not_of_the_page_is_not_there(house: House) -> None:
    reply = httpx.get(f"{house.url}/docs/redoc.js")
    assert (reply.status_code, reply.json()["error"]["code"]) == (404, "not_found")


def test_what_is_served_is_what_is_committed(house: House) -> None:
    served = httpx.get(f"{house.url}/openapi.json")
    assert served.content == FILE.read_bytes(), "run: python -m infra.openapi"


def test_the_check_finds_nothing_and_the_text_is_always_the_same() -> None:
    assert drift() == ""
    assert text_of(contract()) == FILE.read_text()


def test_internals_are_described_to_who_sits_here_alone(house: House) -> None:
    address = f"{house.url}/internal/openapi.json"
    paths = httpx.get(address).json()["paths"]
    assert all(path.startswith("/internal/") for path in paths)
    assert "/internal/claims" in paths
    through_a_proxy = httpx.get(address, headers={"X-Forwarded-For": "203.0.113.9"})
    assert through_a_proxy.status_code == 404
    public = httpx.get(f"{house.url}/openapi.json").json()["paths"]
    assert not any(path.startswith("/internal") for path in public)
