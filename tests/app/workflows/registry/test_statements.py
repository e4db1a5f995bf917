"""What the registry asks the database: one statement to resolve a name, and rows that only their owner sees."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, LiteralString
from uuid import UUID

import pytest

from app.db.postgres import Database, Params, Row
from app.errors import NotFoundError
from app.jobs.repository.queries import JobQueries
from app.workflows.bindings.models import Bindings
from app.workflows.registry.kept import KeptContents
from app.workflows.registry.models import Content, NewVersion, Pinned
from app.workflows.registry.names import Reference
from app.workflows.registry.repository.reading import RESOLVE, RegistryReader
from app.workflows.registry.repository.writing import NoRoom, Pushed, RegistryWriter
from app.workflows.registry.service import PinService
from tests.app.conftest import Machine
from tests.app.front_door import POSTER


@dataclass(frozen=True, slots=True)
class Recording(Database):
    """A database that remembers what it was asked, and what it answered."""

    asked: list[str] = field(default_factory=list[str])
    answered: list[Row] = field(default_factory=list[Row])

    async def one(self, sql: LiteralString, params: Params | None = None) -> Row | None:
        row = await Database.one(self, sql, params)
        self.asked.append(sql)
        self.answered.extend([dict(row)] if row else [])
        return row


def new_version(machine: Machine, text: str = "hello", name: str = "poster") -> NewVersion:
    graph: dict[str, Any] = {**POSTER, "1": {"class_type": "Poster", "inputs": {"prompt": text}}}
    return NewVersion(machine.workspace_id, name, graph, None, Bindings(), "local", "")


def reference(text: str) -> Reference:
    parsed = Reference.parse(text)
    assert parsed is not None
    return parsed


async def push(machine: Machine, *texts: str, name: str = "poster") -> Sequence[Pushed | NoRoom]:
    writer = RegistryWriter(machine.database, max_workflows=2, max_versions=2)
    return [await writer.push(new_version(machine, text, name)) for text in texts]


async def test_naming_a_workflow_costs_one_statement_whatever_the_name(machine: Machine) -> None:
    await push(machine, "a", "b")
    database = Recording(machine.database.pool)
    pins = PinService(RegistryReader(database), KeptContents(1_000_000))
    for text in ("poster", "poster@1", "poster@latest", "poster@2", "poster@1"):
        await pins.pin(machine.workspace_id, reference(text))
    assert database.asked == [RESOLVE] * 5
    # What is in memory is not sent again.
    assert [row["graph"] is None for row in database.answered] == [False, False, True, True, True]


async def test_what_does_not_fit_into_memory_is_read_each_time(machine: Machine) -> None:
    await push(machine, "a")
    pins = PinService(RegistryReader(machine.database), KeptContents(10))
    for _ in range(2):
        pinned = await pins.pin(machine.workspace_id, reference("poster"))
        assert pinned.content.graph["1"]["inputs"]["prompt"] == "a"


async def test_limits_of_a_workspace_and_of_a_workflow_hold(machine: Machine) -> None:
    assert await push(machine, "a", "b", "c", "a") == [
        Pushed(1, is_new=True),
        Pushed(2, is_new=True),
        NoRoom.VERSIONS,
        Pushed(1, is_new=False),
    ]
    assert await push(machine, "a", name="second") == [Pushed(1, is_new=True)]
    assert await push(machine, "a", name="third") == [NoRoom.WORKFLOWS]


async def test_a_version_that_a_job_runs_goes_with_the_workspace(machine: Machine) -> None:
    await push(machine, "a")
    pins = PinService(RegistryReader(machine.database), KeptContents(0))
    pinned: Pinned = await pins.pin(machine.workspace_id, reference("poster"))
    job_id = await machine.submit(version=pinned, workflow_inputs={"seed": 2**64 - 1})
    job = await JobQueries(machine.database).get(machine.workspace_id, job_id)
    assert job is not None
    assert (job.workflow, job.workflow_inputs) == (
        {"name": "poster", "version": 1},
        {"seed": 2**64 - 1},
    )
    await machine.database.run("delete from app.workspaces")
    left = await machine.database.one("select count(*) as n from app.workflow_versions")
    assert left == {"n": 0}


async def test_a_reference_that_leads_nowhere_says_what_is_missing(machine: Machine) -> None:
    await push(machine, "a")
    pins = PinService(RegistryReader(machine.database), KeptContents(0))
    for text, code in (("nobody", "workflow_not_found"), ("poster@2", "version_not_found")):
        with pytest.raises(NotFoundError) as refused:
            await pins.pin(machine.workspace_id, reference(text))
        assert refused.value.code == code


def test_memory_holds_what_was_used_last() -> None:
    contents = [
        Content({"1": {"class_type": "A", "inputs": {"text": str(n) * 100}}}, Bindings(), "local")
        for n in range(3)
    ]
    ids = [UUID(int=n) for n in range(3)]
    kept = KeptContents(400)
    key = (UUID(int=9), "poster")
    for n in (0, 1, 0, 2):
        kept.used(key, ids[n], contents[n])
    assert kept.of(key) == {ids[0]: contents[0], ids[2]: contents[2]}
    assert kept.of((UUID(int=9), "other")) == {}
