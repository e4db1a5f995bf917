"""`comfy deploy run` of comfy-cli, unmodified: end to end, and with a worker played by the test."""

import json
import signal
import ssl
import time
from collections.abc import Generator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from starlette.responses import JSONResponse

from app.config import Settings
from tests.app.conftest import House, opened_house
from tests.app.front_door import POSTER
from tests.conformance.clients.authority import Identity, make_identity
from tests.conformance.clients.bucket import bucket
from tests.conformance.clients.comfy_cli import DEPLOYMENT, ORIGIN, Cli, Ran, deployed
from tests.conformance.clients.installed import NEEDS_CLIENTS
from tests.running import Running, running, steps

pytestmark = NEEDS_CLIENTS


@pytest.fixture(scope="module")
def public_stack(tmp_path_factory: pytest.TempPathFactory) -> Generator[Running]:
    """The whole product, reached as the endpoint of a deployment."""
    state = tmp_path_factory.mktemp("stack") / "state"
    with running(state, {"PUBLIC_URL": ORIGIN}) as stack:
        yield stack


@pytest.fixture
def cli(public_stack: Running, tmp_path: Path) -> Generator[Cli]:
    """A user of the whole product."""
    with deployed(tmp_path, public_stack.url, public_stack.api_key) as cli:
        yield cli


@pytest.fixture
def house(settings: Settings) -> Generator[House]:
    """A front door with a worker that does what a test tells it."""
    with opened_house(settings.model_copy(update={"public_url": ORIGIN})) as house:
        yield house


@pytest.fixture
def by_hand(house: House, tmp_path: Path) -> Generator[Cli]:
    """A user of it: alice."""
    with deployed(tmp_path / "cli", house.url, house.alice.key) as cli:
        yield cli


def inverted(image: str) -> dict[str, Any]:
    """A graph that inverts a file."""
    return {
        "1": {"class_type": "LoadImage", "inputs": {"image": image}},
        "2": {"class_type": "ImageInvert", "inputs": {"image": ["1", 0]}},
        "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "inv"}},
    }


def test_a_file_goes_in_and_comes_out_and_is_uploaded_once(cli: Cli) -> None:
    """v2.27: end to end, and once more."""
    name = "夏 'red' photo.png"
    Image.new("RGB", (16, 16), (255, 0, 0)).save(cli.folder / "input" / name)

    first = cli.run(inverted(name))
    uploading = [f"{e.method} {e.path.split('/')[3].split('?')[0]}" for e in cli.front.exchanges]
    assert first.code == 0
    assert first.data["deployment"] == {"id": DEPLOYMENT, "endpointUrl": ORIGIN}
    assert first.data["job"]["status"] == "succeeded"
    assert first.data["metrics"]["execution_ms"] >= 0
    assert uploaded(first) == {"uploaded": 1, "deduped": 0}
    assert uploading[:3] == ["HEAD assets", "POST assets", "POST jobs"]
    [output] = first.data["outputs"]
    assert (output["node_id"], output["type"]) == ("3", "image")
    assert Path(output["path"]) == cli.outputs / output["name"]
    with Image.open(output["path"]) as image:
        assert image.getpixel((0, 0)) == (0, 255, 255)

    cli.front.exchanges.clear()
    second = cli.run(inverted(name), "--no-upload")
    assert second.code == 0
    assert uploaded(second) == {"uploaded": 0, "deduped": 1}
    assert not cli.front.seen("POST", "/api/v2/assets")
    assert len(cli.front.seen("POST", "/api/v2/assets/from-hash")) == 1
    assert len(list(cli.outputs.iterdir())) == 2
    assert cli.control_plane.keys == [cli.environment["COMFY_CLOUD_API_KEY"]] * 2


def uploaded(ran: Ran) -> dict[str, int]:
    """What it says it sent."""
    return {name: ran.data["assets"][name] for name in ("uploaded", "deduped")}


