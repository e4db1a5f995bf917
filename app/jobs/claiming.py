"""Turning a claim into a ticket: everything one run needs, and nothing that opens another door."""

import logging
from dataclasses import dataclass

from app.assets.repository.assets import AssetRepository
from app.assets.service import delivery_of
from app.config import Settings
from app.errors import AppError
from app.events.feed import Feed
from app.jobs.models import Claimed
from app.jobs.repository.claims import Claim, ClaimRepository, Worker
from app.jobs.repository.transitions import Fence
from app.jobs.secrets import SecretBox
from app.jobs.tokens import ClaimGrant, Tokens, WorkerGrant
from app.logs import learnt
from gpu_functions.contract import ClaimRequest, Limits, Ticket, TicketInput
from storage.protocol import Storage

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ClaimService:
    """Starts jobs for executors."""

    claims: ClaimRepository
    assets: AssetRepository
    storage: Storage
    secrets: SecretBox
    tokens: Tokens
    feed: Feed
    settings: Settings
    files_origin: str

    async def for_worker(self, grant: WorkerGrant, request: ClaimRequest) -> Ticket | None:
        """The best ready job that the worker may run; None if there is none.

        Raises:
            AppError: 403 `forbidden`: another environment than the token names.
        """
        if request.backend != "local" or not grant.serves_environment(request.environment):
            raise AppError(403, "forbidden", "This token is not for that backend or environment.")
        worker = Worker(grant.worker_id, grant.workspaces, grant.slots)
        claimed = await self.claims.next_local(_claim(request), worker)
        return await self._ticket(claimed, request) if claimed else None

    async def for_call(self, grant: ClaimGrant, request: ClaimRequest) -> Ticket:
        """The job of one GPU call.

        Raises:
            AppError: 409 `claim_refused`: the job has ended or runs elsewhere; return quietly.
        """
        claimed = await self.claims.dispatched(_claim(request), grant.job_id, grant.dispatch_id)
        if claimed is None:
            left_s = await self.claims.lease_left_s(grant.job_id, grant.dispatch_id)
            raise AppError(
                409,
                "claim_refused",
                "This job is not to be started by this call.",
                headers={"Retry-After": str(int(left_s) + 1)} if left_s else None,
            )
        return await self._ticket(claimed, request)

    async def _ticket(self, claimed: Claimed, request: ClaimRequest) -> Ticket:
        moved = claimed.moved
        self.feed.moved(moved.told(started=True))
        learnt(epoch=moved.epoch)
        log.info("job started", extra={**moved.ids(), "executor_id": request.executor_id})
        fence = Fence(moved.id, moved.epoch)
        return Ticket(
            job_id=moved.id,
            workspace_id=moved.workspace_id,
            epoch=moved.epoch,
            environment=claimed.environment,
            graph=claimed.graph,
            inputs=await self._inputs(claimed),
            extra_data=self.secrets.open(moved.id, claimed.secrets),
            limits=Limits(
                deadline_s=claimed.deadline_in_s,
                stall_timeout_s=self.settings.stall_timeout_s,
                max_outputs=self.settings.max_outputs,
                max_output_bytes=self.settings.max_output_bytes,
            ),
            lease_s=self.settings.lease_s,
            heartbeat_s=self.settings.heartbeat_s,
            event_token=self.tokens.events(fence, claimed.deadline_in_s),
            strip_metadata=claimed.strip_metadata,
        )

    async def _inputs(self, claimed: Claimed) -> list[TicketInput]:
        if not claimed.inputs:
            return []
        found = await self.assets.held(
            claimed.moved.workspace_id, [i.asset_id for i in claimed.inputs]
        )
        # An asset deleted since is left out: the run then fails with the name of the node.
        return [
            TicketInput(
                file_name=wanted.file_name,
                url=self.storage.sign_get(
                    asset.storage_key,
                    origin=self.files_origin,
                    delivery=delivery_of(asset),
                    expires_s=self.settings.url_expires_s,
                ),
                size_bytes=asset.size_bytes,
                blake3=asset.blake3.hex() if asset.blake3 else None,
            )
            for wanted in claimed.inputs
            if (asset := found.get(wanted.asset_id))
        ]


def _claim(request: ClaimRequest) -> Claim:
    return Claim(
        claim_id=request.claim_id,
        environment=request.environment,
        environment_digest=request.environment_digest,
        executor_id=request.executor_id,
    )
