"""No bytes without an owner, no asset past its time, and nothing that somebody still needs."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest

from app.assets.models import NewBlob, NewOutput
from app.assets.repository.assets import AssetRepository
from app.assets.repository.sweeping import SweepRepository
from app.assets.service import AssetService, UploadRequest
from app.assets.sweep import AssetSweep
from app.errors import AppError
from app.identity.repository import IdentityRepository
from app.ids import uuid7
from app.jobs.models import JobInput
from app.jobs.repository.retention import RetentionRepository
from app.jobs.repository.transitions import Fence
from storage.local import LocalStorage
from tests.app.conftest import Machine

ERROR = {"code": "lost", "message": "x"}


class Files:
    """The asset service, its sweep without any patience, and the folder beneath."""

    def __init__(self, machine: Machine, folder: Path) -> None:
        self.machine = machine
        self.folder = folder
        self.storage = LocalStorage(folder, b"k" * 32)
        self.assets = AssetRepository(machine.database)
        self.service = AssetService(self.assets, self.storage, 1_000, retention_s=None)

    async def upload(
        self, content: bytes, path: str = "a.png", expires_in_s: int | None = None
    ) -> UUID:
        """Upload; returns the asset's id."""
        request = UploadRequest(path, None, [], expires_in_s)
        asset, _ = await self.service.upload(self.machine.workspace_id, request, once(content))
        return asset.id

    async def output(self, fence: Fence, client_seq: int = 1, *, announced: bool = True) -> UUID:
        """An output of a run, in storage and, if announced, in the job."""
        asset_id = uuid7()
        output = NewOutput("9", f"{asset_id}.png", "image", "image/png", 3)
        key = await self.machine.outputs.register(fence.job_id, fence.epoch, asset_id, output)
        assert key is not None
        upload = await self.storage.begin_upload(key)
        await upload.write(b"png")
        assert await upload.commit()
        if announced:
            moved = await self.machine.transitions.output(fence, client_seq, asset_id, None)
            assert moved is not None
        return asset_id

    async def sweep(self, after_s: float = 0.0) -> None:
        """What maintenance does."""
        await AssetSweep(SweepRepository(self.machine.database, after_s), self.storage, 60).run("t")

    async def exists(self, asset_id: UUID) -> bool:
        """Whether there is a record."""
        sql = "select 1 from app.assets where id = %(id)s"
        return await self.machine.database.one(sql, {"id": asset_id}) is not None

    def objects(self) -> list[Path]:
        """Every file in storage, finished or not."""
        return [path for path in self.folder.rglob("*") if path.is_file()]

    async def owners(self) -> int:
        """Rows that own an object."""
        rows = await self.machine.database.all("select storage_key from app.blobs")
        assert all(self.storage.path(row["storage_key"]).exists() for row in rows)
        return len(rows)


@pytest.fixture
def files(machine: Machine, tmp_path: Path) -> Files:
    """Files of one workspace."""
    return Files(machine, tmp_path / "storage")