def test_the_event_stream_is_read_to_its_end(cli: Cli, public_stack: Running) -> None:
    """Long enough for previews and for a keep-alive: the command drops a stream it cannot read."""
    ran = cli.run(steps(22, 0.5, 7, preview=True))
    assert ran.code == 0
    job = public_stack.job(ran.data["job"]["id"])
    path = f"/api/v2/jobs/{job['id']}"
    stream, read = (e for e in cli.front.seen("GET") if e.path.startswith(path))
    assert (stream.path, read.path) == (f"{path}/events", f"{path}?wait=20")
    assert read.arrived >= datetime.fromisoformat(job["completed_at"]), "it dropped the stream"


def test_a_failed_job_is_told_with_its_node(cli: Cli) -> None:
    graph = steps(1, 0.0, 3)
    graph["2"] = {
        "class_type": "BurstProbeError",
        "inputs": {"image": ["1", 0], "kind": "ValueError", "message": "boom"},
    }
    ran = cli.run(graph)
    assert (ran.code, ran.error["code"]) == (1, "deploy_job_failed")
    error = ran.error["details"]["job"]["error"]
    assert (error["code"], error["node_id"]) == ("node_error", "2")
    assert "boom" in error["message"]


def test_a_bad_workflow_is_told_in_our_words_and_makes_no_job(house: House, by_hand: Cli) -> None:
    ran = by_hand.run({"1": {"class_type": "NoSuchNode", "inputs": {"x": 1}}})
    assert (ran.code, ran.error["code"]) == (1, "deploy_workflow_invalid")
    assert "NoSuchNode" in ran.error["message"]
    details = ran.error["details"]
    assert (details["http_status"], details["server_code"]) == (422, "invalid_workflow")
    assert details["node_errors"].keys() == {"1"}
    assert house.alice.http.get("/jobs").json()["jobs"] == []


def refusal(code: str) -> JSONResponse:
    """Not now."""
    error = {"code": code, "message": f"said {code}", "details": None}
    return JSONResponse({"error": error}, 429, {"Retry-After": "0"})


def test_a_full_queue_is_tried_again_with_the_same_key(house: House, by_hand: Cli) -> None:
    by_hand.front.canned["POST", "/api/v2/jobs"] = [
        *(refusal("deployment_not_ready"), refusal("queue_full")),
    ]
    assert by_hand.run(POSTER, "--no-wait").data["job"]["status"] == "queued"
    attempts = by_hand.front.seen("POST", "/api/v2/jobs")
    assert [attempt.status for attempt in attempts] == [429, 429, 201]
    assert len({attempt.headers["idempotency-key"] for attempt in attempts}) == 1
    assert len(house.alice.http.get("/jobs").json()["jobs"]) == 1


def test_a_queue_that_stays_full_is_told(by_hand: Cli) -> None:
    by_hand.front.canned["POST", "/api/v2/jobs"] = [refusal("queue_full") for _ in range(3)]
    ran = by_hand.run(POSTER)
    assert (ran.code, ran.error["code"]) == (1, "deploy_rate_limited")
    assert ran.error["message"] == "said queue_full"


def test_a_wrong_key_is_told(by_hand: Cli) -> None:
    ran = by_hand.run(POSTER, COMFY_CLOUD_API_KEY="cb_wrong")
    assert (ran.code, ran.error["code"]) == (1, "deploy_not_signed_in")
    assert ran.error["details"]["http_status"] == 401


def test_outputs_land_in_the_folder_under_their_names(house: House, by_hand: Cli) -> None:
    contents = {"a photo.png": b"one", "夏.webm": b"two", "mesh.glb": b"three"}
    kinds = {"a photo.png": "image", "夏.webm": "video", "mesh.glb": "file"}
    process = by_hand.start(POSTER)
    claim_next(house)
    for name, content in contents.items():
        house.executor.put_output(
            *(content,), name=name, kind=kinds[name], content_type="application/octet-stream"
        )
    house.executor.succeed()
    ran = by_hand.ended(process)
    assert {o["name"]: o["type"] for o in ran.data["outputs"]} == kinds
    assert {path.name: path.read_bytes() for path in by_hand.outputs.iterdir()} == contents


