"""Files in and out, as the official clients send and fetch them."""

import hashlib
from typing import Any

import httpx
import pytest
from blake3 import blake3

from tests.app.conftest import House
from tests.app.jobs.test_job_api import error

BYTES = b"\x89PNG some bytes"
HASH = f"blake3:{blake3(BYTES).hexdigest()}"


def test_an_upload_is_hashed_and_served(house: House) -> None:
    reply = house.alice.upload(BYTES)
    asset = reply.json()
    assert (reply.status_code, asset["created_new"]) == (201, True)
    assert (asset["hash"], asset["size_bytes"]) == (HASH, len(BYTES))
    content = house.alice.http.get(f"/assets/{asset['id']}/content")
    assert content.content == BYTES
    assert content.headers["content-type"] == "image/png"
    assert content.headers["x-content-type-options"] == "nosniff"
    assert httpx.get(asset["url"]).content == BYTES


def test_the_same_bytes_under_the_same_path_are_the_same_asset(house: House) -> None:
    first, again = house.alice.upload(BYTES), house.alice.upload(BYTES)
    assert (again.status_code, again.json()["created_new"]) == (200, False)
    assert again.json()["id"] == first.json()["id"]


def test_the_same_bytes_under_two_paths_are_two_assets(house: House) -> None:
    first, other = house.alice.upload(BYTES, "a.png"), house.alice.upload(BYTES, "b/c.png")
    assert first.json()["id"] != other.json()["id"]
    assert other.json()["file_path"] == "b/c.png"


@pytest.mark.parametrize("colon", [":", "%3A"])
def test_the_stock_upload_begins_with_the_hash(house: House, colon: str) -> None:
    """v2.2: Python sends the colon as it is, TypeScript and comfy-cli encode it."""
    path = f"/api/v2/assets/by-hash/{HASH.replace(':', colon)}"
    request = house.alice.http.build_request("HEAD", house.url + path)
    assert house.alice.http.send(request).status_code == 404
    house.alice.upload(BYTES)
    assert house.alice.http.send(request).status_code == 200
    minted = house.alice.http.post("/assets/from-hash", json={"hash": HASH, "file_path": "z.png"})
    assert (minted.status_code, minted.json()["created_new"]) == (201, False)
    again = house.alice.http.post("/assets/from-hash", json={"hash": HASH, "file_path": "z.png"})
    assert (again.status_code, again.json()["id"]) == (200, minted.json()["id"])


def test_knowing_a_hash_gives_a_stranger_nothing(house: House) -> None:
    house.alice.upload(BYTES)
    bob = house.caller("bob")
    assert bob.http.head(f"/assets/by-hash/{HASH}").status_code == 404
    reply = bob.http.post("/assets/from-hash", json={"hash": HASH})
    assert (reply.status_code, error(reply)["code"]) == (404, "blob_not_found")
    assert bob.upload(BYTES).status_code == 201, "an upload does not tell what others have"


def test_bytes_of_another_hash_are_not_kept(house: House) -> None:
    reply = house.alice.upload(BYTES, expected_hash="blake3:" + "0" * 64)
    assert (reply.status_code, error(reply)["code"]) == (409, "hash_mismatch")
    assert house.alice.http.head(f"/assets/by-hash/{HASH}").status_code == 404


def test_the_expected_hash_is_compared_in_any_case(house: House) -> None:
    assert house.alice.upload(BYTES, expected_hash=HASH.upper()).status_code == 201


@pytest.mark.parametrize(
    ("wanted", "status", "content"),
    [
        ("bytes=0-4", 206, BYTES[:5]),
        ("bytes=-3", 206, BYTES[-3:]),
        ("bytes=5-", 206, BYTES[5:]),
        ("bytes=0-99999", 206, BYTES),
    ],
)
def test_a_range_is_served(house: House, wanted: str, status: int, content: bytes) -> None:
    asset = house.alice.upload(BYTES).json()
    reply = house.alice.http.get(f"/assets/{asset['id']}/content", headers={"Range": wanted})
    assert (reply.status_code, reply.content) == (status, content)
    assert reply.headers["content-range"].endswith(f"/{len(BYTES)}")


@pytest.mark.parametrize("wanted", ["bytes=999-", "bytes=-0", "bytes=9-2"])
def test_a_range_that_cannot_be_is_416(house: House, wanted: str) -> None:
    asset = house.alice.upload(BYTES).json()
    reply = house.alice.http.get(f"/assets/{asset['id']}/content", headers={"Range": wanted})
    assert (reply.status_code, error(reply)["code"]) == (416, "range_not_satisfiable")
    assert reply.headers["content-range"] == f"bytes */{len(BYTES)}"


