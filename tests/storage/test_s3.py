"""S3 when things go wrong: what is said, how long it takes, and whose object it is afterwards."""

import asyncio
import dataclasses
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncGenerator, Generator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from storage.protocol import Delivery, StorageError, StorageFullError
from storage.s3 import S3Storage, open_s3
from storage.s3_calls import CONNECTIONS
from storage.s3_place import S3Place
from storage.s3_upload import PART_BYTES
from tests.storage.http_doubles import loser, refuser
from tests.storage.servers import moto

PNG = Delivery("image/png", "a.png", inline=True)


@pytest.fixture(scope="module")
def place() -> Generator[S3Place]:
    """A bucket of a simulated S3."""
    with moto() as server:
        assert isinstance(server.place, S3Place)
        yield server.place


@pytest.fixture
async def storage(place: S3Place) -> AsyncGenerator[S3Storage]:
    """The same, open."""
    async with open_s3(place) as storage:
        yield storage


def at(url: str, **changes: Any) -> S3Place:
    """A bucket somewhere else."""
    place = S3Place("b", url, access_key_id="any", secret_access_key="any")
    return dataclasses.replace(place, **changes)


# --- what is said -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "says"),
    [
        (404, "NoSuchBucket", "create it"),
        (403, "AccessDenied", "docs/storage.md"),
        (403, "InvalidAccessKeyId", "does not know this access key"),
        (403, "SignatureDoesNotMatch", "secret"),
        (403, "RequestTimeTooSkewed", "clock"),
        (400, "AuthorizationHeaderMalformed", "region"),
        (400, "SomethingNew", "SomethingNew"),
    ],
)
async def test_a_refusal_says_what_to_do(status: int, code: str, says: str) -> None:
    with refuser(status, code) as server:
        async with open_s3(at(server.url)) as storage:
            with pytest.raises(StorageError, match=says) as raised:
                await storage.check()
    assert server.url in str(raised.value)
    assert not isinstance(raised.value, StorageFullError)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (507, "XMinioStorageFull"),
        (507, ""),
        (400, "XMinioAdminBucketQuotaExceeded"),
        (403, "QuotaExceeded"),
        (413, "EntityTooLarge"),
    ],
)
async def test_no_room_is_told_apart(status: int, code: str) -> None:
    with refuser(status, code) as server:
        async with open_s3(at(server.url)) as storage:
            upload = await storage.begin_upload("w/a")
            await upload.write(b"x")
            with pytest.raises(StorageFullError):
                await upload.commit()


async def test_a_bucket_that_is_not_there_is_said(place: S3Place) -> None:
    async with open_s3(dataclasses.replace(place, bucket="none-such")) as storage:
        with pytest.raises(StorageError, match="no such bucket"):
            await storage.check()


async def test_storage_that_is_away_is_said_soon() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    started = time.monotonic()
    async with open_s3(at(f"http://127.0.0.1:{port}")) as storage:
        with pytest.raises(StorageError, match="does not answer"):
            await storage.size("w/a")
    assert time.monotonic() - started < 15


async def test_half_a_credential_is_no_place() -> None:
    with pytest.raises(StorageError, match="aws_secret_access_key"):
        async with open_s3(at("http://127.0.0.1:1", secret_access_key=None)):
            pass


async def test_a_refused_delete_is_no_success() -> None:
    with refuser(403, "AccessDenied") as server:
        async with open_s3(at(server.url)) as storage:
            with pytest.raises(StorageError):
                await storage.delete(["w/a"])


async def test_a_delete_that_left_one_object_is_no_success() -> None:
    left = "<DeleteResult><Error><Key>w/b</Key><Code>InternalError</Code></Error></DeleteResult>"
    with refuser(200, xml=left) as server:
        async with open_s3(at(server.url)) as storage:
            with pytest.raises(StorageError, match=r"1 of 2 objects.*w/b: InternalError"):
                await storage.delete(["w/a", "w/b"])


async def test_a_commit_that_met_an_object_it_may_not_look_at_is_an_error() -> None:
    with refuser(412, "PreconditionFailed") as server:
        async with open_s3(at(server.url)) as storage:
            upload = await storage.begin_upload("w/a")
            await upload.write(b"x")
            with pytest.raises(StorageError):
                await upload.commit()
    assert [asked.method for asked in server.asked] == ["PUT", "HEAD"]


async def test_a_delete_carries_the_checksum_that_older_servers_want() -> None:
    with refuser(403, "AccessDenied") as server:
        async with open_s3(at(server.url)) as storage:
            with pytest.raises(StorageError):
                await storage.delete(["w/a"])
    [asked] = server.asked
    assert asked.headers["content-md5"]


