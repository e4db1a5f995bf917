"""From a request to a row: check the graph, resolve its files, choose where it runs, record it.

Nothing but one statement is on the submit path once the graph is checked; waking a worker comes
after the commit, off the path (DESIGN §3).
"""

import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from app.assets.media import clean_basename
from app.assets.models import Asset
from app.assets.repository.assets import AssetRepository
from app.config import Settings
from app.db.postgres import Row
from app.errors import AppError
from app.events.feed import Feed
from app.identity.keys import is_well_formed
from app.ids import uuid7
from app.jobs.asked import Asked, AskedService
from app.jobs.capacity import WaitingRoom
from app.jobs.dispatch.routing import choose_backend
from app.jobs.idempotency import Replays, check_key
from app.jobs.models import Job, JobInput, JsonObject, NewJob, NewWebhook
from app.jobs.repository.transitions import TransitionRepository, moved
from app.jobs.schemas import ExtraData, JobRequest
from app.jobs.secrets import SecretBox
from app.webhooks.service import EndpointService
from app.workflows.files import FileRefs, find_files, place_files
from app.workflows.graph import Graph, NodeErrors, invalid_workflow
from app.workflows.refusal import summary
from app.workflows.sanitise import check_paths, sanitised
from app.workflows.validate import validate

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SubmitService:
    """Records jobs."""

    transitions: TransitionRepository
    assets: AssetRepository
    asked: AskedService
    replays: Replays
    room: WaitingRoom
    secrets: SecretBox
    webhooks: EndpointService
    feed: Feed
    wake: Callable[[str], None]
    settings: Settings

    async def submit(
        self, workspace_id: UUID, request: JobRequest, idempotency_key: str | None
    ) -> tuple[Job, bool]:
        """Record a job; returns it and whether it is the replay of an earlier one.

        Raises:
            AppError: 400 `invalid_request`, 422 `invalid_workflow`, `workflow_format_ui`,
                `missing_asset`, `backend_unavailable`, `idempotency_key_reuse`, `invalid_inputs`,
                `invalid_webhook_url`, 404 `workflow_not_found`, `version_not_found`, 409
                `workflow_archived`, 429 `queue_full`.
        """
        check_key(idempotency_key)
        request_hash = _hash(request) if idempotency_key else None
        made = await self._made(workspace_id, request, idempotency_key, request_hash)
        if made is None:
            assert idempotency_key is not None
            assert request_hash is not None
            earlier = await self.replays.earlier(workspace_id, idempotency_key, request_hash)
            return earlier, True
        new, row = made
        recorded = moved(row)
        self.feed.moved(recorded.told())
        self.wake(new.backend)
        log.info("job recorded", extra={**recorded.ids(), "backend": new.backend})
        return _recorded(new, row), False

    async def dry_run(self, workspace_id: UUID, request: JobRequest) -> NewJob:
        """What a submit would record; raises as it does, but for what a key or a full queue refuses."""
        return await self._prepare(workspace_id, request, None, None)

    async def _made(
        self, workspace_id: UUID, request: JobRequest, key: str | None, request_hash: bytes | None
    ) -> tuple[NewJob, Row] | None:
        """A new job and its row, or None where the key is taken."""
        try:
            new = await self._prepare(workspace_id, request, key, request_hash)
            await self.room.enter(workspace_id)
        except AppError:
            # A full queue, or a workflow archived since.
            if await self.replays.knows(workspace_id, key):
                return None
            raise
        row = await self.transitions.submit(new)
        return (new, row) if row else None

    async def _prepare(
        self,
        workspace_id: UUID,
        request: JobRequest,
        idempotency_key: str | None,
        request_hash: bytes | None,
    ) -> NewJob:
        asked = await self.asked.read(workspace_id, request)
        choice = choose_backend(asked.environment_name, asked.environment, workspace_id)
        graph, inputs = await self._checked(workspace_id, asked)
        job_id = uuid7()
        return NewJob(
            id=job_id,
            workspace_id=workspace_id,
            backend=choice.backend,
            backend_reason=choice.reason,
            environment=asked.environment_name,
            graph=graph,
            graph_hash=_sha256(graph),
            inputs=inputs,
            metadata=request.metadata or {},
            tags=request.tags,
            priority=request.priority,
            max_tries=request.max_tries or self.settings.max_tries,
            start_within_s=self.settings.start_within_s,
            deadline_s=request.deadline_s or self.settings.deadline_s,
            retention_s=self.settings.retention_s,
            idempotency_key=idempotency_key,
            request_hash=request_hash,
            secrets=self.secrets.seal(job_id, partner_keys(request.extra_data)),
            webhook=self._webhook(request.webhook_url),
            strip_metadata=request.strip_metadata,
            version=asked.version,
            workflow_inputs=asked.inputs,
        )

    def _webhook(self, url: str | None) -> NewWebhook | None:
        if url is None:
            return None
        self.webhooks.check_url(url)
        signer = self.webhooks.signing.new_signer()
        return NewWebhook(url, signer.id, signer.secret)

    async def _checked(self, workspace_id: UUID, asked: Asked) -> tuple[Graph, list[JobInput]]:
        object_info = asked.object_info
        refs = find_files(asked.graph, object_info)
        found = await self._resolve(workspace_id, refs, asked)
        graph = place_files(asked.graph, refs, {use: name for use, (name, _) in found.items()})
        errors = NodeErrors()
        check_paths(graph, object_info, errors)
        validate(graph, object_info, errors)
        if errors:
            asked.name_inputs(errors)
            raise invalid_workflow(summary(graph, errors, asked.environment), errors)
        inputs = {name: asset.id for name, asset in found.values()}
        return sanitised(graph, object_info), [JobInput(i, name) for name, i in inputs.items()]

    async def _resolve(
        self, workspace_id: UUID, refs: FileRefs, asked: Asked
    ) -> dict[str, tuple[str, Asset]]:
        """For every reference the name its file gets, and the asset; names missing ones at once."""
        by_id = await self.assets.by_ids(workspace_id, refs.asset_ids) if refs.asset_ids else {}
        by_path = await self.assets.newest_of_paths(workspace_id, refs.paths) if refs.paths else {}
        missing_ids = [str(i) for i in refs.asset_ids if i not in by_id]
        missing_ids += refs.malformed
        missing_paths = [path for path in refs.paths if path not in by_path]
        if missing_ids or missing_paths:
            raise _missing(missing_ids, missing_paths, refs, asked)
        found = {str(i): (_file_name(asset), asset) for i, asset in by_id.items()}
        found |= {path: (_file_name(asset), asset) for path, asset in by_path.items()}
        return found


