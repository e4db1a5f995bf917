"""A folder as storage: what only files can do wrong, and URLs that open exactly what they say."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.local import LocalStorage
from storage.protocol import Delivery, StorageError, StorageFullError
from storage.signed_query import BadSignatureError, signed_query

ORIGIN = "http://127.0.0.1:8000"
PNG = Delivery(content_type="image/png", file_name="a b.png", inline=True)
KEY = b"k" * 32


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    """A folder."""
    return LocalStorage(tmp_path / "storage", KEY)


def files_in(folder: Path) -> list[Path]:
    """All files below a folder."""
    return [path for path in folder.rglob("*") if path.is_file()]


# --- files ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key",
    ["../x", "/x", "a//b", "a/../b", "", ".hidden", "a/./b", "a\x00", "a b", "a\n", "x" * 1025],
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


async def test_an_object_lies_where_its_path_says(storage: LocalStorage) -> None:
    upload = await storage.begin_upload("w/a")
    await upload.write(b"bytes")
    assert await upload.commit()
    assert storage.path("w/a").read_bytes() == b"bytes"
    assert storage.local_path("w/a") == storage.path("w/a")
    assert files_in(storage.root) == [storage.path("w/a")]


async def test_a_folder_is_no_object(storage: LocalStorage) -> None:
    upload = await storage.begin_upload("w/j/a")
    await upload.commit()
    assert await storage.size("w/j") is None
    assert await storage.size("w/j/a/b") is None
    await storage.delete(["w/j", "w/j/a/b"])
    assert await storage.size("w/j/a") == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
async def test_a_full_disk_is_said_and_leaves_nothing(storage: LocalStorage) -> None:
    upload = await storage.begin_upload("w/a")
    upload.file.close()
    upload.file = FileIO("/dev/full", "w")
    with pytest.raises(StorageFullError):
        await upload.write(b"x" * 4_096)
    await upload.abort()
    assert files_in(storage.root) == []


async def fill(storage: LocalStorage) -> None:
    upload = await storage.begin_upload("w/large")
    try:
        for _ in range(4):
            await upload.write(b"x" * 500_000)
    finally:
        await upload.abort()


async def check(storage: LocalStorage) -> None:
    await storage.check()


@pytest.mark.parametrize(
    ("what", "most_bytes", "says"), [(fill, 1 << 20, "no room left"), (check, 0, "make room for")]
)
def test_a_quota_that_is_met_is_said_and_nothing_stays(
    storage: LocalStorage, what: Callable[..., object], most_bytes: int, says: str
) -> None:
    """In a process of its own, which may not write larger files."""
    code = (
        "import asyncio, resource; from pathlib import Path;"
        "from tests.storage import test_local as t;"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({most_bytes},) * 2);"
        f"asyncio.run(t.{what.__name__}(t.LocalStorage(Path({str(storage.root)!r}), b'k')))"
    )
    done = subprocess.run(  # noqa: S603 - ourselves
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    last = done.stderr.splitlines()[-1]
    assert "StorageFullError" in last
    assert says in last
    assert files_in(storage.root) == []


async def test_a_writable_folder_passes_its_check(storage: LocalStorage) -> None:
    await storage.check()
    assert files_in(storage.root) == []


async def test_a_folder_that_cannot_be_says_where(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match=rf"let this user write.*{tmp_path}/file"):
        await LocalStorage(tmp_path / "file", KEY).check()


async def test_only_old_unfinished_uploads_are_dropped(storage: LocalStorage) -> None:
    abandoned, alive = [await storage.begin_upload(key) for key in ("w/a", "w/b")]
    hour_ago = time.time() - 3_600
    os.utime(abandoned.path, (hour_ago, hour_ago))

    assert await storage.drop_unfinished(1_800) == 1

    assert not abandoned.path.exists()
    assert await alive.commit()
    with pytest.raises(StorageError):
        await abandoned.commit()
    await abandoned.abort()
    assert await storage.drop_unfinished(1_800) == 0


async def test_an_upload_that_was_aborted_takes_nothing_more(storage: LocalStorage) -> None:
    upload = await storage.begin_upload("w/a")
    await upload.abort()
    with pytest.raises(StorageError):
        await upload.write(b"x")
    with pytest.raises(StorageError):
        await upload.commit()
    assert files_in(storage.root) == []


# --- URLs -------------------------------------------------------------------------------------


def query_of(url: str) -> str:
    """The query of a signed URL."""
    return urlsplit(url).query


def test_a_signed_get_says_what_is_served(storage: LocalStorage) -> None:
    url = storage.sign_get("w/blobs/x", origin=ORIGIN, delivery=PNG, expires_s=60)
    assert url.startswith(f"{ORIGIN}/files/w/blobs/x?")
    assert storage.verify_get("w/blobs/x", query_of(url)).delivery == PNG


def test_the_official_sdk_can_read_the_expiry(storage: LocalStorage) -> None:
    url = storage.sign_get("w/a", origin=ORIGIN, delivery=PNG, expires_s=60)
    assert dict(parse_qsl(query_of(url)))["X-Goog-Expires"] == "60"


@given(st.text(max_size=30), st.sampled_from(["image/png", "text/plain; charset=utf-8"]))
def test_any_name_survives_its_url(name: str, content_type: str) -> None:
    storage = LocalStorage(Path("/nowhere"), KEY)
    delivery = Delivery(content_type, name, inline=False)
    url = storage.sign_get("w/a", origin=ORIGIN, delivery=delivery, expires_s=60)
    assert url.isascii()
    assert storage.verify_get("w/a", query_of(url)).delivery == delivery


Change = Callable[[dict[str, str]], dict[str, str]]


def tampered(name: str, value: str) -> Change:
    """A query with another value."""
    return lambda query: {**query, name: value}


def without(name: str) -> Change:
    """A query that lacks a value."""
    return lambda query: {n: v for n, v in query.items() if n != name}


@pytest.mark.parametrize(
    "change",
    [
        tampered("X-Cb-type", "text/html"),
        tampered("X-Cb-inline", "0"),
        tampered("X-Cb-name", "other"),
        tampered("X-Goog-Expires", "999999"),
        tampered("X-Goog-Expires", "-1"),
        tampered("X-Goog-Expires", "9" * 5_000),
        tampered("X-Goog-Expires", "soon"),
        tampered("X-Goog-Date", "20990101T000000Z"),
        tampered("X-Goog-Date", "yesterday"),
        tampered("X-Cb-Signature", "0" * 64),
        tampered("X-Cb-Signature", "é"),
        tampered("added", "1"),
        without("X-Cb-Signature"),
        without("X-Goog-Expires"),
    ],
)
def test_an_altered_url_opens_nothing(storage: LocalStorage, change: Change) -> None:
    url = storage.sign_get("w/blobs/x", origin=ORIGIN, delivery=PNG, expires_s=60)
    with pytest.raises(BadSignatureError):
        storage.verify_get("w/blobs/x", urlencode(change(dict(parse_qsl(query_of(url))))))


def test_a_value_said_twice_opens_nothing(storage: LocalStorage) -> None:
    query = query_of(storage.sign_get("w/a", origin=ORIGIN, delivery=PNG, expires_s=60))
    for first, second in (("X-Cb-type=text/html&", ""), ("", "&X-Cb-type=image/png")):
        with pytest.raises(BadSignatureError):
            storage.verify_get("w/a", first + query + second)


@pytest.mark.parametrize("expires_s", [-1e30, -1])
def test_a_url_that_never_was_good_opens_nothing(storage: LocalStorage, expires_s: float) -> None:
    url = storage.sign_get("w/a", origin=ORIGIN, delivery=PNG, expires_s=expires_s)
    with pytest.raises(BadSignatureError):
        storage.verify_get("w/a", query_of(url))


def test_what_we_signed_for_something_else_opens_nothing(storage: LocalStorage) -> None:
    query = signed_query(KEY, "GET", "w/a", expires_s=60, bound={"type": "image/png"})
    with pytest.raises(BadSignatureError):
        storage.verify_get("w/a", query)


@given(st.text())
def test_no_query_is_more_than_a_bad_signature(query: str) -> None:
    storage = LocalStorage(Path("/nowhere"), KEY)
    for verify in (storage.verify_get, storage.verify_put):
        with pytest.raises(BadSignatureError):
            verify("w/a", query)


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