def test_head_and_etag_spare_the_bytes(house: House) -> None:
    asset = house.alice.upload(BYTES).json()
    path = f"/assets/{asset['id']}/content"
    head = house.alice.http.head(path)
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(BYTES)))
    same = house.alice.http.get(path, headers={"If-None-Match": head.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")


def test_active_content_is_never_shown_in_place(house: House) -> None:
    for name in ("x.html", "x.svg", "x.js", "noextension", "evil.png.html"):
        asset = house.alice.upload(b"<script>", name).json()
        reply = httpx.get(asset["url"])
        assert reply.headers["content-disposition"].startswith("attachment"), name
        assert "sandbox" in reply.headers["content-security-policy"]


def test_a_delete_is_204_once(house: House) -> None:
    asset = house.alice.upload(BYTES).json()
    assert house.alice.http.delete(f"/assets/{asset['id']}").status_code == 204
    again = house.alice.http.delete(f"/assets/{asset['id']}")
    assert (again.status_code, error(again)["code"]) == (404, "asset_not_found")


def test_an_asset_of_a_live_job_is_in_use(house: House) -> None:
    asset = house.alice.upload(BYTES).json()
    job = house.alice.submit(graph_with(asset["id"]))
    reply = house.alice.http.delete(f"/assets/{asset['id']}")
    assert (reply.status_code, error(reply)["code"]) == (409, "asset_in_use")
    house.alice.http.post(f"/jobs/{job['id']}/cancel")
    assert house.alice.http.delete(f"/assets/{asset['id']}").status_code == 204


def graph_with(image: Any) -> dict[str, Any]:
    """A graph that reads a file, by handle or by name."""
    if len(str(image)) == 36:
        image = {"__type": "core/ASSET", "info": {"id": image}}
    return {
        "1": {"class_type": "LoadImage", "inputs": {"image": image}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}},
    }


def fetched(house: House) -> list[bytes]:
    """What the inputs of the next ticket hold, each under the name its graph uses."""
    ticket = house.executor.claim()
    assert ticket is not None
    names = {str(n["inputs"].get("image")) for n in ticket["graph"].values()}
    assert {i["file_name"] for i in ticket["inputs"]} <= names
    contents = [httpx.get(i["url"]).content for i in ticket["inputs"]]
    for content, given in zip(contents, ticket["inputs"], strict=True):
        assert blake3(content).hexdigest() == given["blake3"]
    house.executor.succeed()
    return contents


def test_a_job_gets_the_file_of_its_handle(house: House) -> None:
    asset = house.alice.upload(BYTES).json()
    house.alice.submit(graph_with(asset["id"]))
    assert fetched(house) == [BYTES]


def test_a_file_name_means_the_newest_upload_of_that_path(house: House) -> None:
    house.alice.upload(b"old")
    house.alice.upload(b"new")
    house.alice.submit(graph_with("photo.png"))
    assert fetched(house) == [b"new"]
    house.alice.upload(b"old")
    house.alice.submit(graph_with("photo.png"))
    assert fetched(house) == [b"old"], "uploading again makes it the newest"


@pytest.mark.parametrize(
    "path",
    ["../x", "/x", "a/../b", "C:\\x", "", ".", "a//b", "a\x00b", "a\nb", "x" * 1_001],
)
def test_a_path_that_could_lead_elsewhere_is_refused(house: House, path: str) -> None:
    reply = raw_upload(house, [("content_type", "image/png"), ("file_path", path)], b"x")
    assert reply.status_code == 422, reply.text
    assert error(reply)["code"] in {"invalid_file_path", "invalid_request"}


def test_names_with_quotes_semicolons_and_other_scripts_survive(house: House) -> None:
    for name in ('a"b;c.png', "фото 写真.png"):
        content_of_its_own = name.encode()
        reply = raw_upload(
            house, [("content_type", "image/png"), ("file_path", name)], content_of_its_own
        )
        assert reply.status_code == 201
        assert reply.json()["file_path"] == name
        content = httpx.get(reply.json()["url"])
        assert "\n" not in content.headers["content-disposition"]


def raw_upload(house: House, fields: list[tuple[str, str]], content: bytes) -> httpx.Response:
    """A multipart body written by hand: what a client's library would not send."""
    boundary = hashlib.sha256(content).hexdigest()[:16]
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields
    ]
    parts.append(
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'.encode()
    )
    body = b"".join([*parts, content, f"\r\n--{boundary}--\r\n".encode()])
    return house.alice.http.post(
        "/assets",
        content=body,
        headers={"Content-Type": f"multipart/form-data; boundary={boundary}"},
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--b\r\n",
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nx\r\n--b--\r\n',
        b'--b\r\nContent-Disposition: form-data; name="file_path"\r\n\r\nx\r\n--b--\r\n',
        b"garbage",
        b"--b\r\n" + b"X: " + b"y" * 10_000,
    ],
)
def test_a_malformed_upload_is_422(house: House, body: bytes) -> None:
    reply = house.alice.http.post(
        "/assets", content=body, headers={"Content-Type": "multipart/form-data; boundary=b"}
    )
    assert reply.status_code == 422, reply.text
    assert error(reply)["code"] == "invalid_request"


def test_an_upload_cut_short_keeps_nothing(house: House) -> None:
    body = (
        b'--b\r\nContent-Disposition: form-data; name="content_type"\r\n\r\nimage/png\r\n'
        b'--b\r\nContent-Disposition: form-data; name="file_path"\r\n\r\na.png\r\n'
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nhalf of it'
    )
    reply = house.alice.http.post(
        "/assets", content=body, headers={"Content-Type": "multipart/form-data; boundary=b"}
    )
    assert (reply.status_code, error(reply)["code"]) == (422, "invalid_request")
    incoming = house.settings.state / "storage" / "incoming"
    assert list(incoming.iterdir()) == []
