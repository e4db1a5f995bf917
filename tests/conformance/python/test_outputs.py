"""Jobs and their outputs as the SDK's strict models read them, and bytes on their way out."""

import time
from pathlib import Path

import httpx
import psycopg
import pytest
from comfy_sdk import Comfy, ComfyError, JobFailed
from starlette.responses import RedirectResponse

from app.config import Settings
from tests.app.conftest import House, opened_house
from tests.conformance.clients.front import Front, fronting
from tests.conformance.python.flavours import Flavour, opened
from tests.conformance.python.graphs import poster, reading

CONTENT = b"0123456789"
FAILURE = {"code": "node_error", "message": "boom", "node_id": "1", "class_type": "Poster"}

# What ComfyUI's own keys become (image, gifs, audio, text, 3d, files, latents); nothing is dropped.
KINDS = {
    "a.png": ("image", "image/png"),
    "b.webm": ("video", "video/webm"),
    "c.mp3": ("audio", "audio/mpeg"),
    "d.txt": ("text", "text/plain; charset=utf-8"),
    "e.latent": ("latent", "application/octet-stream"),
    "f.glb": ("file", "model/gltf-binary"),
    "g.obj": ("file", "model/obj"),
    "h.zip": ("file", "application/zip"),
    "i.unheard-of": ("file", "application/octet-stream"),
}


def done(house: House, comfy: Comfy) -> str:
    """The id of a job with one output."""
    job = comfy.submit(poster())
    house.executor.claim()
    house.executor.put_output(CONTENT)
    house.executor.succeed()
    return job.id


def test_a_job_can_be_read_in_every_state(comfy: Comfy, house: House) -> None:
    """v2.14: the strict models take all seven, without outputs and with; see also `expired` below."""
    seen: list[str] = []

    def look(job_id: str) -> None:
        job = comfy.jobs.get(job_id)
        seen.append(job.status)
        assert job.outputs == []

    first = comfy.submit(poster()).id
    look(first)
    house.executor.claim()
    look(first)
    house.executor.send(progress={"value": 0.5, "nodes_done": 1, "nodes_total": 2})
    look(first)
    assert comfy.jobs.get(first).cancel().status == "canceling"
    look(first)
    house.executor.send({"type": "canceled"})
    look(first)
    second = comfy.submit(poster()).id
    house.executor.claim()
    house.executor.succeed()
    look(second)
    third = comfy.submit(poster()).id
    house.executor.claim()
    house.executor.send({"type": "failed", "failure": FAILURE})
    look(third)
    assert seen == [
        *("queued", "running", "running", "canceling", "canceled", "succeeded", "failed")
    ]
    with pytest.raises(JobFailed) as failed:
        comfy.jobs.get(third).result()
    assert failed.value.error is not None
    assert failed.value.error.code == "node_error"


def test_an_expired_job_can_be_read(flavour: Flavour, settings: Settings) -> None:
    """v2.14: the seventh, of a job that nothing ever started."""
    quick = settings.model_copy(update={"start_within_s": 0.2, "reap_every_s": 0.2})
    with opened_house(quick) as house, opened(flavour, house.url, house.alice.key) as comfy:
        job = comfy.submit(poster())
        assert job.wait(timeout=30).status == "expired"


def test_outputs_of_every_kind_are_read_and_nothing_is_dropped(
    comfy: Comfy, house: House, tmp_path: Path
) -> None:
    """v2.15: 3D and unknown files are of type `file` with their real content type."""
    job = comfy.submit(poster())
    house.executor.claim()
    for name, (kind, content_type) in KINDS.items():
        house.executor.put_output(CONTENT, name=name, kind=kind, content_type=content_type)
    house.executor.succeed()
    outputs = job.result().outputs
    assert {o.name: (o.type, o.content_type) for o in outputs} == KINDS
    for output in outputs:
        assert output.to_file(tmp_path / output.name).read_bytes() == CONTENT
        assert (output.size_bytes, output.job_id) == (len(CONTENT), job.id)
    assert len(job.get_outputs("2")) == len(KINDS)


