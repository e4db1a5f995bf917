"""Every storage does the same: objects appear whole, once, and go when they are told to."""

import asyncio
import pickle
import subprocess
import sys

import pytest

from storage.local import LocalStorage
from storage.protocol import StorageError
from storage.s3_upload import PART_BYTES
from tests.storage.servers import Served

LARGE = PART_BYTES + 1


async def test_it_says_that_it_works(served: Served) -> None:
    await served.storage.check()
    assert str(served.storage)


async def test_it_says_how_large_an_object_one_put_can_make(served: Served) -> None:
    assert served.storage.max_put_bytes >= 5 << 30


async def test_only_a_file_of_this_machine_has_a_path(served: Served) -> None:
    key = await served.store(b"bytes")
    path = served.storage.local_path(key)
    is_file_here = isinstance(served.server.place, LocalStorage)
    assert (path is not None and path.read_bytes() == b"bytes") is is_file_here


async def test_an_object_appears_whole_at_commit(served: Served) -> None:
    key = served.new_key()
    upload = await served.storage.begin_upload(key)
    await upload.write(b"one ")
    await upload.write(b"two")
    assert await served.storage.size(key) is None
    assert await upload.commit()
    await upload.abort()
    assert await served.storage.size(key) == 7
    assert await served.content(key) == b"one two"


@pytest.mark.parametrize("size", [0, 1, PART_BYTES, LARGE])
async def test_every_size_is_stored_as_it_came(served: Served, size: int) -> None:
    content = (b"0123456789abcdef!" * (size // 17 + 1))[:size]
    key = await served.store(content)
    assert await served.storage.size(key) == size
    assert await served.content(key) == content


@pytest.mark.parametrize("size", [4, LARGE])
async def test_an_aborted_upload_leaves_nothing(served: Served, size: int) -> None:
    key = served.new_key()
    upload = await served.storage.begin_upload(key)
    await upload.write(b"x" * size)
    await upload.abort()
    await upload.abort()
    assert await served.storage.size(key) is None
    if "unfinished uploads" not in served.server.lacks:
        assert await served.storage.drop_unfinished(-3_600) == 0


@pytest.mark.parametrize("size", [4, LARGE])
async def test_a_key_is_written_once(served: Served, size: int) -> None:
    served.needs("write once")
    key = await served.store(b"a" * size)
    second = await served.storage.begin_upload(key)
    await second.write(b"b" * size)
    assert await second.commit() is False
    assert await served.content(key) == b"a" * size
    if "unfinished uploads" not in served.server.lacks:
        assert await served.storage.drop_unfinished(-3_600) == 0


@pytest.mark.parametrize("size", [4, LARGE])
async def test_of_two_commits_at_once_one_wins(served: Served, size: int) -> None:
    key = served.new_key()
    uploads = [await served.storage.begin_upload(key) for _ in range(2)]
    contents = [b"a" * size, b"b" * size]
    for upload, content in zip(uploads, contents, strict=True):
        await upload.write(content)

    won = await asyncio.gather(*(upload.commit() for upload in uploads))

    # Whatever the server: one of them as a whole, by somebody who was told so.
    stored = await served.content(key)
    assert stored in [
        content for content, is_winner in zip(contents, won, strict=True) if is_winner
    ]
    if "one commit wins" not in served.server.lacks:
        assert sorted(won) == [False, True]


async def test_what_is_not_there_has_no_size_and_no_bytes(served: Served) -> None:
    key = served.new_key()
    assert await served.storage.size(key) is None
    with pytest.raises(StorageError):
        await served.content(key)


async def test_many_objects_are_deleted_at_once(served: Served) -> None:
    kept = await served.store(b"kept")
    keys = [await served.store(b"x") for _ in range(20)]

    await served.storage.delete([*keys, served.new_key()])

    assert [await served.storage.size(key) for key in keys] == [None] * len(keys)
    assert await served.storage.size(kept) == 4


async def test_deleting_nothing_is_harmless(served: Served) -> None:
    await served.storage.delete([])
    await served.storage.delete([served.new_key() for _ in range(1_000)])


async def test_unfinished_uploads_are_dropped(served: Served) -> None:
    served.needs("unfinished uploads")
    key = served.new_key()
    upload = await served.storage.begin_upload(key)
    await upload.write(b"x" * LARGE)

    assert await served.storage.drop_unfinished(-3_600) == 1
    assert await served.storage.drop_unfinished(-3_600) == 0

    with pytest.raises(StorageError):
        await upload.commit()
    await upload.abort()
    assert await served.storage.size(key) is None


async def test_an_upload_on_its_way_is_left_alone(served: Served) -> None:
    served.needs("dates of uploads")
    upload = await served.storage.begin_upload(served.new_key())
    await upload.write(b"x" * LARGE)
    assert await served.storage.drop_unfinished(3_600) == 0
    assert await upload.commit()


def test_a_large_upload_needs_the_memory_of_a_few_parts(served: Served) -> None:
    assert served.server.place is not None
    done = subprocess.run(  # noqa: S603 - ourselves
        [sys.executable, "-m", "tests.storage.measure_upload", served.new_key()],
        input=pickle.dumps(served.server.place),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    peak_bytes = int(done.stdout)
    assert peak_bytes < 3 * PART_BYTES, f"{peak_bytes / 1e6:.1f} MB for an upload of 48 MiB"
