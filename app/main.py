"""The map of the service: what is made at start, who gets what, which routes there are."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version

from fastapi import FastAPI

from app import health, welcome
from app.assets.files_routes import router as files_router
from app.assets.repository.assets import AssetRepository
from app.assets.repository.outputs import OutputRepository
from app.assets.repository.sweeping import SweepRepository
from app.assets.routes import router as assets_router
from app.assets.service import AssetService
from app.assets.sweep import AssetSweep
from app.config import Settings
from app.db.postgres import Database, open_database
from app.db.redis import open_redis
from app.descriptors import room_for
from app.errors import install_error_handlers
from app.events.feed import Feed
from app.events.hub import EventHub, Move
from app.events.repository import EventRepository
from app.events.streams import Streams
from app.events.tail import Tails
from app.identity.repository import IdentityRepository
from app.identity.service import IdentityService
from app.jobs.asked import AskedService
from app.jobs.capacity import WaitingRoom
from app.jobs.claiming import ClaimService
from app.jobs.dispatch.celery import CeleryBell
from app.jobs.event_routes import router as events_router
from app.jobs.executor_routes import router as executor_router
from app.jobs.idempotency import Replays
from app.jobs.lifecycle import Lifecycle
from app.jobs.notice import JobNotices, LastingLinks
from app.jobs.reaper import Reaper
from app.jobs.redispatch import Redispatch
from app.jobs.repository.claims import ClaimRepository
from app.jobs.repository.queries import JobQueries
from app.jobs.repository.ready import ReadyRepository
from app.jobs.repository.reaping import ReapingRepository
from app.jobs.repository.retention import RetentionRepository
from app.jobs.repository.retrying import RetryRepository
from app.jobs.repository.transitions import TransitionRepository
from app.jobs.retention import Retention
from app.jobs.retry import RetryService
from app.jobs.retry_routes import router as retry_router
from app.jobs.routes import router as jobs_router
from app.jobs.secrets import SecretBox
from app.jobs.service import JobService
from app.jobs.stream import JobStream
from app.jobs.submit import SubmitService
from app.jobs.tokens import Tokens
from app.jobs.waiting import JobWaiter
from app.jobs.workspace_stream import WorkspaceStream
from app.maintenance.repository import MaintenanceRepository
from app.maintenance.service import Duty, Maintenance
from app.middleware import Gate, allowed_hosts
from app.observability.routes import router as metrics_router
from app.observability.service import Observability
from app.openapi.pages import install_docs
from app.origin import Origins
from app.provided import provide
from app.safe_http import SafeHttp, open_safe_http
from app.secret import Keyring
from app.storage_choice import open_storage, say_where
from app.webhooks.courier import Courier
from app.webhooks.duties import WebhookRound, WebhookSweep
from app.webhooks.repository.deliveries import DeliveryRepository
from app.webhooks.repository.endpoints import EndpointRepository
from app.webhooks.repository.outbox import OutboxRepository
from app.webhooks.routes import router as webhooks_router
from app.webhooks.service import DeliveryService, EndpointService
from app.webhooks.signing import Signing
from app.workflows.environments.repository import EnvironmentRepository
from app.workflows.environments.service import EnvironmentService
from app.workflows.registry.kept import KeptContents
from app.workflows.registry.repository.reading import RegistryReader
from app.workflows.registry.repository.writing import RegistryWriter
from app.workflows.registry.routes import router as workflows_router
from app.workflows.registry.service import PinService, RegistryService
from app.workflows.registry.version_routes import router as versions_router
from storage.protocol import Storage

log = logging.getLogger(__name__)

CANCEL_AGAIN_AFTER_S = 2.0
START_TIMEOUT_S = 600.0
"""Lease of a dispatched GPU call until it claims: image pull and boot included."""
WEBHOOK_LEASE_S = 60.0
"""Of an attempt: longer than its longest time-out, so that only a dead front door loses it."""


def create_app(settings: Settings) -> FastAPI:
    """The application; everything it needs is made when it starts and closed when it ends."""
    observability = Observability.of(settings)
    app = FastAPI(
        title="Comfyburst",
        version=version("comfyburst"),
        lifespan=lambda app: _lifespan(app, settings, observability),
        redirect_slashes=False,  # the official client cannot follow a redirect of its upload
        openapi_url=None,  # served by app.openapi, as is /docs
        telemetry=observability.tracing.requests(),
    )
    app.add_middleware(
        Gate,
        hosts=allowed_hosts(settings.public_url, settings.allowed_hosts),
        origins=frozenset({settings.public_url} if settings.public_url else ()),
    )
    observability.measure(app)
    install_error_handlers(app)
    # First, since routes are tried in turn, and nothing is asked as often as `/internal`.
    app.include_router(executor_router, include_in_schema=False)
    for router in (
        welcome.router,
        health.router,
        metrics_router,
        jobs_router,
        retry_router,
        events_router,
        assets_router,
        files_router,
        webhooks_router,
        workflows_router,
        versions_router,
    ):
        app.include_router(router)
    install_docs(app)
    return app


@asynccontextmanager
async def _lifespan(
    app: FastAPI, settings: Settings, observability: Observability
) -> AsyncGenerator[dict[str, Callable[[], None]]]:
    async with AsyncExitStack() as stack:
        stack.callback(observability.tracing.close)
        database = await stack.enter_async_context(
            open_database(
                settings.database_url,
                size=settings.database_pool_size,
                timeout_s=settings.database_timeout_s,
                pooler=settings.database_pooler,
            )
        )
        redis = await stack.enter_async_context(open_redis(settings.redis_url))
        bell = CeleryBell(settings.redis_url)
        if settings.redis_url:
            bell.start()
            stack.callback(bell.stop)
        hub = EventHub()
        identity_repository = IdentityRepository(database)

        def moved(move: Move) -> None:
            observability.moved(move)
            if move.notifies:
                webhooks.courier.wake()

        feed = Feed(hub, redis, lambda: identity.forget(), moved)
        identity = IdentityService(identity_repository, feed.reliable)
        keyring = Keyring.load(settings)
        storage = await stack.enter_async_context(open_storage(settings, keyring))
        streams = Streams(room_for(settings.max_streams), settings.stream_stall_s)
        parts = _Parts(
            settings, database, hub, streams, feed, bell, keyring, storage, observability
        )
        http = await stack.enter_async_context(
            open_safe_http(allow_private=settings.allow_private_urls)
        )
        webhooks = _Webhooks.of(settings, database, keyring, http, observability)
        provide(app, webhooks.endpoints, webhooks.deliveries)
        parts.provide(app, identity, webhooks.endpoints)
        readiness = health.Readiness(database)
        provide(app, readiness, observability.scrape(database, redis, hub, feed))
        for work in (
            feed.run(),
            parts.maintenance(readiness, webhooks.duties).run(),
            webhooks.courier.run(),
            observability.metrics.watch_loop(),
            say_where(storage),
        ):
            await stack.enter_async_context(_background(asyncio.ensure_future(work)))

        def leave() -> None:
            if not hub.leaving:  # told once for every connection
                hub.leave()
                streams.leave()

        yield {"leave": leave}


@asynccontextmanager
async def _background(task: "asyncio.Future[None]") -> AsyncGenerator[None]:
    task.add_done_callback(_say_why)
    try:
        yield
    finally:
        # More than once: a library may take the cancel for a time-out of its own and go on.
        while not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=CANCEL_AGAIN_AFTER_S)


def _say_why(task: "asyncio.Future[None]") -> None:
    if not task.cancelled() and task.exception() is not None:
        log.critical("a background task ended", exc_info=task.exception())


@dataclass(frozen=True, slots=True)
class _Webhooks:
    """Puts the slice of webhooks together: it hears of jobs by callables alone."""

    courier: Courier
    endpoints: EndpointService
    deliveries: DeliveryService
    duties: tuple[Duty, ...]

    @classmethod
    def of(
        cls,
        settings: Settings,
        database: Database,
        keyring: Keyring,
        http: SafeHttp,
        observability: Observability,
    ) -> "_Webhooks":
        signing, endpoints = Signing(keyring), EndpointRepository(database)
        outbox = OutboxRepository(database, WEBHOOK_LEASE_S)
        public_url = settings.public_url or f"http://127.0.0.1:{settings.port}"
        notices = JobNotices(JobQueries(database), LastingLinks(public_url.rstrip("/")))
        courier = Courier(
            outbox,
            http,
            signing,
            notices.render,
            settings.webhook_timeout_s,
            observability.metrics.webhooks.attempted,
        )
        return cls(
            courier,
            EndpointService(endpoints, signing, http, settings.max_webhook_endpoints),
            DeliveryService(DeliveryRepository(database), courier.wake),
            (
                WebhookRound(courier.wake),
                WebhookSweep(outbox, endpoints, settings.retention_s, settings.sweep_every_s),
            ),
        )


@dataclass(frozen=True, slots=True)
class _Parts:
    """Puts the slices together, from the lowest to the highest."""

    settings: Settings
    database: Database
    hub: EventHub
    streams: Streams
    feed: Feed
    bell: CeleryBell
    keyring: Keyring
    storage: Storage
    observability: Observability

    def provide(self, app: FastAPI, identity: IdentityService, webhooks: EndpointService) -> None:
        settings, database, feed = self.settings, self.database, self.feed
        keyring, storage = self.keyring, self.observability.storage(self.storage)
        internal_url = settings.internal_url or f"http://127.0.0.1:{settings.port}"
        assets, events = AssetRepository(database), EventRepository(database)
        registry = RegistryReader(database)
        environments = EnvironmentService(EnvironmentRepository(database))
        transitions = TransitionRepository(database, settings.lease_s)
        queries = JobQueries(database)
        secrets, tokens = SecretBox(keyring), Tokens(keyring)
        replays = Replays(queries, settings.idempotency)
        room = WaitingRoom(ReadyRepository(database), settings.max_queued)
        provide(
            app,
            settings,
            identity,
            tokens,
            environments,
            Origins(settings.public_url),
            AssetService(assets, storage, settings.max_upload_bytes, settings.asset_retention_s),
            JobService(queries, events, transitions, feed),
            JobWaiter(queries, self.hub, feed),
            self.streams,
            JobStream(queries, Tails(events, self.hub), self.hub, feed),
            WorkspaceStream(events, self.hub, feed),
            SubmitService(
                transitions=transitions,
                webhooks=webhooks,
                assets=assets,
                asked=AskedService(
                    PinService(registry, KeptContents(settings.workflow_cache_bytes)),
                    environments,
                    settings,
                ),
                replays=replays,
                room=room,
                secrets=secrets,
                feed=feed,
                wake=self.bell.wake,
                settings=settings,
            ),
            RegistryService(
                registry,
                RegistryWriter(database, settings.max_workflows, settings.max_workflow_versions),
                environments,
                settings,
            ),
            RetryService(
                repository=RetryRepository(database),
                queries=queries,
                assets=assets,
                environments=environments,
                replays=replays,
                room=room,
                secrets=secrets,
                feed=feed,
                wake=self.bell.wake,
                settings=settings,
            ),
            ClaimService(
                claims=ClaimRepository(database, settings.lease_s, settings.max_running),
                assets=assets,
                storage=storage,
                secrets=secrets,
                tokens=tokens,
                feed=feed,
                settings=settings,
                files_origin=internal_url,
            ),
            Lifecycle(
                transitions=transitions,
                queries=queries,
                outputs=OutputRepository(database, settings.max_outputs, settings.max_output_bytes),
                storage=storage,
                feed=feed,
                settings=settings,
                files_origin=internal_url,
            ),
            storage=self.storage,  # as it is: routes ask which kind it is
        )

    def maintenance(self, readiness: health.Readiness, more: tuple[Duty, ...]) -> Maintenance:
        settings = self.settings
        reaping = ReapingRepository(
            self.database,
            lease_s=settings.lease_s,
            start_timeout_s=START_TIMEOUT_S,
            cancel_grace_s=settings.cancel_grace_s,
        )
        duties: tuple[Duty, ...] = (
            Reaper(reaping, self.feed, readiness.confirmed, settings.reap_every_s),
            Redispatch(ReadyRepository(self.database), self.bell.wake),
            Retention(
                RetentionRepository(self.database, settings.idempotency_s),
                settings.sweep_every_s,
            ),
            AssetSweep(
                SweepRepository(self.database, settings.sweep_after_s),
                self.observability.storage(self.storage),
                settings.sweep_every_s,
            ),
            *more,
        )
        watched = tuple(map(self.observability.duty, duties))
        return Maintenance(MaintenanceRepository(self.database), watched)
