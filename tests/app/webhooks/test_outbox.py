"""The outbox: written with the end of a job, emptied by whoever lives, each delivery once."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import httpx
from starlette.responses import Response

from app.config import Settings
from app.db.postgres import open_database
from app.jobs.repository.retention import RetentionRepository
from app.webhooks.duties import WebhookRound, WebhookSweep
from app.webhooks.repository.endpoints import Change, EndpointRepository
from app.webhooks.schedule import Verdict
from tests.app.webhooks.conftest import PostOffice
from tests.app.webhooks.receiver import Call
from tests.running import clean_environment


async def test_the_end_of_a_job_says_whether_somebody_is_to_be_told(post: PostOffice) -> None:
    assert not (await post.end_a_job()).notifies
    assert (await post.end_a_job(f"{post.receiver.url}/")).notifies
    await post.add_endpoint()
    moved = await post.end_a_job()
    assert moved.notifies
    assert moved.told().notifies, "so that the courier of this process is woken"


async def test_what_a_dead_front_door_left_is_delivered_by_the_round_of_another(
    post: PostOffice,
) -> None:
    await post.add_endpoint()
    await post.end_a_job()  # committed, and nobody was woken
    post.start()
    await post.until(lambda rows: rows[0]["status"] == "delivered")
    await post.end_a_job()
    await asyncio.sleep(0.2)
    assert len(post.receiver.calls) == 1
    await WebhookRound(post.courier.wake).run("holder")
    await post.until(lambda rows: rows[1]["status"] == "delivered")


async def test_two_holders_at_once_deliver_each_once(post: PostOffice) -> None:
    await post.add_endpoint()
    jobs = {(await post.end_a_job()).id for _ in range(40)}
    post.start()
    for _ in range(3):
        post.start(post.another_courier())
    rows = await post.until(lambda rows: all(row["status"] == "delivered" for row in rows))
    assert {row["job_id"] for row in rows} == jobs
    assert all(row["tries"] == 1 for row in rows)
    assert Counter(call.id for call in post.receiver.calls) == {str(row["id"]): 1 for row in rows}


async def test_an_attempt_whose_front_door_died_is_made_again_with_the_same_body(
    post: PostOffice,
) -> None:
    await post.add_endpoint()
    await post.end_a_job()
    [due] = await post.courier.outbox.claim(1)
    kept = await post.courier.outbox.keep(due, '{"as": "it was"}')
    assert kept == '{"as": "it was"}'
    post.start()
    await asyncio.sleep(0.2)
    assert post.receiver.calls == [], "its lease lives"
    await post.let_time_pass()
    post.courier.wake()
    [row] = await post.until(lambda rows: rows[0]["status"] == "delivered")
    assert (row["tries"], len(row["attempts"])) == (2, 1)
    assert [call.body for call in post.receiver.calls] == [b'{"as": "it was"}']


async def test_a_late_result_of_an_attempt_that_was_given_up_counts_nothing(
    post: PostOffice,
) -> None:
    await post.add_endpoint()
    await post.end_a_job()
    outbox = post.courier.outbox
    [lost] = await outbox.claim(1)
    assert await outbox.claim(1) == []
    await post.let_time_pass()
    [due] = await outbox.claim(1)
    assert (due.id, due.tries) == (lost.id, lost.tries + 1)
    await outbox.settle(lost, Verdict("delivered"), None)
    assert await outbox.keep(lost, "{}") is None
    [row] = await post.rows()
    assert (row["status"], row["payload"]) == ("pending", None)
    await outbox.settle(due, Verdict("delivered"), None)
    [row] = await post.rows()
    assert (row["status"], row["in_flight"]) == ("delivered", False)


async def test_a_courier_that_leaves_gives_back_what_it_holds(post: PostOffice) -> None:
    async def hang(_call: Call) -> Response:
        await asyncio.sleep(1.5)
        return Response("too late")

    await post.add_endpoint()
    post.receiver.answer = hang
    await post.end_a_job()
    post.start()
    await asyncio.to_thread(post.receiver.wait_for, 1)
    await post.stop()
    [row] = await post.rows()
    assert (row["status"], row["in_flight"], row["attempts"]) == ("pending", False, [])
    post.receiver.answer = lambda _call: Response()
    post.start(post.another_courier())
    await post.until(lambda rows: rows[0]["status"] == "delivered")
    first, second = post.receiver.calls
    assert (first.id, first.body) == (second.id, second.body)


async def test_a_courier_survives_that_the_database_is_away(
    post: PostOffice, settings: Settings
) -> None:
    await post.add_endpoint()
    await post.end_a_job()
    async with open_database(settings.database_url, size=2) as other:
        await post.machine.database.pool.close()
        courier = post.another_courier()
        post.start(courier)
        await asyncio.sleep(0.3)
        assert not post.running[0].done()
        row = await other.one("select status from app.webhook_deliveries")
        assert row == {"status": "pending"}
    await post.stop()


async def test_what_waits_for_a_disabled_endpoint_is_dropped_untold(post: PostOffice) -> None:
    endpoint_id, _ = await post.add_endpoint()
    await post.end_a_job()
    [due] = await post.courier.outbox.claim(1)
    await post.endpoints.update(post.workspace_id, endpoint_id, Change(enabled=False))
    await post.courier.outbox.give_back([due])
    post.start()
    [row] = await post.until(lambda rows: rows[0]["status"] != "pending")
    assert (row["status"], row["attempts"]) == ("dropped", [])
    assert post.receiver.calls == []


async def test_deliveries_go_with_their_job_and_tests_with_time(post: PostOffice) -> None:
    endpoint_id, _ = await post.add_endpoint()
    await post.end_a_job()
    await post.deliveries.test(post.workspace_id, endpoint_id)
    await post.machine.database.run("update app.jobs set expires_at = now() - interval '1 s'")
    assert await RetentionRepository(post.machine.database, 0.0).delete_expired() == 1
    [row] = await post.rows()
    assert row["event"] == "webhook.test"
    endpoints = EndpointRepository(post.machine.database)
    sweep = WebhookSweep(post.courier.outbox, endpoints, retention_s=3_600.0, every_s=60.0)
    await sweep.run("holder")
    assert len(await post.rows()) == 1
    await post.machine.database.run(
        "update app.webhook_deliveries set created_at = now() - interval '2 hours'"
    )
    await sweep.run("holder")
    assert await post.rows() == []
    await post.endpoints.delete(post.workspace_id, endpoint_id)
    stored = await post.machine.database.one("select secret from app.webhook_endpoints")
    assert stored == {"secret": b""}, "the secret goes at once"
    await post.machine.database.run(
        "update app.webhook_endpoints set deleted_at = now() - interval '2 days'"
    )
    await sweep.run("holder")
    assert await post.machine.database.all("select 1 from app.webhook_endpoints") == []


async def test_a_job_that_is_gone_is_not_told(post: PostOffice) -> None:
    await post.add_endpoint()
    await post.end_a_job()
    await post.machine.database.run("update app.jobs set expires_at = now() - interval '1 s'")
    post.start()
    await post.until(lambda rows: rows[0]["status"] == "dropped")
    assert post.receiver.calls == []


# --- kill -9 ------------------------------------------------------------------------------------


@contextmanager
def front_door(settings: Settings, port: int) -> Generator[subprocess.Popen[bytes]]:
    """`python -m app` on a port."""
    environment = clean_environment(
        {
            "DATABASE_URL": settings.database_url,
            "COMFYBURST_STATE": str(settings.state),
            "COMFYBURST_PORT": str(port),
            "COMFYBURST_ALLOW_PRIVATE_URLS": "true",
            "COMFYBURST_LOG_LEVEL": "warning",
        }
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "app"], env=environment, cwd=Path(__file__).parents[3]
    )
    try:
        until = time.monotonic() + 30
        while True:
            try:
                if httpx.get(f"http://127.0.0.1:{port}/healthz").status_code == 200:
                    break
            except httpx.TransportError:
                assert process.poll() is None
                assert time.monotonic() < until
                time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.wait()


async def test_a_front_door_killed_in_the_middle_of_a_call_loses_nothing(
    post: PostOffice, settings: Settings, free_port: int
) -> None:
    """kill -9 while the receiver has the request and has not answered: the next one calls again."""

    async def hang(_call: Call) -> Response:
        await asyncio.sleep(1.5)
        return Response()

    _, secret = await post.add_endpoint()
    post.receiver.answer = hang
    moved = await post.end_a_job()
    with front_door(settings, free_port) as process:
        await asyncio.to_thread(post.receiver.wait_for, 1)
        os.kill(process.pid, signal.SIGKILL)
    [row] = await post.rows()
    assert (row["status"], row["in_flight"], row["attempts"]) == ("pending", True, [])
    await post.let_time_pass()
    post.receiver.answer = lambda _call: Response()
    await post.machine.database.run("update app.maintenance set until = now()")
    with front_door(settings, free_port):
        await post.until(lambda rows: rows[0]["status"] == "delivered", within_s=20)
    first, second = post.receiver.calls
    assert (first.id, first.body) == (second.id, second.body)
    assert second.verified(secret)["data"]["id"] == str(moved.id)
