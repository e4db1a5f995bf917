"""What an executor may say, in which order, and that nothing of a fenced run is taken."""

from typing import Any
from uuid import uuid4

import httpx

from app.config import Settings
from app.jobs.tokens import WorkerGrant
from tests.app.conftest import House, opened_house
from tests.app.jobs.test_job_api import error

LINE = {"type": "log", "level": "info", "message": "x"}


def test_a_gap_is_refused_with_the_number_expected(house: House) -> None:
    house.alice.submit()
    house.executor.claim()
    reply = house.executor.send_raw({"transitions": [{"client_seq": 2, "event": LINE}]})
    assert reply.status_code == 409
    assert error(reply)["code"] == "event_gap"
    assert error(reply)["details"] == {"expected": 1}


def test_an_event_said_again_is_answered_as_done(house: House) -> None:
    job = house.alice.submit()
    house.executor.claim()
    batch = {"transitions": [{"client_seq": 1, "event": LINE}]}
    assert house.executor.send_raw(batch).status_code == 200
    again = house.executor.send_raw(batch)
    assert (again.status_code, again.json()["stop"]) == (200, False)
    assert house.alice.job(job["id"])["status"] == "running"


def test_a_terminal_event_said_again_tells_the_executor_to_stop(house: House) -> None:
    house.alice.submit()
    house.executor.claim()
    batch = {"transitions": [{"client_seq": 1, "event": {"type": "succeeded"}}]}
    assert house.executor.send_raw(batch).json()["stop"] is False
    assert house.executor.send_raw(batch).status_code == 200
    heartbeat = house.executor.send_raw({})
    assert (heartbeat.status_code, heartbeat.json()["stop"]) == (200, True)


def test_a_run_that_was_replaced_is_told_so(house: House) -> None:
    house.alice.submit()
    first = house.executor.claim()
    assert first is not None
    failure = {"code": "comfyui_crashed", "message": "x"}
    house.executor.send({"type": "failed", "failure": failure})
    reply = house.executor.send_raw({})
    assert (reply.status_code, error(reply)["code"]) == (409, "stale_epoch")


def test_a_token_opens_one_job_and_one_door(house: House) -> None:
    house.alice.submit()
    ticket = house.executor.claim()
    assert ticket is not None
    headers = {"Authorization": f"Bearer {ticket['event_token']}"}
    other = httpx.post(f"{house.url}/internal/jobs/{uuid4()}/events", json={}, headers=headers)
    assert other.status_code == 404
    claim = httpx.post(f"{house.url}/internal/claims", json=claim_body(), headers=headers)
    assert (claim.status_code, error(claim)["code"]) == (401, "invalid_token")
    public = httpx.get(f"{house.url}/api/v2/jobs", headers=headers)
    assert (public.status_code, error(public)["code"]) == (401, "unauthorized")
    worker = {"Authorization": f"Bearer {house.executor.token}"}
    events = httpx.post(
        f"{house.url}/internal/jobs/{ticket['job_id']}/events", json={}, headers=worker
    )
    assert (events.status_code, error(events)["code"]) == (401, "invalid_token")
    user = {"Authorization": f"Bearer {house.alice.key}"}
    assert (
        httpx.post(f"{house.url}/internal/claims", json=claim_body(), headers=user).status_code
        == 401
    )


def claim_body() -> dict[str, str]:
    """A claim."""
    return {
        "claim_id": str(uuid4()),
        "backend": "local",
        "environment": "local",
        "environment_digest": "d",
        "executor_id": "x",
    }


def test_a_worker_serves_the_workspaces_of_its_token(house: House) -> None:
    job = house.alice.submit()
    stranger = house.worker(WorkerGrant(workspaces=[uuid4()], environments=["local"], slots=1))
    assert stranger.claim() is None
    own = house.worker(
        WorkerGrant(workspaces=[house.alice.workspace_id], environments=["local"], slots=1)
    )
    ticket = own.claim()
    assert ticket is not None
    assert ticket["job_id"] == job["id"]


def test_a_workspace_that_no_worker_may_serve_is_told_the_remedy(house: House) -> None:
    only_others = house.worker(WorkerGrant(workspaces=[uuid4()], environments=["local"], slots=1))
    only_others.register(digest="d2")
    reply = house.alice.http.post(
        "/jobs", json={"workflow": {"1": {"class_type": "SaveImage", "inputs": {}}}}
    )
    assert (reply.status_code, error(reply)["code"]) == (422, "backend_unavailable")
    assert "COMFYUI_SHARED" in error(reply)["message"]


def test_an_output_is_written_once_and_as_long_as_registered(house: House) -> None:
    house.alice.submit()
    house.executor.claim()
    grant = house.executor.register_output(size_bytes=3).json()
    longer = httpx.put(
        grant["url"], content=b"1234", headers={**grant["headers"], "Content-Length": "4"}
    )
    assert longer.status_code == 411
    typed = httpx.put(
        grant["url"], content=b"123", headers={**grant["headers"], "Content-Type": "text/html"}
    )
    assert typed.status_code == 403
    assert httpx.put(grant["url"], content=b"123", headers=grant["headers"]).status_code == 201
    again = httpx.put(grant["url"], content=b"456", headers=grant["headers"])
    assert (again.status_code, error(again)["code"]) == (412, "already_written")
    altered = grant["url"].replace("X-Cb-length=3", "X-Cb-length=4")
    assert httpx.put(altered, content=b"1234").status_code == 403


def test_an_output_that_was_not_stored_is_not_shown(house: House) -> None:
    job = house.alice.submit()
    house.executor.claim()
    grant = house.executor.register_output().json()
    reply = house.executor.send({"type": "output", "asset_id": grant["asset_id"]})
    assert (reply.status_code, error(reply)["code"]) == (422, "output_not_stored")
    assert house.alice.job(job["id"])["outputs"] == []


