"""Uploads while the front door is killed again and again: no asset without bytes, no bytes without an owner."""

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import httpx
import pytest
from blake3 import blake3

from tests.running import Running, running

pytestmark = pytest.mark.chaos

UPLOADS = 200
AT_ONCE = 12
KILLS_AT = (30, 80, 130, 180)
"""Four: five within a minute, and the supervisor rightly gives up."""
SWEEP_AFTER_S = 4.0
EAGER = {
    "COMFYBURST_SWEEP_AFTER_S": str(SWEEP_AFTER_S),
    "COMFYBURST_SWEEP_EVERY_S": "1",
}


def content_of(number: int) -> bytes:
    """Bytes that no other upload has."""
    return blake3(str(number).encode()).digest(length=300_000)


def upload(stack: Running, number: int) -> str | None:
    """Upload bytes of its own; the asset's id if that was answered."""
    if number in KILLS_AT:
        stack.kill("front-door")  # with all the others under way
    parts: list[tuple[str, tuple[str | None, str | bytes]]] = [
        ("content_type", (None, "image/png")),
        ("file_path", (None, f"{number}.png")),
        ("file", (f"{number}.png", content_of(number))),
    ]
    try:
        reply = httpx.post(f"{stack.api}/assets", files=parts, headers=stack.auth, timeout=30)
    except httpx.TransportError:
        return None
    return reply.json()["id"] if reply.status_code in {200, 201} else None


@pytest.mark.timeout(180)
def test_killing_the_front_door_during_200_uploads_leaves_nothing_behind(tmp_path: Path) -> None:
    with running(tmp_path / "state", EAGER) as stack:
        with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
            answered = list(pool.map(partial(upload, stack), range(UPLOADS)))
        wait_until_back(stack)
        kept = {n: asset_id for n, asset_id in enumerate(answered) if asset_id}
        assert 0 < len(kept) < UPLOADS, "some were cut, some were not"
        time.sleep(SWEEP_AFTER_S + 3)
        for number, asset_id in kept.items():
            reply = httpx.get(f"{stack.api}/assets/{asset_id}/content", headers=stack.auth)
            assert reply.content == content_of(number), "answered, so kept"
        check_owners(stack)


def wait_until_back(stack: Running) -> None:
    """Until the supervisor has started the front door again."""
    until = time.monotonic() + 30
    while True:
        try:
            if httpx.get(f"{stack.url}/readyz", timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < until
        time.sleep(0.1)


def check_owners(stack: Running) -> None:
    """Every asset has its bytes, whole; every file of storage belongs to a row."""
    storage = stack.state / "storage"
    rows = stack.rows(
        "select b.storage_key, b.blake3, count(a.id) as assets "
        "from app.blobs b left join app.assets a on a.blob_id = b.id group by b.id"
    )
    for row in rows:
        assert row["assets"], "a blob without an asset is swept"
        content = (storage / "objects" / row["storage_key"]).read_bytes()
        assert blake3(content).digest() == row["blake3"]
    owned = {row["storage_key"] for row in rows}
    objects = [path for path in (storage / "objects").rglob("*") if path.is_file()]
    assert {str(path.relative_to(storage / "objects")) for path in objects} == owned
    assert list((storage / "incoming").iterdir()) == []
    assert stack.rows("select * from app.object_deletions") == []
