"""Files in object storage: what the front door still answers itself, and what it says when that is away."""

from collections.abc import Generator

import httpx
import pytest
from pydantic import SecretStr

from app.config import Settings
from storage.s3_place import S3Place
from tests.app.conftest import House, opened_house
from tests.storage import servers

BYTES = b"0123456789"


@pytest.fixture
def bucket(settings: Settings) -> Generator[Settings]:
    """Settings of a front door whose files lie in moto."""
    with servers.moto() as server:
        assert isinstance(server.place, S3Place)
        yield settings.model_copy(
            update={
                "s3_bucket": server.place.bucket,
                "s3_endpoint_url": server.place.endpoint_url,
                "aws_access_key_id": server.place.access_key_id,
                "aws_secret_access_key": SecretStr(server.place.secret_access_key or ""),
            }
        )


def error(reply: httpx.Response) -> str:
    """The code of a refusal."""
    return reply.json()["error"]["code"]


def test_a_download_is_led_to_the_bucket_and_its_head_is_answered_here(bucket: Settings) -> None:
    with opened_house(bucket) as house:
        asset = house.alice.upload(BYTES).json()
        path = f"/assets/{asset['id']}/content"
        head = house.alice.http.head(path)
        assert (head.status_code, head.headers["content-length"]) == (200, "10")
        assert head.headers["content-type"] == "image/png"
        assert head.headers["etag"] == f'"{asset["hash"]}"'
        led = house.alice.http.get(path)
        assert (led.status_code, led.is_redirect) == (302, True)
        assert httpx.get(led.headers["location"]).content == BYTES
        run_with_input(house, asset["id"])


def run_with_input(house: House, asset_id: str) -> None:
    """A job whose input and output go by the bucket's own URLs."""
    graph = {
        "1": {
            "class_type": "LoadImage",
            "inputs": {"image": {"__type": "core/ASSET", "info": {"id": asset_id}}},
        },
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}},
    }
    job = house.alice.submit(graph)
    ticket = house.executor.claim()
    assert ticket is not None
    assert httpx.get(ticket["inputs"][0]["url"]).content == BYTES
    house.executor.put_output(b"made")
    house.executor.succeed()
    [output] = house.alice.job(job["id"])["outputs"]
    assert httpx.get(output["url"]).content == b"made"


def test_storage_that_is_away_is_503_and_nothing_is_kept(settings: Settings) -> None:
    away = settings.model_copy(
        update={
            "s3_bucket": "gone",
            "s3_endpoint_url": "http://127.0.0.1:9",
            "aws_access_key_id": "a",
            "aws_secret_access_key": SecretStr("b"),
        }
    )
    with opened_house(away) as house:
        reply = house.alice.upload(BYTES)
        assert (reply.status_code, error(reply)) == (503, "storage_unavailable")
        assert reply.headers["retry-after"] == "2"
        house.alice.submit()
        house.executor.claim()
        registered = house.executor.register_output(size_bytes=3).json()
        told = house.executor.send({"type": "output", "asset_id": registered["asset_id"]})
        assert (told.status_code, error(told)) == (503, "storage_unavailable")
        house.executor.seq -= 1
        house.executor.succeed()  # the run goes on, and may try again
