"""How much of the service one workspace may take: what waits, what runs, whose turn it is."""

from uuid import UUID

import pytest

from app.errors import AppError
from app.jobs.capacity import FRESH_S, WaitingRoom
from app.jobs.repository.claims import ClaimRepository
from app.jobs.repository.ready import ReadyRepository
from tests.app.conftest import LEASE_S, Machine, machine_of, new_claim, new_worker


class Clock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


async def submit_through(room: WaitingRoom, machine: Machine) -> UUID:
    await room.enter(machine.workspace_id)
    return await machine.submit()


async def test_no_more_jobs_wait_than_may(machine: Machine) -> None:
    room = WaitingRoom(ReadyRepository(machine.database), 3)
    for _ in range(3):
        await submit_through(room, machine)
    with pytest.raises(AppError) as refused:
        await submit_through(room, machine)
    assert (refused.value.status, refused.value.code) == (429, "queue_full")
    assert refused.value.headers == {"Retry-After": "5"}


async def test_a_job_that_started_makes_room_at_once(machine: Machine) -> None:
    room = WaitingRoom(ReadyRepository(machine.database), 1)
    await submit_through(room, machine)
    assert await machine.claim() is not None
    await submit_through(room, machine)


async def test_the_room_of_another_workspace_is_its_own(machine: Machine) -> None:
    room = WaitingRoom(ReadyRepository(machine.database), 1)
    await submit_through(room, machine)
    await submit_through(room, await machine_of(machine.database, "other"))


async def test_jobs_that_others_recorded_are_counted_a_second_later(machine: Machine) -> None:
    clock = Clock()
    room = WaitingRoom(ReadyRepository(machine.database), 3, clock)
    await submit_through(room, machine)
    for _ in range(3):
        await machine.submit()
    clock.now += 1.1 * FRESH_S
    with pytest.raises(AppError):
        await room.enter(machine.workspace_id)


async def test_a_workspace_runs_no_more_than_it_may(machine: Machine) -> None:
    claims = ClaimRepository(machine.database, LEASE_S, max_running=2)
    other = await machine_of(machine.database, "other")
    for _ in range(4):
        await machine.submit()
    started = [await claims.next_local(new_claim(), new_worker()) for _ in range(3)]
    assert [claimed is not None for claimed in started] == [True, True, False]
    theirs = await other.submit()
    claimed = await claims.next_local(new_claim(), new_worker())
    assert claimed is not None
    assert claimed.moved.id == theirs


async def test_a_flood_delays_another_workspace_by_one_start_each_time(machine: Machine) -> None:
    """The guarantee: of n workspaces with ready jobs, each gets one of any n starts."""
    quiet = [await machine_of(machine.database, name) for name in ("b", "c")]
    for _ in range(12):
        await machine.submit(priority=100)
    for each in quiet:
        for _ in range(3):
            await each.submit(priority=-100)
    started: list[UUID] = []
    for _ in range(9):
        claimed = await machine.claim()
        assert claimed is not None
        started.append(claimed.moved.workspace_id)
    everybody = {machine.workspace_id, *(each.workspace_id for each in quiet)}
    for first in range(0, 9, 3):
        assert set(started[first : first + 3]) == everybody