def test_parts_of_an_output_can_be_fetched(comfy: Comfy, house: House) -> None:
    """v2.22: the first bytes, the last, and none beyond the end."""
    [output] = comfy.jobs.get(done(house, comfy)).outputs
    assert output.to_bytes(range=(0, 4)) == CONTENT[:5]
    assert output.to_bytes(range=(8, 99)) == CONTENT[8:]
    with pytest.raises(ComfyError) as refused:
        output.to_bytes(range=(10, 20))
    assert (refused.value.http_status, refused.value.code) == (416, "range_not_satisfiable")
    content = f"/assets/{output.id}/content"
    suffix = house.alice.http.get(content, headers={"Range": "bytes=-3"})
    assert (suffix.status_code, suffix.content) == (206, CONTENT[-3:])
    assert suffix.headers["content-range"] == "bytes 7-9/10"
    whole = house.alice.http.get(content, headers={"Accept-Encoding": "gzip"})
    assert whole.headers["content-length"] == "10", "bytes are never encoded"
    assert "content-encoding" not in whole.headers


def test_a_redirect_elsewhere_never_carries_the_key(
    comfy: Comfy, house: House, front: Front
) -> None:
    """v2.22: object storage sees a Range and no credential; the address alone is never fetched."""
    [output] = comfy.jobs.get(done(house, comfy)).outputs
    content = f"/api/v2/assets/{output.id}/content"
    signed = house.alice.http.get(f"/assets/{output.id}").json()["url"]
    with fronting(house.url) as elsewhere:
        location = signed.replace(front.url, elsewhere.url).replace(house.url, elsewhere.url)
        front.canned[("GET", content)] = [RedirectResponse(location, 302) for _ in range(2)]
        assert output.to_bytes(range=(0, 4)) == CONTENT[:5]
        [fetched] = elsewhere.exchanges
        assert "authorization" not in fetched.headers
        assert fetched.headers["range"] == "bytes=0-4"
        told = output.get_download_url()
        assert told.url == location
        assert told.expires_at is not None, "read from the names the SDK knows"
        assert len(elsewhere.exchanges) == 1


def test_our_own_address_of_an_output_needs_no_key_and_says_its_expiry(
    comfy: Comfy, house: House
) -> None:
    """v2.22: `url` of an output is absolute and signed."""
    job_id = done(house, comfy)
    [output] = house.alice.job(job_id)["outputs"]
    assert httpx.get(output["url"]).content == CONTENT
    assert "X-Goog-Expires" in output["url"]


def forget(house: House, table: str, row_id: str) -> None:
    """Move the end of its retention into the past."""
    with psycopg.connect(house.settings.database_url) as connection:
        moved = connection.execute(
            f"update app.{table} set expires_at = now() - interval '1 s' where id = %s".encode(),  # noqa: S608
            [row_id],
        )
        assert moved.rowcount == 1


def test_after_its_retention_a_job_is_gone_with_all_that_is_its(comfy: Comfy, house: House) -> None:
    """v2.28: job, workflow, events, outputs and the list."""
    job_id = done(house, comfy)
    job = comfy.jobs.get(job_id)
    [output] = job.outputs
    forget(house, "jobs", job_id)
    for look in (
        lambda: comfy.jobs.get(job_id),
        job.refresh,
        job.get_workflow,
        job.cancel,
        lambda: list(job.events()),
        output.to_bytes,
        output.get_download_url,
        lambda: comfy.assets.get(output.id),
    ):
        with pytest.raises(ComfyError) as gone:
            look()
        assert gone.value.http_status == 404
    assert list(comfy.list_jobs()) == []


def test_an_upload_is_held_by_a_live_job_alone(comfy: Comfy, house: House) -> None:
    """v2.28: 409 while it may be read, 404 after its own retention."""
    asset = comfy.assets.from_bytes(CONTENT, filename="a.png")
    job = comfy.submit(reading(asset))
    with pytest.raises(ComfyError) as held:
        asset.delete()
    assert (held.value.http_status, held.value.code) == (409, "asset_in_use")
    job.cancel()
    asset.delete()
    other = comfy.assets.from_bytes(b"other", filename="b.png").commit()
    forget(house, "assets", other)
    with pytest.raises(ComfyError, match="no such asset"):
        comfy.assets.get(other)


def test_what_a_link_was_given_for_ends_with_it(flavour: Flavour, settings: Settings) -> None:
    """v2.22: a signed address expires; the id stays good."""
    with (
        opened_house(settings.model_copy(update={"url_expires_s": 3.0})) as house,
        opened(flavour, house.url, house.alice.key) as comfy,
    ):
        job_id = done(house, comfy)
        url = house.alice.job(job_id)["outputs"][0]["url"]
        time.sleep(4.1)
        assert httpx.get(url).status_code == 403
        assert comfy.jobs.get(job_id).outputs[0].to_bytes() == CONTENT