def _hash(request: JobRequest) -> bytes:
    # Secrets take no part: a hash of a key would be a trace of it. Nor does what is as ever: a
    # field that a new version adds must not make a repeated request another one.
    told = request.model_dump(mode="json", exclude={"extra_data"}, exclude_defaults=True)
    if isinstance(request.workflow, str) and request.named_environment:
        told["environment"] = request.named_environment  # where it is left out, the version says it
    return _sha256(told)


def _sha256(content: Mapping[str, Any]) -> bytes:
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).digest()


def partner_keys(extra_data: ExtraData | None) -> dict[str, str]:
    """The keys that nodes are to have."""
    given = extra_data.model_dump(exclude_none=True) if extra_data else {}
    # comfy-cli sends the key of the deployment, which is one of ours, where it has no other: nodes
    # must not see it.
    return {name: key for name, key in given.items() if not is_well_formed(key)}


def _file_name(asset: Asset) -> str:
    # Unique by content, so that equal names never meet in ComfyUI's input folder and its cache,
    # which hashes content, is right.
    digest = asset.blake3.hex()[:16] if asset.blake3 else asset.id.hex
    return f"{digest}-{clean_basename(asset.file_path)}"


def _missing(ids: list[str], paths: list[str], refs: FileRefs, asked: Asked) -> AppError:
    errors = NodeErrors()
    for name in [*ids, *paths]:
        for node_id, field in refs.uses.get(name, []):
            errors.add(node_id, field, "missing_asset", f"There is no file {name[:200]!r}.")
    asked.name_inputs(errors)
    named = ", ".join([*ids, *paths][:10])
    return AppError(
        422,
        "missing_asset",
        f"The workflow names files that this workspace does not have: {named}. Upload them first.",
        details={"missing_ids": ids, "missing_paths": paths, "node_errors": dict(errors)},
    )


def _recorded(new: NewJob, row: JsonObject) -> Job:
    return Job(
        id=new.id,
        workspace_id=new.workspace_id,
        status=row["status"],
        backend=new.backend,
        backend_reason=new.backend_reason,
        environment=new.environment,
        outputs=[],
        progress=None,
        metadata=new.metadata,
        tags=new.tags,
        log_bytes=0,
        epoch=row["epoch"],
        tries=0,
        max_tries=row["max_tries"],
        seq=row["seq"],
        priority=new.priority,
        run_after=row["run_after"],
        cancel_requested_at=None,
        error=None,
        created_at=row["created_at"],
        started_at=None,
        ended_at=None,
        expires_at=row["expires_at"],
        queue_position=None,
        retry_of=None,
        workflow=new.workflow,
        workflow_inputs=new.workflow_inputs,
    )
