"""However jobs end, and however often: one delivery for each job and each endpoint that wants it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.db.postgres import open_database
from app.jobs.models import NewWebhook
from app.jobs.repository.transitions import Fence
from app.secret import Keyring
from app.webhooks.repository.endpoints import Change, EndpointRepository
from app.webhooks.signing import Signing
from tests.app.conftest import Machine, machine_of

ERROR = {"code": "node_error", "message": "x"}
FILTERS = ("*", "job.succeeded", "job.failed", "job.canceled", "job.expired")
SIGNING = Signing(Keyring(b"k" * 32))


async def succeed(machine: Machine, fence: Fence) -> None:
    await machine.transitions.succeed(fence, 1, {})


async def fail(machine: Machine, fence: Fence) -> None:
    await machine.transitions.fail(fence, 1, ERROR, retryable=False, backoff_s=0)


async def cancel(machine: Machine, fence: Fence) -> None:
    """Asked while it runs; the executor's success then comes too late."""
    await machine.transitions.cancel(machine.workspace_id, fence.job_id)


async def pass_the_deadline(machine: Machine, fence: Fence) -> None:
    await machine.database.run(
        "update app.jobs set deadline_at = now() - interval '1 s' where id = %(id)s",
        {"id": fence.job_id},
    )
    await machine.reap_without_extending()


async def lose_the_worker(machine: Machine, fence: Fence) -> None:
    await machine.let_lease_pass(fence.job_id)
    await machine.reap_without_extending()


RUNS: dict[str, tuple[str, Callable[[Machine, Fence], Awaitable[None]]]] = {
    "succeed": ("job.succeeded", succeed),
    "fail": ("job.failed", fail),
    "cancel": ("job.canceled", cancel),
    "deadline": ("job.failed", pass_the_deadline),
    "lose": ("job.failed", lose_the_worker),
}
ENDS = (*RUNS, "cancel in the queue", "expire")


@pytest.mark.timeout(110)
@given(
    ends=st.lists(st.tuples(st.sampled_from(ENDS), st.booleans()), min_size=1, max_size=6),
    filters=st.lists(
        st.lists(st.sampled_from(FILTERS), min_size=1, max_size=3), min_size=1, max_size=4
    ),
)
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_there_is_one_delivery_for_each_job_and_endpoint_that_wants_it(
    database_url: str, ends: list[tuple[str, bool]], filters: list[list[str]]
) -> None:
    asyncio.run(check(database_url, ends, filters))


async def check(url: str, ends: list[tuple[str, bool]], filters: list[list[str]]) -> None:
    async with open_database(url, size=2) as database:
        machine = await machine_of(database, f"w{uuid4().hex}")
        endpoints = EndpointRepository(database)
        wanted = [(await add(machine, endpoints, events), {*events}) for events in filters]
        expected: set[tuple[UUID, UUID, str]] = set()
        for end, has_url in ends:
            job_id, event = await ended(machine, end, has_url=has_url)
            expected |= {(job_id, e, event) for e, events in wanted if events & {"*", event}}
            if has_url:
                own = await endpoints.own(machine.workspace_id, SIGNING.new_signer())
                expected.add((job_id, own.id, event))
        rows = await database.all(
            "select job_id, endpoint_id, event from app.webhook_deliveries "
            "where workspace_id = %(id)s",
            {"id": machine.workspace_id},
        )
        found = [(row["job_id"], row["endpoint_id"], row["event"]) for row in rows]
        assert len(found) == len(set(found))
        assert set(found) == expected


async def add(machine: Machine, endpoints: EndpointRepository, events: list[str]) -> UUID:
    change = Change(url="https://example.com/", events=events)
    signer = SIGNING.new_signer()
    assert await endpoints.create(machine.workspace_id, signer, change, at_most=20)
    return signer.id


async def ended(machine: Machine, end: str, *, has_url: bool) -> tuple[UUID, str]:
    """End a job that way, then try to end it in every other; its id, and what is to be told."""
    signer = SIGNING.new_signer()
    changes: dict[str, Any] = {"max_tries": 1}
    if has_url:
        changes["webhook"] = NewWebhook("https://example.com/x", signer.id, signer.secret)
    if end == "expire":
        job_id = await machine.submit(start_within_s=0.0, **changes)
        await machine.reap_without_extending()
        return job_id, "job.expired"
    job_id = await machine.submit(**changes)
    if end == "cancel in the queue":
        await machine.transitions.cancel(machine.workspace_id, job_id)
        return job_id, "job.canceled"
    claimed = await machine.claim([machine.workspace_id])
    assert claimed is not None
    fence = Fence(job_id, claimed.moved.epoch)
    event, act = RUNS[end]
    await act(machine, fence)
    for again in (succeed, succeed, fail, cancel):
        await again(machine, fence)
    await machine.transitions.canceled(fence, 1)
    await machine.reap_without_extending()
    return job_id, event