def test_outputs_in_a_bucket_come_from_there_without_the_key(
    settings: Settings, tmp_path: Path
) -> None:
    identity = make_identity(tmp_path, "bucket.test")
    with bucket(identity) as (outside, s3):
        public = settings.model_copy(update={"public_url": ORIGIN, **s3})
        with (
            opened_house(public) as house,
            deployed(tmp_path / "cli", house.url, house.alice.key) as cli,
            httpx.Client(verify=trusting(identity)) as client,
        ):
            process = cli.start(POSTER, **trusted_storage(cli, identity, outside.url))
            claim_next(house)
            with closing(house.executor.client):
                house.executor.client = client
            house.executor.put_output(b"in the bucket", name="b.png")
            house.executor.succeed()
            assert cli.ended(process).code == 0
            assert (cli.outputs / "b.png").read_bytes() == b"in the bucket"
        [download] = outside.seen("GET")
        assert "authorization" not in download.headers


def trusting(identity: Identity) -> ssl.SSLContext:
    """For a worker."""
    return ssl.create_default_context(cafile=str(identity.authority))


def trusted_storage(cli: Cli, identity: Identity, origin: str) -> dict[str, str]:
    """For the command: both authorities, and the bucket beside the deployment."""
    both = cli.folder / "both.pem"
    of_deployment = Path(cli.environment["SSL_CERT_FILE"])
    both.write_bytes(of_deployment.read_bytes() + identity.authority.read_bytes())
    return {
        "SSL_CERT_FILE": str(both),
        "COMFY_DEPLOY_STORAGE_ORIGINS": origin,
        "NO_PROXY": "127.0.0.1",
    }


def claim_next(house: House) -> dict[str, Any]:
    """Start the job that the command is about to submit."""
    until = time.monotonic() + 20
    while (ticket := house.executor.claim()) is None:
        assert time.monotonic() < until, "no job was submitted"
        time.sleep(0.05)
    return ticket


def test_the_partner_key_it_sends_reaches_the_worker_alone(house: House, by_hand: Cli) -> None:
    process = by_hand.start(POSTER)
    ticket = claim_next(house)
    assert ticket["extra_data"] == {"api_key_comfy_org": "partner-key"}
    house.executor.succeed()
    ran = by_hand.ended(process)
    job = house.alice.job(ran.data["job"]["id"])
    assert "partner-key" not in json.dumps(job)


def test_a_job_interrupted_at_the_keyboard_is_canceled(house: House, by_hand: Cli) -> None:
    process = by_hand.start(POSTER)
    ticket = claim_next(house)
    job_id = ticket["job_id"]
    while not by_hand.front.seen("GET", f"/api/v2/jobs/{job_id}/events"):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    ran = by_hand.ended(process)
    assert (ran.code, ran.error["code"]) == (130, "cancelled")
    assert ran.error["details"] == {"job_id": job_id, "cancel_requested": True}
    assert house.alice.job(job_id)["status"] == "canceling"


def test_a_job_past_its_timeout_is_canceled(house: House, by_hand: Cli) -> None:
    ran = by_hand.run(POSTER, "--timeout", "0.5")
    assert ran.code == 1
    assert ran.error["details"]["timeout"] == 0.5
    assert house.alice.job(ran.error["details"]["job_id"])["status"] == "canceled"


def test_a_job_canceled_by_somebody_else_is_told(house: House, by_hand: Cli) -> None:
    process = by_hand.start(POSTER)
    ticket = claim_next(house)
    house.alice.http.post(f"/jobs/{ticket['job_id']}/cancel")
    house.executor.send({"type": "canceled"})
    ran = by_hand.ended(process)
    assert (ran.code, ran.error["code"]) == (1, "deploy_job_canceled")
