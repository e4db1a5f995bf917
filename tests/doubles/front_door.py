"""The front door as an executor meets it: `gpu_functions.contract` over real HTTP, with faults.

Keeps the rules that executors rely on (epoch fence, dense client_seq, write-once uploads, claim_id)
and records everything it was told. Storage is part of it.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from aiohttp import web
from blake3 import blake3

from gpu_functions.contract import (
    Canceled,
    ClaimRequest,
    EnvironmentRegistration,
    EventBatch,
    EventReply,
    Failed,
    Interrupted,
    Limits,
    Message,
    OutputGrant,
    OutputRegistration,
    OutputStored,
    Preview,
    Progress,
    Succeeded,
    Ticket,
    TicketInput,
    Transition,
)

WORKER_TOKEN = "cbw_worker"
LOCAL_WORKSPACE = UUID(int=1)
_TERMINAL = Succeeded | Failed | Canceled | Interrupted


@dataclass
class JobRecord:
    """One job and everything that was said about it."""

    ticket: Ticket
    epoch: int = 1
    client_seq: int = 0
    events: list[Transition] = field(default_factory=list[Transition])
    progress: list[Progress] = field(default_factory=list[Progress])
    previews: list[Preview] = field(default_factory=list[Preview])
    batch_times: list[float] = field(default_factory=list[float])
    registered: dict[UUID, OutputRegistration] = field(
        default_factory=dict[UUID, OutputRegistration]
    )
    cancel: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    claimed_at: float = 0.0
    ended_at: float = 0.0

    @property
    def terminal(self) -> Succeeded | Failed | Canceled | Interrupted:
        """The one terminal event."""
        terminals = [event for event in self.events if isinstance(event, _TERMINAL)]
        assert len(terminals) == 1, terminals
        assert self.events[-1] is terminals[0]
        return terminals[0]

    @property
    def output_names(self) -> list[str]:
        """Names of the reported outputs, in order of their events."""
        return [
            self.registered[event.asset_id].name
            for event in self.events
            if isinstance(event, OutputStored)
        ]

    async def end(self, within_s: float = 20) -> Succeeded | Failed | Canceled | Interrupted:
        """Wait for the terminal event."""
        async with asyncio.timeout(within_s):
            await self.ended.wait()
        return self.terminal


@dataclass
class Faults:
    """What goes wrong, by kind of request: claims, environments, events, outputs, put, get."""

    unavailable_until: float = 0.0
    lose_replies: Counter[str] = field(default_factory=Counter[str])
    """Process so many requests of a kind and then drop the connection."""
    refuse: dict[str, web.Response] = field(default_factory=dict[str, web.Response])
    delay_s: dict[str, float] = field(default_factory=dict[str, float])
    expire_puts: int = 0
    forget_events_once: int | None = None
    """Go back to this client_seq before the next batch: a gap."""
    requests: Counter[str] = field(default_factory=Counter[str])


@dataclass
class FrontDoorDouble:
    """The service at the other end of the wire."""

    lease_s: float = 30.0
    heartbeat_s: float = 5.0
    deadline_s: float = 60.0
    stall_timeout_s: float = 30.0
    faults: Faults = field(default_factory=Faults)
    jobs: dict[UUID, JobRecord] = field(default_factory=dict[UUID, JobRecord])
    environments: dict[str, EnvironmentRegistration] = field(
        default_factory=dict[str, EnvironmentRegistration]
    )
    files: dict[str, bytes] = field(default_factory=dict[str, bytes])
    claims: list[ClaimRequest] = field(default_factory=list[ClaimRequest])
    workspace_id: UUID = LOCAL_WORKSPACE
    url: str = ""
    _waiting: deque[JobRecord] = field(default_factory=deque[JobRecord])
    _claimed: dict[UUID, JobRecord] = field(default_factory=dict[UUID, JobRecord])

    def submit(
        self,
        graph: dict[str, Any],
        *,
        inputs: dict[str, bytes] | None = None,
        workspace_id: UUID | None = None,
        queue: bool = True,
        strip_metadata: bool = False,
        **limits: float,
    ) -> JobRecord:
        """Make a job; `queue=False` for a test that runs the ticket itself."""
        job_id = uuid4()
        job = JobRecord(
            Ticket(
                job_id=job_id,
                workspace_id=workspace_id or self.workspace_id,
                epoch=1,
                environment="local",
                graph=graph,
                inputs=[self._input(name, data) for name, data in (inputs or {}).items()],
                extra_data={},
                limits=Limits(
                    deadline_s=limits.get("deadline_s", self.deadline_s),
                    stall_timeout_s=limits.get("stall_timeout_s", self.stall_timeout_s),
                    max_outputs=100,
                    max_output_bytes=10**9,
                ),
                lease_s=self.lease_s,
                heartbeat_s=self.heartbeat_s,
                event_token=f"{job_id}:1",
                strip_metadata=strip_metadata,
            )
        )
        self.jobs[job_id] = job
        if queue:
            self._waiting.append(job)
        return job

    def _input(self, name: str, data: bytes) -> TicketInput:
        self.files[name] = data
        return TicketInput(
            file_name=name,
            url=f"{self.url}/files/{name}",
            size_bytes=len(data),
            blake3=blake3(data).hexdigest(),
        )

    def output_bytes(self, job: JobRecord) -> list[bytes]:
        """The stored outputs, in order of their events."""
        return [
            self.files[str(event.asset_id)]
            for event in job.events
            if isinstance(event, OutputStored)
        ]

    # --- routes -------------------------------------------------------------------------------

    async def _claim(self, request: web.Request) -> web.Response:
        claim = ClaimRequest.model_validate_json(await request.read())
        self.claims.append(claim)
        job = self._claimed.get(claim.claim_id)
        if job is None and self._waiting:
            job = self._claimed[claim.claim_id] = self._waiting.popleft()
            job.claimed_at = time.perf_counter()
        return web.Response(status=204) if job is None else _json(job.ticket)

    async def _environment(self, request: web.Request) -> web.Response:
        name, digest = request.match_info["name"], request.match_info["digest"]
        registration = EnvironmentRegistration.model_validate_json(await request.read())
        self.environments[f"{name}/{digest}"] = registration
        return web.Response(status=204)

    async def _events(self, request: web.Request) -> web.Response:
        job, epoch = self._job(request)
        batch = EventBatch.model_validate_json(await request.read())
        job.batch_times.append(time.monotonic())
        if epoch != job.epoch:
            return _error(409, "stale_epoch")
        if job.ended.is_set():
            return _json(EventReply(stop=True, lease_s=self.lease_s))
        if self.faults.forget_events_once is not None:
            job.client_seq = self.faults.forget_events_once
            job.events = job.events[: job.client_seq]
            self.faults.forget_events_once = None
        for numbered in batch.transitions:
            if numbered.client_seq > job.client_seq + 1:
                return _error(409, "event_gap", expected=job.client_seq + 1)
            if numbered.client_seq == job.client_seq + 1:
                self._take(job, numbered.event)
        job.progress += [batch.progress] if batch.progress else []
        job.previews += [batch.preview] if batch.preview else []
        return _json(EventReply(cancel=job.cancel, lease_s=self.lease_s))

    def _take(self, job: JobRecord, event: Transition) -> None:
        if isinstance(event, OutputStored):
            assert str(event.asset_id) in self.files, "reported before it was stored"
        job.client_seq += 1
        job.events.append(event)
        if isinstance(event, _TERMINAL):
            job.ended_at = time.perf_counter()
            job.ended.set()

    async def _outputs(self, request: web.Request) -> web.Response:
        job, epoch = self._job(request)
        if epoch != job.epoch:
            return _error(409, "stale_epoch")
        registration = OutputRegistration.model_validate_json(await request.read())
        asset_id = uuid4()
        job.registered[asset_id] = registration
        return _json(
            OutputGrant(
                asset_id=asset_id,
                url=f"{self.url}/files/{asset_id}?size={registration.size_bytes}",
                headers={
                    "Content-Length": str(registration.size_bytes),
                    "Content-Type": registration.content_type,
                    "If-None-Match": "*",
                },
            )
        )

    async def _put(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if self.faults.expire_puts:
            self.faults.expire_puts -= 1
            return web.Response(status=403)
        if request.headers.get("If-None-Match") != "*" or name in self.files:
            return web.Response(status=412)
        data = await request.read()
        if len(data) != int(request.query["size"]):
            return web.Response(status=400)
        self.files[name] = data
        return web.Response(status=200)

    async def _get(self, request: web.Request) -> web.Response:
        data = self.files.get(request.match_info["name"])
        return web.Response(status=404) if data is None else web.Response(body=data)

    def _job(self, request: web.Request) -> tuple[JobRecord, int]:
        job_id, _, epoch = request.headers["Authorization"].removeprefix("Bearer ").partition(":")
        assert job_id == request.match_info["job_id"]
        return self.jobs[UUID(job_id)], int(epoch)

    # --- faults -------------------------------------------------------------------------------

    @web.middleware
    async def _faulty(self, request: web.Request, handler: Any) -> web.StreamResponse:
        kind = _kind(request)
        self.faults.requests[kind] += 1
        if time.monotonic() < self.faults.unavailable_until:
            return web.Response(status=503, text="not now")
        if kind in self.faults.refuse:
            return self.faults.refuse[kind]
        if kind in ("claims", "environments"):
            assert request.headers["Authorization"] == f"Bearer {WORKER_TOKEN}"
        await asyncio.sleep(self.faults.delay_s.get(kind, 0))
        reply = await handler(request)
        if self.faults.lose_replies[kind] > 0:
            self.faults.lose_replies[kind] -= 1
            assert request.transport is not None
            request.transport.close()
        return reply

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator["FrontDoorDouble", None]:
        """Listen on a free loopback port."""
        application = web.Application(middlewares=[self._faulty], client_max_size=10**9)
        application.add_routes(
            [
                web.post("/internal/claims", self._claim),
                web.put("/internal/environments/{name}/{digest}", self._environment),
                web.post("/internal/jobs/{job_id}/events", self._events),
                web.post("/internal/jobs/{job_id}/outputs", self._outputs),
                web.put("/files/{name}", self._put),
                web.get("/files/{name}", self._get),
            ]
        )
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()


async def eventually(condition: Callable[[], bool], within_s: float = 10) -> None:
    """Wait for something that no event announces. Raises TimeoutError."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def _kind(request: web.Request) -> str:
    if request.path.startswith("/files"):
        return request.method.lower()
    return (
        request.path.rsplit("/", 1)[-1] if "/jobs/" in request.path else request.path.split("/")[2]
    )


def _json(message: Message) -> web.Response:
    return web.Response(text=message.model_dump_json(), content_type="application/json")


def _error(status: int, code: str, **details: object) -> web.Response:
    return web.json_response(
        {"error": {"code": code, "message": code, "details": details}}, status=status
    )