async def once(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def cut(content: bytes) -> AsyncIterator[bytes]:
    yield content
    raise ConnectionResetError


async def test_a_deleted_upload_takes_its_bytes_with_it(files: Files) -> None:
    asset_id = await files.upload(b"x")
    await files.service.delete(files.machine.workspace_id, asset_id)
    assert len(files.objects()) == 1, "deleting costs the caller no storage call"
    await files.sweep()
    assert (files.objects(), await files.owners()) == ([], 0)


async def test_bytes_stay_while_another_asset_is_over_them(files: Files) -> None:
    first = await files.upload(b"same", "a.png")
    second = await files.upload(b"same", "b.png")
    await files.service.delete(files.machine.workspace_id, first)
    await files.sweep()
    assert (len(files.objects()), await files.exists(second)) == (1, True)
    await files.service.delete(files.machine.workspace_id, second)
    await files.sweep()
    assert files.objects() == []


async def test_bytes_are_left_alone_for_a_while(files: Files) -> None:
    asset_id = await files.upload(b"x")
    await files.service.delete(files.machine.workspace_id, asset_id)
    await files.sweep(after_s=60)
    assert len(files.objects()) == 1
    again = await files.upload(b"x")
    await files.sweep()
    assert (len(files.objects()), await files.exists(again)) == (1, True)


async def test_an_upload_that_broke_off_leaves_nothing(files: Files) -> None:
    request = UploadRequest("a.png", None, [], None)
    with pytest.raises(ConnectionResetError):
        await files.service.upload(files.machine.workspace_id, request, cut(b"half"))
    await files.sweep()
    assert (files.objects(), await files.owners()) == ([], 0)


async def test_a_refused_upload_leaves_nothing_even_before_the_sweep(files: Files) -> None:
    wrong = UploadRequest("a.png", "blake3:" + "00" * 32, [], None)
    with pytest.raises(AppError) as refusal:
        await files.service.upload(files.machine.workspace_id, wrong, once(b"x"))
    assert refusal.value.code == "hash_mismatch"
    assert (files.objects(), await files.owners()) == ([], 0)


async def test_an_object_whose_row_was_never_finished_is_deleted(files: Files) -> None:
    blob = NewBlob.of(files.machine.workspace_id)
    await files.assets.begin_blob(blob)
    upload = await files.storage.begin_upload(blob.storage_key)
    await upload.commit()  # and here the front door was killed
    await files.sweep()
    assert (files.objects(), await files.owners()) == ([], 0)


async def test_an_upload_that_outlives_the_patience_of_the_sweep_is_refused(files: Files) -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield b"x"
        await SweepRepository(files.machine.database, after_s=0.0).loose()
        yield b"y"

    request = UploadRequest("a.png", None, [], None)
    with pytest.raises(AppError) as refusal:
        await files.service.upload(files.machine.workspace_id, request, slow())
    assert refusal.value.code == "storage_unavailable"
    await files.sweep()
    assert (files.objects(), await files.owners()) == ([], 0)


async def test_an_asset_past_its_time_is_deleted_unless_a_live_job_needs_it(files: Files) -> None:
    needed = await files.upload(b"needed", "a.png", expires_in_s=60)
    unneeded = await files.upload(b"unneeded", "b.png", expires_in_s=60)
    forever = await files.upload(b"forever", "c.png")
    job_id = await files.machine.submit(inputs=[JobInput(needed, "a.png")])
    await files.machine.database.run("update app.assets set expires_at = now() - interval '1 s'")
    await files.machine.database.run(
        "update app.assets set expires_at = null where id = %(id)s", {"id": forever}
    )
    await files.sweep()
    assert [await files.exists(i) for i in (needed, unneeded, forever)] == [True, False, True]
    held = await files.assets.held(files.machine.workspace_id, [needed])
    assert needed in held, "the job still gets its input"
    await files.machine.transitions.cancel(files.machine.workspace_id, job_id)
    await files.sweep()
    assert not await files.exists(needed)


async def test_retention_only_grows(files: Files) -> None:
    asset_id = await files.upload(b"x", expires_in_s=600)
    longer = await files.assets.get(files.machine.workspace_id, asset_id)
    await files.upload(b"x", expires_in_s=60)
    assert await files.assets.get(files.machine.workspace_id, asset_id) == longer
    await files.upload(b"x")
    forever = await files.assets.get(files.machine.workspace_id, asset_id)
    assert forever is not None
    assert forever.expires_at is None


async def test_lost_bytes_are_healed_by_the_next_upload_of_them(files: Files) -> None:
    asset_id = await files.upload(b"x")
    [lost] = files.objects()
    lost.unlink()
    assert await files.upload(b"x") == asset_id
    await files.sweep()
    assert (len(files.objects()), await files.owners()) == (1, 1)


async def test_outputs_that_no_job_shows_are_deleted(files: Files) -> None:
    fence = await files.machine.start()
    shown = await files.output(fence)
    forgotten = await files.output(fence, announced=False)
    await files.sweep()
    assert await files.exists(forgotten), "its run goes on and may still announce it"
    await files.machine.transitions.succeed(fence, 2, {})
    await files.sweep()
    assert [await files.exists(i) for i in (shown, forgotten)] == [True, False]
    assert await files.owners() == 1


async def test_outputs_of_a_run_that_was_given_up_are_deleted_once_another_began(
    files: Files,
) -> None:
    fence = await files.machine.start()
    old = await files.output(fence)
    await files.machine.transitions.fail(fence, 2, ERROR, retryable=True, backoff_s=0)
    again = await files.machine.claim()
    assert again is not None
    new = await files.output(Fence(fence.job_id, again.moved.epoch))
    await files.sweep()
    assert [await files.exists(i) for i in (old, new)] == [False, True]


async def test_a_job_past_its_retention_goes_with_its_outputs(files: Files) -> None:
    fence = await files.machine.start()
    await files.output(fence)
    live = await files.machine.submit()
    await files.machine.transitions.succeed(fence, 2, {})
    await files.machine.database.run("update app.jobs set expires_at = now() - interval '1 s'")
    retention = RetentionRepository(files.machine.database, idempotency_s=60)
    assert await retention.delete_expired() == 1
    await files.sweep()
    assert (files.objects(), await files.owners()) == ([], 0)
    assert (await files.machine.row(live))["status"] == "queued", "a live job is never deleted"


async def test_a_job_stays_while_a_live_one_reads_its_output(files: Files) -> None:
    fence = await files.machine.start()
    asset_id = await files.output(fence)
    await files.machine.transitions.succeed(fence, 2, {})
    reader = await files.machine.submit(inputs=[JobInput(asset_id, "a.png")])
    await files.machine.database.run(
        "update app.jobs set expires_at = now() - interval '1 s' where id = %(id)s",
        {"id": fence.job_id},
    )
    retention = RetentionRepository(files.machine.database, idempotency_s=60)
    assert await retention.delete_expired() == 0
    await files.machine.transitions.cancel(files.machine.workspace_id, reader)
    assert await retention.delete_expired() == 1


async def test_the_bytes_of_two_workspaces_are_never_one_object(files: Files) -> None:
    await files.upload(b"same")
    other, _ = await IdentityRepository(files.machine.database).ensure_workspace("other")
    request = UploadRequest("a.png", None, [], None)
    _, is_new = await files.service.upload(other, request, once(b"same"))
    assert is_new, "another workspace's bytes are not known here"
    assert (len(files.objects()), await files.owners()) == (2, 2)


async def test_two_uploads_of_the_same_bytes_at_once_are_one_blob(files: Files) -> None:
    ids = await asyncio.gather(*(files.upload(b"same") for _ in range(8)))
    assert len(set(ids)) == 1
    await files.sweep()
    assert (len(files.objects()), await files.owners()) == (1, 1)
