"""A receiver that does not say 2xx: the schedule in the rows, and that every attempt is the same."""

import asyncio
import time

import pytest
from starlette.responses import Response

from app.db.postgres import Row
from app.webhooks.schedule import DELAYS_S
from tests.app.webhooks.conftest import PostOffice
from tests.app.webhooks.receiver import Answer, Call, receiving


def saying(status: int, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _call: Response(f"status {status}", status, named)


async def waits_s(post: PostOffice, row: Row) -> float:
    """How long until its next attempt, by the clock of the database."""
    found = await post.machine.database.one(
        "select extract(epoch from next_attempt_at - now()) as waits_s "
        "from app.webhook_deliveries where id = %(id)s",
        {"id": row["id"]},
    )
    assert found is not None
    return float(found["waits_s"])


def has_ended(rows: list[Row]) -> bool:
    return bool(rows) and all(row["status"] != "pending" for row in rows)


async def test_ten_attempts_follow_the_schedule_and_are_the_same(post: PostOffice) -> None:
    _, secret = await post.add_endpoint()
    post.receiver.answer = saying(500)
    await post.end_a_job()
    post.start()
    for attempt, delay_s in enumerate(DELAYS_S[1:], 1):
        [row] = await post.until(lambda rows, n=attempt: len(rows[0]["attempts"]) == n)
        assert (row["status"], row["tries"], row["in_flight"]) == ("pending", attempt, False)
        assert delay_s - 5 < await waits_s(post, row) <= delay_s
        await post.let_time_pass()
        post.courier.wake()
    [row] = await post.until(has_ended)
    assert (row["status"], len(row["attempts"])) == ("exhausted", 10)
    calls = post.receiver.calls
    assert len(calls) == 10
    assert {(call.id, call.body) for call in calls} == {(str(row["id"]), calls[0].body)}
    assert all(call.is_signed_with(secret) for call in calls)
    [endpoint] = await post.endpoints.list(post.workspace_id)
    assert (endpoint.enabled, endpoint.disabled_reason) == (False, "failing")


async def test_the_second_attempt_comes_by_itself(post: PostOffice) -> None:
    await post.add_endpoint()
    answers = [Response("not yet", 503), Response("thanks")]
    post.receiver.answer = lambda _call: answers.pop(0)
    await post.end_a_job()
    began = time.monotonic()
    post.start()
    [row] = await post.until(has_ended)
    assert (row["status"], [a["status_code"] for a in row["attempts"]]) == ("delivered", [503, 200])
    assert time.monotonic() - began >= 5


async def test_a_payload_stays_as_it_was_though_its_job_is_shown_otherwise(
    post: PostOffice,
) -> None:
    await post.add_endpoint()
    post.receiver.answer = saying(500)
    await post.end_a_job()
    post.start()
    await post.until(lambda rows: rows[0]["attempts"])
    await post.machine.database.run('update app.jobs set metadata = \'{"a": "b"}\'')
    await post.let_time_pass()
    post.courier.wake()
    first, second = await asyncio.to_thread(post.receiver.wait_for, 2)
    assert first.body == second.body


async def test_a_retry_after_is_kept(post: PostOffice) -> None:
    await post.add_endpoint()
    post.receiver.answer = saying(429, retry_after="100")
    await post.end_a_job()
    post.start()
    [row] = await post.until(lambda rows: rows[0]["attempts"])
    assert 90 < await waits_s(post, row) <= 100


async def test_a_redirect_is_a_failure_and_is_not_followed(post: PostOffice) -> None:
    await post.add_endpoint("/here")
    post.receiver.answer = saying(307, location=f"{post.receiver.url}/there")
    await post.end_a_job()
    post.start()
    [row] = await post.until(lambda rows: rows[0]["attempts"])
    assert (row["status"], row["attempts"][0]["status_code"]) == ("pending", 307)
    assert [call.path for call in post.receiver.calls] == ["/here"]


async def test_410_disables_the_endpoint_and_drops_what_waits(post: PostOffice) -> None:
    gone, _ = await post.add_endpoint("/gone")
    other, _ = await post.add_endpoint("/other")
    post.receiver.answer = lambda call: Response(status_code=410 if call.path == "/gone" else 200)
    for _ in range(6):
        await post.end_a_job()
    post.start()
    rows = await post.until(has_ended)
    stands = {(row["endpoint_id"], row["status"]) for row in rows}
    assert stands == {(gone, "dropped"), (other, "delivered")}
    assert sum(call.path == "/gone" for call in post.receiver.calls) <= 4
    endpoint = await post.endpoints.get(post.workspace_id, gone)
    assert (endpoint.enabled, endpoint.disabled_reason) == (False, "gone")
    await post.end_a_job()
    assert sum(row["endpoint_id"] == gone for row in await post.rows()) == 6


async def test_410_to_the_url_of_a_job_drops_that_alone(post: PostOffice) -> None:
    post.receiver.answer = lambda call: Response(status_code=410 if call.path == "/gone" else 200)
    await post.end_a_job(f"{post.receiver.url}/gone")
    post.start()
    await post.until(has_ended)
    await post.end_a_job(f"{post.receiver.url}/here")
    post.courier.wake()
    rows = await post.until(has_ended)
    assert [row["status"] for row in rows] == ["dropped", "delivered"]


async def test_an_endpoint_that_hears_something_is_not_failing(post: PostOffice) -> None:
    await post.add_endpoint()
    first = await post.end_a_job()
    second = await post.end_a_job()

    def refuse_the_first(call: Call) -> Response:
        return Response(status_code=500 if str(first.id) in call.body.decode() else 200)

    post.receiver.answer = refuse_the_first
    post.start()
    await post.until(lambda rows: any(row["status"] == "delivered" for row in rows))
    await post.machine.database.run("update app.webhook_deliveries set tries = 9 where tries > 0")
    await post.let_time_pass()
    post.courier.wake()
    rows = await post.until(has_ended)
    assert {row["job_id"]: row["status"] for row in rows} == {
        first.id: "exhausted",
        second.id: "delivered",
    }
    [endpoint] = await post.endpoints.list(post.workspace_id)
    assert endpoint.enabled


async def test_what_cannot_be_reached_says_one_word(post: PostOffice) -> None:
    with receiving() as closed:
        url = closed.url
    await post.end_a_job(url)
    await post.end_a_job("http://169.254.169.254/latest/meta-data/")
    await post.end_a_job("http://nothing.invalid/")
    post.start()
    rows = await post.until(lambda rows: all(row["attempts"] for row in rows))
    assert {row["attempts"][0]["error"] for row in rows} == {"unreachable"}
    assert {row["attempts"][0]["status_code"] for row in rows} == {None}


async def test_a_receiver_that_hangs_delays_no_other(post: PostOffice) -> None:
    """Forty wait for one that takes its whole time; the other is told at once."""
    with receiving(hang) as slow:
        post.receiver.answer = saying(200)
        for _ in range(40):
            await post.end_a_job(f"{slow.url}/")
        await post.machine.database.run(
            "update app.webhook_deliveries set next_attempt_at = now() - interval '1 hour'"
        )
        await post.end_a_job(f"{post.receiver.url}/")
        post.start()
        await asyncio.to_thread(post.receiver.wait_for, 1)
        rows = await post.rows()
        assert len(slow.calls) <= 4, "few at a time to one host"
        assert sum(row["tries"] for row in rows[:40]) <= 4


async def test_a_workspace_takes_no_more_than_its_part(post: PostOffice) -> None:
    """However many hosts it names: lanes are bounded, and so is the sum of a workspace's."""
    with receiving(hang) as slow:
        for number in range(40):
            await post.end_a_job(f"http://h{number}.test:{slow.url.rpartition(':')[2]}/")
        post.start()
        await asyncio.to_thread(slow.wait_for, 16)
        rows = await post.rows()
        assert sum(row["in_flight"] for row in rows) == 16
        assert sum(row["tries"] for row in rows) == 16


async def hang(_call: Call) -> Response:
    await asyncio.sleep(1.5)
    return Response(status_code=500)


async def test_a_slow_answer_is_given_up_and_a_reply_is_kept_short_and_clean(
    post: PostOffice,
) -> None:
    await post.add_endpoint()
    dirty = "\x00\x1b[31mred\u202e" + "x" * 5_000
    post.receiver.answer = lambda _call: Response(dirty, 500)
    await post.end_a_job()
    post.start()
    [row] = await post.until(lambda rows: rows[0]["attempts"])
    assert row["attempts"][0]["reply"] == "[31mred" + "x" * (1_024 - len("[31mred"))


@pytest.mark.parametrize("key", ["", "another secret of at least 32 characters"])
async def test_a_secret_that_cannot_be_read_is_told_and_mended_by_a_rotation(
    post: PostOffice, key: str
) -> None:
    endpoint_id, _ = await post.add_endpoint()
    await post.machine.database.run(
        "update app.webhook_endpoints set secret = %(secret)s", {"secret": key.encode() * 2}
    )
    await post.end_a_job()
    post.start()
    [row] = await post.until(lambda rows: rows[0]["attempts"])
    assert row["attempts"][0]["error"] == "unsigned"
    _, secret = await post.endpoints.rotate(post.workspace_id, endpoint_id, 0)
    await post.let_time_pass()
    post.courier.wake()
    await post.until(has_ended)
    [call] = post.receiver.calls
    assert call.is_signed_with(secret)
