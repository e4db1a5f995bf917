"""How much memory does an upload of 48 MiB take? Prints the bytes; a process of its own, so no other's."""

import asyncio
import pickle
import sys
import tracemalloc
from contextlib import AsyncExitStack

from storage.local import LocalStorage
from storage.protocol import Storage
from storage.s3 import open_s3
from storage.s3_place import S3Place
from storage.s3_upload import PART_BYTES

PIECE = bytes(1 << 16)
SIZE = 6 * PART_BYTES


async def main(key: str, place: LocalStorage | S3Place) -> None:
    """Upload little, then much; nothing stays."""
    async with AsyncExitStack() as stack:
        storage: Storage
        if isinstance(place, S3Place):
            storage = await stack.enter_async_context(open_s3(place))
        else:
            storage = place
        await upload(storage, key, len(PIECE))
        # Not the process's peak: that one counts the memory of whoever started it, too.
        tracemalloc.start()
        await upload(storage, key, SIZE)
        sys.stdout.write(str(tracemalloc.get_traced_memory()[1]))


async def upload(storage: Storage, key: str, size: int) -> None:
    """In pieces, as they come over the network."""
    upload = await storage.begin_upload(key)
    for _ in range(size // len(PIECE)):
        await upload.write(PIECE)
    assert await upload.commit()
    assert await storage.size(key) == size
    await storage.delete([key])


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], pickle.load(sys.stdin.buffer)))  # noqa: S301 - of our parent
