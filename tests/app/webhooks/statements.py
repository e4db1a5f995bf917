"""Every statement of webhooks once, for databases of other versions."""

from app.secret import Keyring
from app.webhooks.models import DeliveryFilter
from app.webhooks.repository.deliveries import DeliveryRepository, Place, Standing
from app.webhooks.repository.endpoints import Change, EndpointRepository
from app.webhooks.repository.outbox import OutboxRepository
from app.webhooks.schedule import Verdict
from app.webhooks.signing import Signing
from tests.app.conftest import Machine


async def webhooks_work(machine: Machine) -> None:
    """Every statement of webhooks, on the database of that machine."""
    endpoints, deliveries = (
        EndpointRepository(machine.database),
        DeliveryRepository(machine.database),
    )
    outbox = OutboxRepository(machine.database, lease_s=60.0)
    workspace_id, signing = machine.workspace_id, Signing(Keyring(b"k" * 32))
    signer = signing.new_signer()
    new = Change(url="https://example.com/")
    assert await endpoints.create(workspace_id, signer, new, at_most=1)
    assert await endpoints.create(workspace_id, signing.new_signer(), new, at_most=1) is None
    assert await endpoints.rotate(workspace_id, signer.id, signing.new_secret(signer.id), 60)
    assert await endpoints.own(workspace_id, signing.new_signer())
    assert await endpoints.update(workspace_id, signer.id, Change(events=["job.canceled"]))
    job_id = await machine.submit()
    moved = await machine.transitions.cancel(workspace_id, job_id)
    assert moved is not None
    assert moved.notifies
    [due] = await outbox.claim(5)
    assert await outbox.keep(due, "{}") == "{}"
    await outbox.give_back([due])
    [due] = await outbox.claim(5)
    assert await outbox.settle(due, Verdict("dropped", disable="gone"), None)
    assert not await deliveries.redeliver(workspace_id, due.id)
    assert await deliveries.standing(workspace_id, due.id) == Standing(2, is_wanted=False)
    assert await deliveries.test(workspace_id, signer.id)
    wanted = DeliveryFilter("dropped", "job.canceled", job_id, signer.id)
    [listed] = await deliveries.list(workspace_id, after=None, limit=2, wanted=wanted)
    assert await deliveries.get(workspace_id, due.id) == listed
    place = Place(listed.created_at, listed.id)
    assert await deliveries.list(workspace_id, after=place, limit=2, wanted=wanted) == []
    assert await endpoints.get(workspace_id, signer.id) in await endpoints.list(workspace_id)
    assert await endpoints.delete(workspace_id, signer.id)
    assert [await outbox.sweep(60.0, 10), await endpoints.sweep(60.0, 10)] == [0, 0]
