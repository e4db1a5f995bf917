"""The whole product with its files in a real S3 server: in by the SDK, out by signed URLs, nothing beside."""

import io
from collections.abc import Generator
from pathlib import Path

import httpx
import pytest
from comfy_sdk import Comfy, Workflow
from PIL import Image

from infra.s3server.running import S3Server
from tests.running import POSTER, Running, running
from tests.storage.http_doubles import Recorder, recorder
from tests.storage.servers import BUCKET, swift_server

pytestmark = [pytest.mark.stack, pytest.mark.s3server]


@pytest.fixture(scope="module")
def swift(tmp_path_factory: pytest.TempPathFactory) -> Generator[S3Server]:
    """A real S3 server."""
    with swift_server(tmp_path_factory.mktemp("swift") / "server") as server:
        yield server


@pytest.fixture(scope="module")
def outside(swift: S3Server) -> Generator[Recorder]:
    """The name under which callers and workers reach it; keeps what they asked."""
    with recorder(swift.endpoint_url) as outside:
        yield outside


@pytest.fixture(scope="module")
def stack(
    swift: S3Server, outside: Recorder, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Running]:
    """The product, told of the bucket and of nothing else."""
    environment = {
        "S3_BUCKET": BUCKET,
        "S3_ENDPOINT_URL": swift.endpoint_url,
        "S3_PUBLIC_ENDPOINT_URL": outside.url,
        "AWS_ACCESS_KEY_ID": swift.access_key_id,
        "AWS_SECRET_ACCESS_KEY": swift.secret_access_key,
    }
    with running(tmp_path_factory.mktemp("stack") / "state", environment) as stack:
        yield stack


@pytest.fixture
def client(stack: Running, monkeypatch: pytest.MonkeyPatch) -> Generator[Comfy]:
    """The official SDK, as its documentation says."""
    monkeypatch.setenv("COMFY_BASE_URL", stack.url)
    monkeypatch.setenv("COMFY_API_KEY", stack.api_key)
    with Comfy() as client:
        yield client


def test_a_poster_goes_into_the_bucket_and_comes_out_of_it(
    client: Comfy, stack: Running, outside: Recorder
) -> None:
    outside.asked.clear()
    [output] = client.run(Workflow(POSTER)).outputs

    content = output.to_bytes()
    assert Image.open(io.BytesIO(content)).size == (256, 256)
    assert output.to_bytes(range=(1, 3)) == content[1:4] == b"PNG"

    [put, thumbnail, *gets] = outside.asked
    assert [asked.method for asked in outside.asked] == ["PUT", "PUT", "GET", "GET"]
    assert thumbnail.headers["content-type"] == "image/webp"
    assert put.headers["if-none-match"] == "*"
    assert put.headers["content-length"] == str(len(content))
    assert gets[1].headers["range"] == "bytes=1-3"
    assert not (stack.state / "storage").exists()


def test_no_credential_of_ours_leaves_the_front_door(
    client: Comfy, stack: Running, outside: Recorder, swift: S3Server
) -> None:
    [output] = client.run(Workflow(POSTER)).outputs
    output.to_bytes()
    assert outside.asked
    for asked in outside.asked:
        assert "authorization" not in asked.headers
        assert stack.api_key not in f"{asked.path} {asked.headers}"
    for service in ("front-door", "worker"):
        assert swift.secret_access_key not in stack.log(service)


def test_an_uploaded_file_is_read_from_the_bucket_by_the_job(
    client: Comfy, outside: Recorder, tmp_path: Path
) -> None:
    outside.asked.clear()
    path = tmp_path / "red.png"
    Image.new("RGB", (16, 16), (255, 0, 0)).save(path)
    asset = client.assets.from_file(path)
    graph = {
        "1": {"class_type": "LoadImage", "inputs": {"image": asset}},
        "2": {"class_type": "ImageInvert", "inputs": {"image": ["1", 0]}},
        "3": {
            "class_type": "SaveImage",
            "inputs": {"images": ["2", 0], "filename_prefix": "inverted"},
        },
    }

    [output] = client.run(Workflow(graph)).outputs

    picture = Image.open(io.BytesIO(output.to_bytes())).convert("RGB")
    assert picture.getpixel((0, 0)) == (0, 255, 255)
    # The upload went through the front door; the worker read it, and wrote what it made of it. So
    # small a picture is its own thumbnail.
    assert [asked.method for asked in outside.asked] == ["GET", "PUT", "GET"]


def test_a_download_url_works_for_whoever_holds_it(client: Comfy, outside: Recorder) -> None:
    [output] = client.run(Workflow(POSTER)).outputs
    link = output.get_download_url()
    assert link.url.startswith(f"{outside.url}/{BUCKET}/")
    assert link.expires_at is None  # the SDK reads X-Goog-*, S3 says X-Amz-*
    reply = httpx.get(link.url, trust_env=False)
    assert reply.content == output.to_bytes()
    assert reply.headers["content-type"] == "image/png"
    assert reply.headers["content-disposition"].startswith(f'inline; filename="{output.name}"')


def test_the_front_door_says_where_the_files_are(stack: Running) -> None:
    assert f"files are kept in bucket {BUCKET} at http://127.0.0.1:" in stack.log("front-door")
