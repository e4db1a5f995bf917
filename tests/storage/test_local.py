"""Local storage: objects appear whole, are written once, and a URL opens exactly what it says."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.local import BadSignatureError, LocalStorage
from storage.protocol import Delivery, Storage, StorageFullError

ORIGIN = "http://127.0.0.1:8000"
PNG = Delivery(content_type="image/png", file_name="a b.png", inline=True)


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    """A folder."""
    return LocalStorage(tmp_path, b"k" * 32)


def query_of(url: str) -> dict[str, str]:
    """The query of a signed URL."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


async def test_an_object_appears_whole_at_commit(storage: LocalStorage) -> None:
    upload = await storage.begin_upload()
    await upload.write(b"one ")
    await upload.write(b"two")
    assert await storage.size("w/blobs/x") is None
    await upload.commit("w/blobs/x")
    assert await storage.size("w/blobs/x") == 7
    assert b"".join([chunk async for chunk in storage.read("w/blobs/x")]) == b"one two"


async def test_an_aborted_upload_leaves_nothing(storage: LocalStorage, tmp_path: Path) -> None:
    upload = await storage.begin_upload()
    await upload.write(b"half")
    await upload.abort()
    await upload.abort()
    assert files_in(tmp_path) == []


def files_in(folder: Path) -> list[Path]:
    """All files below a folder."""
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_a_key_is_written_once(storage: LocalStorage) -> None:
    for content, expected in ((b"first", True), (b"other", False)):
        upload = await storage.begin_upload()
        await upload.write(content)
        assert await upload.commit_once("w/j/1/a") is expected
    assert b"".join([c async for c in storage.read("w/j/1/a")]) == b"first"


async def test_delete_is_harmless_where_there_is_nothing(storage: LocalStorage) -> None:
    await storage.delete("w/none")


@pytest.mark.parametrize(
    "key", ["../x", "/x", "a//b", "a/../b", "", ".hidden", "a/./b", "a\x00", "a b"]
)
def test_a_key_that_is_not_ours_is_no_path(storage: LocalStorage, key: str) -> None:
    with pytest.raises(ValueError, match="not a storage key"):
        storage.path(key)


@given(st.text(max_size=40))
def test_no_key_leads_outside_the_folder(key: str) -> None:
    storage = LocalStorage(Path("/nowhere/store"), b"k")
    try:
        path = storage.path(key)
    except ValueError:
        return
    assert path.resolve().is_relative_to("/nowhere/store/objects")


def test_a_signed_get_says_what_is_served(storage: LocalStorage) -> None:
    url = storage.sign_get("w/blobs/x", origin=ORIGIN, delivery=PNG, expires_s=60)
    assert url.startswith(f"{ORIGIN}/files/w/blobs/x?")
    assert storage.verify_get("w/blobs/x", query_of(url)).delivery == PNG


def tampered(name: str, value: str) -> Callable[[dict[str, str]], dict[str, str]]:
    """A query with another value."""
    return lambda query: {**query, name: value}


def without(name: str) -> Callable[[dict[str, str]], dict[str, str]]:
    """A query that lacks a value."""
    return lambda query: {n: v for n, v in query.items() if n != name}


@pytest.mark.parametrize(
    "change",
    [
        tampered("X-Cb-type", "text/html"),
        tampered("X-Cb-inline", "0"),
        tampered("X-Cb-name", "other"),
        tampered("X-Goog-Expires", "999999"),
        tampered("X-Goog-Date", "20990101T000000Z"),
        tampered("X-Cb-Signature", "0" * 64),
        tampered("X-Cb-Signature", "é"),
        without("X-Cb-Signature"),
        without("X-Goog-Expires"),
    ],
)
def test_an_altered_url_opens_nothing(
    storage: LocalStorage, change: Callable[[dict[str, str]], dict[str, str]]
) -> None:
    url = storage.sign_get("w/blobs/x", origin=ORIGIN, delivery=PNG, expires_s=60)
    with pytest.raises(BadSignatureError):
        storage.verify_get("w/blobs/x", change(query_of(url)))


def test_a_url_opens_one_object_and_one_method(storage: LocalStorage) -> None:
    get = query_of(storage.sign_get("w/a", origin=ORIGIN, delivery=PNG, expires_s=60))
    with pytest.raises(BadSignatureError):
        storage.verify_get("w/b", get)
    with pytest.raises(BadSignatureError):
        storage.verify_put("w/a", get)


def test_a_url_expires(storage: LocalStorage) -> None:
    url = storage.sign_get("w/a", origin=ORIGIN, delivery=PNG, expires_s=0)
    time.sleep(1.1)
    with pytest.raises(BadSignatureError):
        storage.verify_get("w/a", query_of(url))


def test_a_signed_put_binds_length_and_type(storage: LocalStorage) -> None:
    signed = storage.sign_put(
        "w/j/1/a", origin=ORIGIN, size_bytes=5, content_type="image/png", expires_s=60
    )
    grant = storage.verify_put("w/j/1/a", query_of(signed.url))
    assert (grant.size_bytes, grant.content_type) == (5, "image/png")
    assert signed.headers == {
        "Content-Length": "5",
        "Content-Type": "image/png",
        "If-None-Match": "*",
    }


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
async def test_a_full_disk_is_said_and_leaves_nothing(storage: LocalStorage) -> None:
    upload = await storage.begin_upload()
    os.close(upload.descriptor)
    upload.descriptor = os.open("/dev/full", os.O_WRONLY)
    with pytest.raises(StorageFullError):
        await upload.write(b"x" * 4_096)
    await upload.abort()


def test_local_storage_is_a_storage(storage: LocalStorage) -> None:
    as_protocol: Storage = storage
    assert as_protocol.local_path("w/a") == storage.path("w/a")
