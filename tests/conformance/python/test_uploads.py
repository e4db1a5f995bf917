"""Files on their way in: bytes travel once, under every name, and only whole."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from blake3 import blake3
from comfy_sdk import BlobNotFound, Comfy, HashMismatch

from tests.app.conftest import House
from tests.conformance.clients.front import Front
from tests.conformance.python.flavours import Flavour, opened_low
from tests.conformance.python.graphs import inputs_of_the_next_job, poster, reading

BYTES = b"\x89PNG not quite a picture"
HASH = f"blake3:{blake3(BYTES).hexdigest()}"
BY_HASH = f"/api/v2/assets/by-hash/{HASH}"


def test_the_second_run_sends_no_bytes(comfy: Comfy, front: Front, tmp_path: Path) -> None:
    """v2.1, v2.2: HEAD with the raw colon, then a mint of the same asset."""
    path = tmp_path / "photo.png"
    path.write_bytes(BYTES)
    first = comfy.assets.from_file(path).commit()
    assert [str(e) for e in front.exchanges] == [
        f"HEAD {BY_HASH} 404",
        "POST /api/v2/assets 201",
    ]
    front.exchanges.clear()
    again = comfy.assets.from_file(path).commit()
    assert [str(e) for e in front.exchanges] == [
        f"HEAD {BY_HASH} 200",
        "POST /api/v2/assets/from-hash 200",
    ]
    assert again == first


def test_bytes_that_changed_on_the_way_are_refused_once_and_not_kept(
    comfy: Comfy, front: Front, house: House, tmp_path: Path
) -> None:
    """v2.3: 409, nothing kept under either hash, no second attempt."""
    path = tmp_path / "photo.png"
    path.write_bytes(BYTES)
    asset = comfy.assets.from_file(path)
    assert asset.hash == HASH
    path.write_bytes(b"something else")
    with pytest.raises(HashMismatch) as refused:
        asset.commit()
    assert refused.value.http_status == 409
    assert [e.status for e in front.seen("POST")] == [409]
    for content in (BYTES, b"something else"):
        digest = blake3(content).hexdigest()
        assert house.alice.http.head(f"/assets/by-hash/blake3:{digest}").status_code == 404


class Unsized:
    """A stream that does not know its length, as a pipe."""

    def __init__(self, content: bytes) -> None:
        self._rest = content

    def read(self, size: int) -> bytes:
        chunk, self._rest = self._rest[:size], self._rest[size:]
        return chunk


@pytest.mark.parametrize("name", ['a"b;c.png', "写真.png", "photo.png"])
def test_tags_and_any_name_arrive_with_a_body_of_unknown_length(
    flavour: Flavour, front: Front, house: House, name: str
) -> None:
    """v2.4: two parts of `tags`, the file last, chunked."""
    stream: Any = Unsized(BYTES * 10_000)
    with opened_low(flavour, front.url, house.alice.key) as low:
        asset = low.post_assets(stream, "image/png", name, tags=["input", "mine"])
    [upload] = front.seen("POST")
    assert upload.headers["transfer-encoding"] == "chunked"
    assert (asset.file_path, asset.size_bytes) == (name, len(BYTES) * 10_000)
    assert house.alice.http.get(f"/assets/{asset.id}").json()["tags"] == ["input", "mine"]
    assert httpx.get(str(asset.url)).content == BYTES * 10_000


def test_the_same_bytes_under_two_names_are_two_usable_files(comfy: Comfy, house: House) -> None:
    """v2.6: by handle and by plain name."""
    ids = [comfy.assets.from_bytes(BYTES, filename=name).commit() for name in ("a.png", "b/c.png")]
    assert ids[0] != ids[1]
    for image in ("a.png", "b/c.png", comfy.assets.get(ids[0]), comfy.assets.get(ids[1])):
        comfy.submit(reading(image))
        assert inputs_of_the_next_job(house) == [BYTES]


def test_bytes_that_are_an_output_already_still_load_as_an_input(
    comfy: Comfy, house: House
) -> None:
    """v2.6: dedupe never hands out the output's record."""
    comfy.submit(poster())
    house.executor.claim()
    output_id = house.executor.put_output(BYTES, name="out.png")
    house.executor.succeed()
    asset = comfy.assets.from_bytes(BYTES, filename="in.png")
    assert asset.commit() != output_id
    for image in (asset, "in.png"):
        comfy.submit(reading(image))
        assert inputs_of_the_next_job(house) == [BYTES]


def test_a_hash_that_vanished_after_the_probe_is_said(
    comfy: Comfy, front: Front, house: House
) -> None:
    """v2.2: the SDK does not fall back to an upload, so it must hear the right class."""
    from starlette.responses import Response

    front.canned[("HEAD", BY_HASH)] = [Response(status_code=200)]
    with pytest.raises(BlobNotFound):
        comfy.assets.from_bytes(BYTES, filename="a.png").commit()


def test_a_delete_is_heard_once(comfy: Comfy) -> None:
    """v2.3: 204, and then there is no such asset."""
    asset = comfy.assets.from_bytes(BYTES, filename="a.png")
    asset_id = asset.commit()
    asset.delete()
    with pytest.raises(Exception, match="no such asset"):
        comfy.assets.delete(asset_id)