def test_an_output_of_another_job_is_not_shown(house: House) -> None:
    house.alice.submit()
    house.executor.claim()
    theirs = house.executor.put_output()
    house.executor.succeed()
    house.alice.submit()
    house.executor.claim()
    reply = house.executor.send({"type": "output", "asset_id": theirs})
    assert (reply.status_code, error(reply)["code"]) == (422, "output_not_registered")


def test_equal_names_in_one_job_become_different(house: House) -> None:
    job = house.alice.submit()
    house.executor.claim()
    for _ in range(3):
        house.executor.put_output(name="a.png")
    house.executor.put_output(name='sub/../b\r\n".png')
    names = [o["name"] for o in house.alice.job(job["id"])["outputs"]]
    assert names == ["a.png", "a (1).png", "a (2).png", "b___.png"]


def test_more_outputs_than_allowed_are_refused_and_the_job_goes_on(house: House) -> None:
    house.alice.submit()
    house.executor.claim()
    reply = house.executor.register_output(size_bytes=10**13)
    assert (reply.status_code, error(reply)["code"]) == (422, "output_limit")
    house.executor.succeed()


def test_poisoned_event_data_is_refused_and_the_job_goes_on(house: House) -> None:
    house.alice.submit()
    house.executor.claim()
    url = f"{house.url}/internal/jobs/{house.executor.ticket['job_id']}/events"
    headers = {
        "Authorization": f"Bearer {house.executor.ticket['event_token']}",
        "Content-Type": "application/json",
    }
    progress = '{"progress": {"value": %s, "nodes_done": 1, "nodes_total": 2, "message": "%s"}}'
    for body in (progress % ("NaN", ""), progress % ("1e999", ""), progress % ("0.5", "\\u0000")):
        reply = httpx.post(url, content=body, headers=headers)
        assert reply.status_code == 422, reply.text
    house.executor.succeed()


def stored(house: House, content: bytes, **changes: Any) -> str:
    """A place, with its bytes in it, that nothing was said about yet."""
    grant = house.executor.register_output(size_bytes=len(content), **changes).json()
    put = httpx.put(grant["url"], content=content, headers=grant["headers"])
    assert put.status_code == 201
    return grant["asset_id"]


def test_an_output_is_shown_with_its_thumbnail(house: House) -> None:
    job = house.alice.submit()
    house.executor.claim()
    output = stored(house, b"a large picture")
    thumbnail = stored(house, b"a small one", thumbnail_of=output)
    told = house.executor.send({"type": "output", "asset_id": output, "thumbnail": thumbnail})
    assert told.status_code == 200
    house.executor.succeed()
    [shown] = house.alice.job(job["id"])["outputs"]
    reply = httpx.get(shown["thumbnail_url"])
    assert (reply.content, reply.headers["content-type"]) == (b"a small one", "image/webp")
    assert reply.headers["content-disposition"].startswith("inline")
    assert house.alice.http.get(f"/assets/{thumbnail}").status_code == 404, "it is no asset"


def test_a_small_picture_is_its_own_thumbnail_and_nothing_else_is(house: House) -> None:
    job = house.alice.submit()
    house.executor.claim()
    for name, size in (("a.png", 65_536), ("b.png", 65_537), ("c.tiff", 9), ("d.mp4", 9)):
        output = stored(house, bytes(size), name=name)
        house.executor.send({"type": "output", "asset_id": output})
    house.executor.succeed()
    small, *others = house.alice.job(job["id"])["outputs"]
    assert small["thumbnail_url"] == small["url"]
    assert not [output for output in others if "thumbnail_url" in output]


def test_whoever_runs_a_job_is_told_to_strip_its_outputs(house: House) -> None:
    bodies: list[dict[str, Any]] = [{}, {"strip_metadata": False}, {"strip_metadata": True}]
    for asked in bodies:
        house.alice.submit(**asked)
        ticket = house.executor.claim()
        assert ticket is not None
        assert ticket["strip_metadata"] is asked.get("strip_metadata", False)
        house.executor.succeed()


def test_a_failure_that_would_come_again_is_the_end(house: House) -> None:
    job = house.alice.submit(strip_metadata=True)
    house.executor.claim()
    failure = {"code": "output_upload", "message": "a.mp4 was not published"}
    house.executor.send({"type": "failed", "failure": failure, "final": True})
    ended = house.alice.job(job["id"])
    assert (ended["status"], ended["error"]["code"]) == ("failed", "output_upload")


def test_a_thumbnail_is_small_and_of_an_output_of_the_run(house: House) -> None:
    house.alice.submit()
    house.executor.claim()
    output = stored(house, b"a picture")
    large = house.executor.register_output(size_bytes=300_000, thumbnail_of=output)
    assert (large.status_code, large.json()["error"]["code"]) == (422, "output_limit")
    stray = house.executor.register_output(thumbnail_of=str(uuid4()))
    assert (stray.status_code, stray.json()["error"]["code"]) == (422, "output_not_registered")


def test_a_thumbnail_is_never_an_output_nor_counted_as_one(settings: Settings) -> None:
    with opened_house(settings.model_copy(update={"max_outputs": 1})) as house:
        job = house.alice.submit()
        house.executor.claim()
        output = stored(house, b"a picture")
        thumbnail = stored(house, b"small", thumbnail_of=output)
        alone = house.executor.send({"type": "output", "asset_id": thumbnail})
        assert alone.status_code == 422
        house.executor.seq -= 1
        house.executor.send({"type": "output", "asset_id": output, "thumbnail": output})
        house.executor.succeed()
        [shown] = house.alice.job(job["id"])["outputs"]
        assert shown["thumbnail_url"] == shown["url"], "its own, not what was said"
