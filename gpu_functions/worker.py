"""The local worker: keeps a ComfyUI ready, registers it, claims, runs, and asks again.

The bell (Celery) only shortens the wait: a worker that heard nothing for 5 s asks by itself, so it
works without Redis.
"""

import asyncio
import logging
import os
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    wait_random_exponential,
)

from gpu_functions.comfyui.client import ComfyUnreachableError
from gpu_functions.comfyui.graph import output_classes
from gpu_functions.comfyui.process import ComfyHost, ComfyUnavailableError
from gpu_functions.comfyui.redact import Redactor
from gpu_functions.comfyui.watch import Watch
from gpu_functions.contract import ClaimRequest, Ticket
from gpu_functions.environment import Environment, describe
from gpu_functions.executor import Executor, Outcome, run_ticket
from gpu_functions.front_door import FrontDoor, RefusedError, StaleEpochError, patiently
from gpu_functions.log import about
from gpu_functions.settings import WorkerSettings
from gpu_functions.transfer import Transfer

log = logging.getLogger(__name__)

_ASK_EVERY_S = 5.0
_LAST_CLAIM_S = 0.5
_NOT_READY = (ComfyUnavailableError, ComfyUnreachableError, RefusedError, StaleEpochError)
_LOST_IN_A_ROW = 3
_PARK_S = 60.0
"""A worker that loses every claim would use up the starts of job after job (security.md §2)."""


@dataclass(slots=True)
class Worker:
    """The loop. `bell` is rung from outside, `shutdown` ends it."""

    settings: WorkerSettings
    front_door: FrontDoor
    comfy: ComfyHost
    transfer: Transfer
    bell: asyncio.Event = field(default_factory=asyncio.Event)
    shutdown: asyncio.Event = field(default_factory=asyncio.Event)
    ask_every_s: float = _ASK_EVERY_S
    park_s: float = _PARK_S
    in_hand: Ticket | None = None
    """The job that runs now."""
    _registered: str = ""
    _prepared: tuple[str, Executor, Environment] | None = None
    _lost: int = 0
    _watch: Watch = field(default_factory=Watch)

    async def run(self) -> None:
        """Work until `shutdown`; a job in hand is given back."""
        loop = asyncio.create_task(self._loop())
        stopping = asyncio.create_task(self.shutdown.wait())
        try:
            await asyncio.wait({loop, stopping}, return_when=asyncio.FIRST_COMPLETED)
            self.bell.set()
            # A claim in flight may still bring a job, which is then handed back like the one that
            # runs; what has nothing in hand by then has nothing to lose.
            await asyncio.wait({loop}, timeout=_LAST_CLAIM_S)
            if self.in_hand is not None:
                await asyncio.wait({loop})
        finally:
            stopping.cancel()
            loop.cancel()
            result = (await asyncio.gather(loop, return_exceptions=True))[0]
            await self._watch.close()
            await self.comfy.stop()
        if isinstance(result, Exception):
            raise result

    async def _loop(self) -> None:
        while not self.shutdown.is_set():
            executor, environment = await self._ready()
            claim_id = uuid4()
            # One request id for a claim and everything its run asks of the front door.
            with about(request_id=claim_id.hex):
                ticket = await self._claim(claim_id, environment)
                if ticket is not None:
                    await self._run(ticket, executor)
            if ticket is None:
                await self._wait()

    # --- ready --------------------------------------------------------------------------------

    async def _ready(self) -> tuple[Executor, Environment]:
        """A ComfyUI that answers, registered. Waits for as long as that takes."""
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(_NOT_READY),
            wait=wait_random_exponential(multiplier=0.5, max=10),
            before_sleep=_note_unreadiness,
        )
        return await retrying(self._prepare)

    async def _prepare(self) -> tuple[Executor, Environment]:
        running = await self.comfy.ensure(None)
        if self._prepared is None or self._prepared[0] != running.identity:
            environment = await describe(running)
            await self._register(environment)
            executor = Executor(
                self.front_door,
                self.comfy,
                self.transfer,
                Redactor.hiding(private_paths(self.settings)),
                output_classes(environment.registration.object_info),
                tracing=self.front_door.tracing,
                watch=self._watch,
            )
            self._prepared = (running.identity, executor, environment)
        return self._prepared[1:]

    async def _register(self, environment: Environment) -> None:
        if environment.digest == self._registered:
            return
        name = self.settings.environment
        call = partial(
            self.front_door.register_environment,
            name,
            environment.digest,
            environment.registration,
        )
        await patiently(call, give_up_after_s=None)
        self._registered = environment.digest
        log.info("registered %s", environment.digest[:12], extra={"environment": name})
        ready = self.settings.ready_file
        if ready is not None:
            await asyncio.to_thread(ready.write_text, environment.digest + "\n")

    # --- claim and run ------------------------------------------------------------------------

    async def _claim(self, claim_id: UUID, environment: Environment) -> Ticket | None:
        request = ClaimRequest(
            claim_id=claim_id,
            backend="local",
            environment=self.settings.environment,
            environment_digest=environment.digest,
            executor_id=f"{socket.gethostname()}/{os.getpid()}/0",
        )
        if not self.shutdown.is_set():
            self.bell.clear()
        try:
            # The same claim_id for as long as it takes: the ticket of a lost reply is answered again.
            return await patiently(partial(self.front_door.claim, request), give_up_after_s=None)
        except (RefusedError, StaleEpochError) as error:
            log.warning("the front door refuses our claims: %s", error)
            return None

    async def _wait(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self.ask_every_s):
                await self.bell.wait()

    async def _run(self, ticket: Ticket, executor: Executor) -> None:
        self.in_hand = ticket
        try:
            outcome = await run_ticket(ticket, executor, self.shutdown)
        finally:
            self.in_hand = None
        self._lost = self._lost + 1 if outcome is Outcome.LOST else 0
        if self._lost >= _LOST_IN_A_ROW:
            log.warning("%d claims lost in a row: parked for %g s", self._lost, self.park_s)
            self._lost = 0
            with suppress(TimeoutError):
                async with asyncio.timeout(self.park_s):
                    await self.shutdown.wait()


def _note_unreadiness(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    # It may hold the last lines that ComfyUI and its nodes printed.
    log.warning("ComfyUI or the front door is not ready", extra={"untrusted": error})


def private_paths(settings: WorkerSettings) -> list[Path]:
    """Folders of this machine that no message of a node may name."""
    ours = Path(__file__).parents[1]
    paths = [settings.state, settings.comfyui_dir, settings.interpreter.parent.parent, ours]
    return [path for path in paths if path is not None]
