"""Every statement of the registry once, for whatever Postgres it is given."""

from app.workflows.bindings.models import Bindings
from app.workflows.registry.models import NewVersion
from app.workflows.registry.names import Reference, Selector
from app.workflows.registry.repository.reading import RegistryReader
from app.workflows.registry.repository.writing import Pushed, RegistryWriter
from tests.app.conftest import Machine

POSTER = Reference("poster", Selector(alias="latest"))


async def registry_works(machine: Machine) -> None:
    """Push, look, point, roll back, archive."""
    mine, reader = machine.workspace_id, RegistryReader(machine.database)
    writer = RegistryWriter(machine.database, max_workflows=1, max_versions=2)
    for number, text in ((1, "a"), (2, "b")):
        graph = {"1": {"class_type": "A", "inputs": {"text": text}}}
        new = NewVersion(mine, "poster", graph, {"nodes": []}, Bindings(), "local", "")
        assert await writer.push(new) == Pushed(number, is_new=True)
    assert await writer.point(mine, "poster", "prod", Selector(alias="latest")) == 2
    assert await writer.roll_back(mine, "poster", "prod") == 1
    [workflow] = await reader.list(mine, after="", archived=False, limit=9)
    assert workflow == await reader.get(mine, "poster")
    assert workflow.aliases == {"latest": 2, "prod": 1}
    assert [v.number for v in await reader.versions(mine, "poster", before=9, limit=9)] == [2, 1]
    whole = await reader.version(mine, POSTER)
    resolved = await reader.resolve(mine, POSTER, [])
    assert whole is not None
    assert resolved is not None
    assert resolved.content == whole.content
    assert await reader.source(mine, POSTER) == (True, {"nodes": []})
    assert await writer.drop_alias(mine, "poster", "prod")
    assert await writer.archive(mine, "poster", archived=True)