async def test_uploads_carry_no_trailer_that_others_than_aws_refuse() -> None:
    with refuser(403, "AccessDenied") as server:
        async with open_s3(at(server.url)) as storage:
            upload = await storage.begin_upload("w/a")
            await upload.write(b"x")
            with pytest.raises(StorageError):
                await upload.commit()
    [asked] = server.asked
    assert not {"x-amz-trailer", "x-amz-checksum-crc32", "transfer-encoding"} & asked.headers.keys()
    assert {"content-md5", "if-none-match"} <= asked.headers.keys()


# --- whose object it is -----------------------------------------------------------------------


async def test_a_commit_whose_answer_was_lost_is_still_ours(
    place: S3Place, storage: S3Storage
) -> None:
    assert place.endpoint_url
    with loser(place.endpoint_url, "PUT") as network:
        async with open_s3(dataclasses.replace(place, endpoint_url=network.url)) as through:
            upload = await through.begin_upload("w/lost")
            await upload.write(b"ours")
            assert await upload.commit()
            assert network.lost == 1
    assert await storage.size("w/lost") == 4


@pytest.mark.parametrize("repeated", [None, (404, "NoSuchUpload")])
async def test_a_large_commit_whose_answer_was_lost_is_still_ours(
    place: S3Place, storage: S3Storage, repeated: tuple[int, str] | None
) -> None:
    """Some servers say again that it is complete, others that they know no such upload."""
    assert place.endpoint_url
    await storage.delete(["w/large"])
    with loser(place.endpoint_url, "POST /comfyburst-test/w/large?uploadId", repeated) as network:
        async with open_s3(dataclasses.replace(place, endpoint_url=network.url)) as through:
            upload = await through.begin_upload("w/large")
            await upload.write(b"x" * (PART_BYTES + 1))
            assert await upload.commit()
            assert network.lost == 1
    assert await storage.size("w/large") == PART_BYTES + 1


# --- URLs -------------------------------------------------------------------------------------


async def test_urls_carry_the_name_that_callers_reach(place: S3Place) -> None:
    public = dataclasses.replace(place, public_endpoint_url="https://files.example.com/s3")
    async with open_s3(public) as storage:
        signed = storage.sign_put(
            "w/a", origin="", size_bytes=1, content_type="image/png", expires_s=60
        )
        shown = storage.sign_get("w/a", origin="", delivery=PNG, expires_s=60)
        await storage.check()
    for url in (signed.url, shown):
        assert url.startswith("https://files.example.com/s3/comfyburst-test/w/a?")


async def test_a_put_is_signed_with_its_length_type_and_condition(storage: S3Storage) -> None:
    signed = storage.sign_put(
        "w/a", origin="", size_bytes=5, content_type="image/png", expires_s=60
    )
    query = parse_qs(urlsplit(signed.url).query)
    assert query["X-Amz-SignedHeaders"] == ["content-length;content-type;host;if-none-match"]
    assert query["X-Amz-Expires"] == ["60"]
    assert {name.lower() for name in signed.headers} | {"host"} == set(
        query["X-Amz-SignedHeaders"][0].split(";")
    )


@pytest.mark.parametrize(("asked_s", "given_s"), [(0.5, 1), (60.9, 60), (30 * 86_400, 604_800)])
async def test_a_url_lives_as_long_as_s3_allows(
    storage: S3Storage, asked_s: float, given_s: int
) -> None:
    url = storage.sign_get("w/a", origin="", delivery=PNG, expires_s=asked_s)
    assert parse_qs(urlsplit(url).query)["X-Amz-Expires"] == [str(given_s)]


@pytest.mark.parametrize("key", ["../x", "a//b", "", "a b", "a\n"])
async def test_only_our_keys_are_signed(storage: S3Storage, key: str) -> None:
    with pytest.raises(ValueError, match="not a storage key"):
        storage.sign_get(key, origin="", delivery=PNG, expires_s=60)


# --- what it costs ----------------------------------------------------------------------------


async def test_calls_share_a_few_threads_that_end_with_the_storage(place: S3Place) -> None:
    def threads() -> int:
        return sum(t.name.startswith("s3_") for t in threading.enumerate())

    before = threads()
    async with open_s3(place) as storage:
        await asyncio.gather(*(storage.size(f"w/{n}") for n in range(4 * CONNECTIONS)))
        assert 0 < threads() - before <= CONNECTIONS
    assert threads() == before


async def test_the_clock_is_compared_with_the_servers(storage: S3Storage) -> None:
    assert abs(await storage.clock_skew_s()) < 30


def test_a_front_door_without_s3_does_not_load_boto3() -> None:
    code = "import sys, app.main; print('boto3' in sys.modules or 'botocore' in sys.modules)"
    done = subprocess.run(  # noqa: S603 - ourselves
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
