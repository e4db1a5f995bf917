"""Every storage's signed URLs do the same: exactly what was signed, for as long as it was signed."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import unquote

import httpx
import pytest

from storage.disposition import content_disposition
from storage.protocol import Delivery, SignedRequest
from tests.storage.servers import Served

CONTENT = b"0123456789"
PNG = Delivery(content_type="image/png", file_name="a.png", inline=True)


def sign_put(served: Served, key: str, *, expires_s: float = 60) -> SignedRequest:
    """A PUT of CONTENT as a PNG."""
    return served.storage.sign_put(
        key,
        origin=served.server.origin,
        size_bytes=len(CONTENT),
        content_type="image/png",
        expires_s=expires_s,
    )


def sign_get(served: Served, key: str, *, delivery: Delivery = PNG, expires_s: float = 60) -> str:
    """A GET."""
    return served.storage.sign_get(
        key, origin=served.server.origin, delivery=delivery, expires_s=expires_s
    )


async def put(
    served: Served, signed: SignedRequest, content: bytes = CONTENT, **changes: str
) -> httpx.Response:
    """As an executor puts an output; `changes` to the headers that it was given."""
    changed = {name.replace("_", "-"): value for name, value in changes.items()}
    return await served.http.put(signed.url, content=content, headers={**signed.headers, **changed})


# --- PUT --------------------------------------------------------------------------------------


async def test_a_signed_put_makes_the_object(served: Served) -> None:
    key = served.new_key()
    reply = await put(served, sign_put(served, key))
    assert reply.status_code in {200, 201}, reply.text
    assert await served.content(key) == CONTENT


async def test_a_second_put_of_the_same_url_changes_nothing(served: Served) -> None:
    served.needs("write once")
    key = served.new_key()
    signed = sign_put(served, key)
    await put(served, signed)
    reply = await put(served, signed, b"x" * len(CONTENT))
    assert reply.status_code in {409, 412}
    assert await served.content(key) == CONTENT


async def test_a_put_cannot_replace_what_was_uploaded(served: Served) -> None:
    served.needs("write once")
    key = await served.store(b"uploaded")
    reply = await put(served, sign_put(served, key))
    assert reply.status_code in {409, 412}
    assert await served.content(key) == b"uploaded"


@pytest.mark.parametrize("content", [b"", CONTENT[:-1], CONTENT + b"!"])
async def test_a_put_of_another_length_is_refused(served: Served, content: bytes) -> None:
    served.needs("signatures")
    key = served.new_key()
    reply = await put(served, sign_put(served, key), content, Content_Length=str(len(content)))
    assert 400 <= reply.status_code < 500
    assert await served.storage.size(key) is None


async def test_a_put_that_does_not_say_its_length_is_refused(served: Served) -> None:
    served.needs("signatures")
    key = served.new_key()
    signed = sign_put(served, key)
    headers = {n: v for n, v in signed.headers.items() if n != "Content-Length"}
    reply = await served.http.put(signed.url, content=_streamed(), headers=headers)
    assert 400 <= reply.status_code < 500
    assert await served.storage.size(key) is None


async def _streamed() -> AsyncIterator[bytes]:
    yield CONTENT


async def test_a_put_of_another_type_is_refused(served: Served) -> None:
    served.needs("signatures")
    key = served.new_key()
    reply = await put(served, sign_put(served, key), Content_Type="text/html")
    assert reply.status_code == 403
    assert await served.storage.size(key) is None


async def test_a_put_for_another_key_is_refused(served: Served) -> None:
    served.needs("signatures")
    key, other = served.new_key(), served.new_key()
    signed = sign_put(served, key)
    reply = await put(served, SignedRequest(signed.url.replace(key, other), signed.headers))
    assert reply.status_code == 403
    assert await served.storage.size(other) is None


async def test_a_put_after_its_time_is_refused(served: Served) -> None:
    served.needs("signatures")
    key = served.new_key()
    signed = sign_put(served, key, expires_s=1)
    await asyncio.sleep(2.2)
    assert (await put(served, signed)).status_code == 403
    assert await served.storage.size(key) is None


async def test_a_url_to_get_does_not_let_put(served: Served) -> None:
    served.needs("signatures")
    key = served.new_key()
    reply = await put(served, SignedRequest(sign_get(served, key), {"Content-Type": "image/png"}))
    assert reply.status_code == 403
    assert await served.storage.size(key) is None


# --- GET --------------------------------------------------------------------------------------


@pytest.mark.parametrize("inline", [True, False])
@pytest.mark.parametrize(
    "name",
    [
        "a.png",
        'quo"te.png',
        "semi;colon=1.png",
        "back\\slash.png",
        "a\r\nX-Evil: 1.png",
        "%0d%0aX-Evil: 1.png",
        "日本語 ünï 😀.png",
        "+ & ? # %.png",
    ],
)
async def test_a_file_is_named_and_typed_by_us(served: Served, name: str, *, inline: bool) -> None:
    key = await served.store(b"<script>")
    delivery = Delivery(content_type="application/x-ours", file_name=name, inline=inline)
    reply = await served.http.get(sign_get(served, key, delivery=delivery))
    assert reply.status_code == 200, reply.text
    assert reply.content == b"<script>"
    assert reply.headers["content-type"] == "application/x-ours"
    told = reply.headers["content-disposition"]
    assert told == content_disposition(delivery)
    assert told.startswith("inline;" if inline else "attachment;")
    assert unquote(told.rpartition("''")[2]) == name
    assert "x-evil" not in reply.headers


@pytest.mark.parametrize(
    ("asked", "status", "content", "told"),
    [
        ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=7-99", 206, b"789", "bytes 7-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=10-", 416, None, None),
    ],
)
async def test_parts_of_a_file_can_be_read(
    served: Served, asked: str, status: int, content: bytes | None, told: str | None
) -> None:
    key = await served.store(CONTENT)
    reply = await served.http.get(sign_get(served, key), headers={"Range": asked})
    assert reply.status_code == status
    if content is not None:
        assert (reply.content, reply.headers["content-range"]) == (content, told)


async def test_a_whole_file_says_its_size_and_that_it_has_parts(served: Served) -> None:
    key = await served.store(CONTENT)
    reply = await served.http.get(sign_get(served, key))
    assert reply.headers["content-length"] == "10"
    assert reply.headers["accept-ranges"] == "bytes"
    assert reply.headers["etag"].startswith('"')


async def test_a_head_tells_what_a_get_would_or_is_refused(served: Served) -> None:
    """S3 signs the method too: there a HEAD needs a URL of its own."""
    key = await served.store(CONTENT)
    reply = await served.http.head(sign_get(served, key))
    assert reply.content == b""
    if reply.status_code != 403:
        assert (reply.status_code, reply.headers["content-length"]) == (200, "10")


async def test_a_url_of_nothing_finds_nothing(served: Served) -> None:
    reply = await served.http.get(sign_get(served, served.new_key()))
    assert reply.status_code in {403, 404}  # S3 says 404 only to those who may list the bucket


async def test_without_a_signature_nothing_is_served(served: Served) -> None:
    served.needs("signatures")
    key = await served.store(CONTENT)
    reply = await served.http.get(sign_get(served, key).partition("?")[0])
    assert 400 <= reply.status_code < 500
    assert CONTENT not in reply.content


@pytest.mark.parametrize(
    "change",
    [
        ("image%2Fpng", "text%2Fhtml"),
        ("a.png", "b.png"),
        ("inline", "attachment"),
        ("Expires=60", "Expires=6000"),
        ("Expires=60", "Expires=-60"),
        ("Expires=60", "Expires=99999999999999999999"),
        ("Expires=60", "Expires=60&added=1"),
        ("Date=2", "Date=3"),
        ("Signature=", "Signature=0"),
        ("Signature=", "Signature=%00"),
        ("Signature=", "Gone="),
    ],
)
async def test_an_altered_url_is_refused(served: Served, change: tuple[str, str]) -> None:
    served.needs("signatures")
    key = await served.store(CONTENT)
    url = sign_get(served, key)
    altered = url.replace(*change)
    assert altered != url
    reply = await served.http.get(altered)
    assert 400 <= reply.status_code < 500
    assert reply.content != CONTENT


async def test_a_url_of_another_key_is_refused(served: Served) -> None:
    served.needs("signatures")
    key, other = await served.store(CONTENT), await served.store(CONTENT)
    reply = await served.http.get(sign_get(served, key).replace(key, other))
    assert reply.status_code == 403


async def test_a_url_opens_nothing_after_its_time(served: Served) -> None:
    served.needs("signatures")
    key = await served.store(CONTENT)
    url = sign_get(served, key, expires_s=4)
    assert (await served.http.get(url)).status_code == 200
    await asyncio.sleep(5.2)
    assert (await served.http.get(url)).status_code == 403
