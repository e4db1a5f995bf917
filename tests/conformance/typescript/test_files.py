"""Files of the TypeScript SDK: what is uploaded, what is not, and what comes down."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from blake3 import blake3
from starlette.responses import RedirectResponse

from app.config import Settings
from tests.app.conftest import House, opened_house
from tests.conformance.clients.bucket import bucket
from tests.conformance.clients.front import Front, fronting
from tests.conformance.clients.installed import CLIENTS, NEEDS_CLIENTS
from tests.conformance.clients.node import Sdk

pytestmark = NEEDS_CLIENTS

AWKWARD_NAMES = (
    "夏の 写真.png",
    'a "quoted"; name.png',
    "sub/folder/ünï 😀.png",
    "it's 100% & more + #1.png",
)


def commit(sdk: Sdk, *files: tuple[str, str]) -> list[dict[str, Any]]:
    """Commit files of that name and text, in one program."""
    return sdk.run("commit", json.dumps(files))


def test_known_bytes_are_not_uploaded_again(front: Front, sdk: Sdk) -> None:
    [first] = commit(sdk, ("a.txt", "the same"))
    uploading = [str(exchange) for exchange in front.exchanges]
    front.exchanges.clear()
    [second] = commit(sdk, ("a.txt", "the same"))
    assert second["id"] == first["id"]
    assert (first["createdNew"], second["createdNew"]) == (True, False)
    by_hash = f"/api/v2/assets/by-hash/blake3%3A{blake3(b'the same').hexdigest()}"
    read = f"GET /api/v2/assets/{first['id']} 200"
    assert uploading == [f"HEAD {by_hash} 404", "POST /api/v2/assets 201", read]
    assert [str(exchange) for exchange in front.exchanges] == [
        f"HEAD {by_hash} 200",
        "POST /api/v2/assets/from-hash 200",
        read,
    ]


def test_bytes_of_two_names_are_two_files(sdk: Sdk) -> None:
    one, two = commit(sdk, ("one.txt", "shared"), ("two.txt", "shared"))
    assert one["hash"] == two["hash"]
    assert one["id"] != two["id"]
    assert (one["filePath"], two["filePath"]) == ("one.txt", "two.txt")


def test_names_arrive_as_they_are(sdk: Sdk) -> None:
    committed = commit(sdk, *((name, name) for name in AWKWARD_NAMES))
    assert [file.get("filePath", file) for file in committed] == list(AWKWARD_NAMES)


def test_tags_may_be_repeated(house: House, sdk: Sdk) -> None:
    digest = f"blake3:{blake3(b'tagged').hexdigest()}"
    asset, known = sdk.run("upload", "t.txt", "tagged", digest.upper(), "one", "two")
    assert (asset["filePath"], asset["hash"], asset["size"]) == ("t.txt", digest, 6)
    assert known == {"known": True}
    assert house.alice.http.get(f"/assets/{asset['id']}").status_code == 200


def test_a_wrong_hash_is_refused_and_nothing_is_kept(front: Front, sdk: Sdk) -> None:
    wrong = f"blake3:{blake3(b'expected').hexdigest()}"
    refused, known = sdk.run("upload", "w.txt", "received", wrong)
    assert refused == {"error": "HashMismatch", "code": "hash_mismatch", "status": 409}
    assert known == {"known": False}
    assert len(front.seen("POST")) == 1
    [received] = commit(sdk, ("w.txt", "received"))
    assert received["createdNew"] is True


def test_a_file_is_deleted_once_and_not_while_a_job_needs_it(house: House, sdk: Sdk) -> None:
    free, held = (file["id"] for file in commit(sdk, ("a.png", "a"), ("b.png", "b")))
    house.alice.submit(loading({"__type": "core/ASSET", "info": {"id": held}}))
    gone, again, in_use = sdk.run("delete", free, free, held)
    assert gone == {"deleted": free}
    assert (again["error"], again["code"]) == ("NotFound", "asset_not_found")
    assert (in_use["error"], in_use["code"], in_use["status"]) == (
        *("ComfyError", "asset_in_use", 409),
    )


def loading(image: Any) -> dict[str, Any]:
    """A graph that loads a file."""
    return {
        "1": {"class_type": "LoadImage", "inputs": {"image": image}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "p"}},
    }


@pytest.fixture
def finished(house: House) -> dict[str, Any]:
    """A job with one output of ten bytes."""
    return finish(house)


def finish(house: House) -> dict[str, Any]:
    """Submit a job and do it."""
    job = house.alice.submit()
    house.executor.claim()
    house.executor.put_output(b"0123456789", name="digits.png")
    house.executor.succeed()
    return house.alice.job(job["id"])


def test_an_output_comes_whole_or_in_part(
    front: Front, sdk: Sdk, finished: dict[str, Any], tmp_path: Path
) -> None:
    whole, start, end, beyond, link = sdk.run("fetch", finished["id"], str(tmp_path))
    assert (whole, start, end) == ("0123456789", "01234", "23456789")
    assert (beyond["code"], beyond["status"]) == ("range_not_satisfiable", 416)
    content = f"/api/v2/assets/{finished['outputs'][0]['id']}/content"
    assert link == {"url": front.url + content, "expiresAt": None}


def test_a_key_does_not_follow_an_output_to_another_origin(
    front: Front, sdk: Sdk, house: House, finished: dict[str, Any], tmp_path: Path
) -> None:
    [output] = finished["outputs"]
    signed = urlsplit(str(output["url"]))
    with fronting(house.url) as elsewhere:
        location = f"{elsewhere.url}{signed.path}?{signed.query}"
        content = f"/api/v2/assets/{output['id']}/content"
        front.canned["GET", content] = [RedirectResponse(location, 302) for _ in range(5)]
        whole, start, *_, link = sdk.run("fetch", finished["id"], str(tmp_path))
        assert (whole, start) == ("0123456789", "01234")
        assert link["url"] == location
        told, said = (
            datetime.fromisoformat(t) for t in (link["expiresAt"], output["url_expires_at"])
        )
        assert abs((told - said).total_seconds()) < 2
        assert [e.headers.get("range") for e in elsewhere.exchanges] == [
            *(None, "bytes=0-4", "bytes=2-1000", "bytes=1000-2000"),
        ]
        assert not any("authorization" in e.headers for e in elsewhere.exchanges)
    assert all("authorization" in e.headers for e in front.exchanges)


def test_an_output_in_a_bucket_comes_from_there_without_the_key(
    programs: None, settings: Settings, tmp_path: Path
) -> None:
    with bucket() as (outside, s3), opened_house(settings.model_copy(update=s3)) as house:
        job = finish(house)
        outside.exchanges.clear()
        sdk = Sdk(CLIENTS, house.url, house.alice.key)
        whole, start, end, beyond, link = sdk.run("fetch", job["id"], str(tmp_path))
        asked = [exchange.headers for exchange in outside.exchanges]
        assert (whole, start, end, beyond["status"]) == ("0123456789", "01234", "23456789", 416)
        assert len(asked) == 4, "a link is made without asking the bucket"
        assert not any("authorization" in headers for headers in asked)
        assert link["url"].startswith(outside.url + "/")
        assert httpx.get(link["url"]).content == b"0123456789"
