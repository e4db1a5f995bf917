"""run_ticket(): the one executor. A run, and everything that may interrupt it.

Follows the client recipe of facts/comfyui-protocol.md §8. Failures of user work are events; nothing
a workflow does comes out of `run_ticket` as an exception.
"""

import asyncio
import logging
import shutil
import time
from collections.abc import Awaitable
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Literal

from gpu_functions.comfyui.client import ComfyUnreachableError
from gpu_functions.comfyui.halt import halt
from gpu_functions.comfyui.process import ComfyHost, ComfyUnavailableError, Running
from gpu_functions.comfyui.redact import Redactor
from gpu_functions.comfyui.relief import Relief
from gpu_functions.comfyui.verdict import Verdict
from gpu_functions.comfyui.watch import Watch
from gpu_functions.contract import (
    RETRY_CLASS,
    Canceled,
    Failed,
    Failure,
    FailureCode,
    Interrupted,
    RetryClass,
    Succeeded,
    Ticket,
)
from gpu_functions.events import EventSender
from gpu_functions.front_door import FrontDoor
from gpu_functions.log import about
from gpu_functions.publish import OutputPublisher
from gpu_functions.run import Run
from gpu_functions.telemetry import NoTracing, Tracing
from gpu_functions.transfer import Transfer

log = logging.getLogger(__name__)

_TOKEN_OUTLIVES_DEADLINE_S = 600.0
"""The event token is good until the job's deadline and ten minutes more (DESIGN §10)."""

Ending = Succeeded | Failed | Canceled | Interrupted
Interruption = Literal["stopped", "shutdown", "cancel", "deadline"]


class Outcome(StrEnum):
    """What became of a ticket, as its worker needs it."""

    ENDED = "ended"
    """A terminal event was taken."""
    HANDED_BACK = "handed_back"
    """The worker is going away; somebody else will run the job."""
    LOST = "lost"
    """The run no longer counted: nothing it did is kept."""


@dataclass(frozen=True, slots=True)
class Graces:
    """How long to wait for ComfyUI to do as it is told, in seconds."""

    cancel_s: float = 10.0
    shutdown_s: float = 1.0
    last_word_s: float = 3.0
    """For the last event when the worker is being taken away."""


@dataclass(frozen=True, slots=True)
class Executor:
    """The collaborators of a run; one per worker or container."""

    front_door: FrontDoor
    comfy: ComfyHost
    transfer: Transfer
    redact: Redactor
    output_classes: AbstractSet[str]
    restarts: bool = False
    """True where the platform starts an interrupted input again by itself (Modal)."""
    graces: Graces = field(default_factory=Graces)
    tracing: Tracing = field(default_factory=NoTracing)
    watch: Watch = field(default_factory=Watch)
    """Open from the first run on; whoever made the executor closes it."""
    relief: Relief = field(default_factory=Relief)


async def run_ticket(ticket: Ticket, executor: Executor, shutdown: asyncio.Event) -> Outcome:
    """Run a claimed ticket to its end and report it.

    Args:
        ticket: what the claim answered
        executor: collaborators
        shutdown: set when this worker is being taken away
    """
    deadline = time.monotonic() + ticket.limits.deadline_s
    sender = EventSender(
        partial(executor.front_door.send_events, ticket.job_id, ticket.event_token),
        heartbeat_s=ticket.heartbeat_s,
        give_up_after_s=ticket.limits.deadline_s + _TOKEN_OUTLIVES_DEADLINE_S,
    )
    ids = {"job_id": ticket.job_id, "epoch": ticket.epoch, "workspace_id": ticket.workspace_id}
    with about(**ids), executor.tracing.run(ticket.job_id, ticket.epoch):
        log.info("run started", extra={"nodes": len(ticket.graph), "files": len(ticket.inputs)})
        async with sender:
            supervision = _Supervision(ticket, executor, sender, shutdown, deadline)
            outcome = await supervision.run()
        log.info("run ended", extra={"outcome": outcome, **supervision.ended_as()})
    return outcome


@dataclass(slots=True)
class _Supervision:
    """One run under watch: whatever comes first, its end or an interruption, decides."""

    ticket: Ticket
    executor: Executor
    sender: EventSender
    shutdown: asyncio.Event
    deadline: float
    run_in: Run | None = None
    ending: Ending | None = None
    started_at: float = field(default_factory=time.monotonic)

    def ended_as(self) -> dict[str, object]:
        """What its last line says beside the outcome."""
        said: dict[str, object] = {
            "duration_ms": round((time.monotonic() - self.started_at) * 1000)
        }
        if self.ending is not None:
            said["status"] = self.ending.type
        if isinstance(self.ending, Failed):
            failure = self.ending.failure
            said |= {"code": failure.code, "untrusted": failure.message}
        return said

    async def run(self) -> Outcome:
        work = asyncio.create_task(self._work())
        try:
            interruption = await self._interruption(work)
            if interruption is None:
                return await self._report(work.result().ending)
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            if self.run_in is not None:
                await self.run_in.close()
        return await self._interrupt(interruption)

    async def _interruption(self, work: asyncio.Task[Verdict]) -> Interruption | None:
        """Wait for the end of the work, or for what comes before it."""
        events: dict[Interruption, asyncio.Event] = {
            "stopped": self.sender.stopped,
            "shutdown": self.shutdown,
            "cancel": self.sender.cancel_requested,
        }
        waits = [asyncio.create_task(event.wait()) for event in events.values()]
        try:
            await asyncio.wait(
                {work, *waits},
                timeout=max(0.0, self.deadline - time.monotonic()),
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            for wait in waits:
                wait.cancel()
        if work.done() and not self.sender.stopped.is_set():
            return None
        for cause, event in events.items():
            if event.is_set():
                return cause
        return "deadline"

    # --- the work -----------------------------------------------------------------------------

    async def _work(self) -> Verdict:
        try:
            running = await self.executor.comfy.ensure(self.ticket.workspace_id)
        except ComfyUnavailableError as error:
            failure = Failure(code=error.code, message=self.executor.redact.text(str(error)))
            return Verdict(Failed(failure=failure))
        run = self.run_in = self._new_run(running)
        try:
            verdict = await run.work()
        except Exception as error:
            # A bug of ours must not leave a job without an end.
            log.exception("a run failed in an unforeseen way")
            failure = Failure(
                code=FailureCode.INTERRUPTED, message=f"The executor failed: {type(error).__name__}"
            )
            verdict = Verdict(Failed(failure=failure), restart_needed=True)
        if verdict.restart_needed:
            await self.executor.comfy.discard()
        return self._settle(verdict)

    def _new_run(self, running: Running) -> Run:
        executor = self.executor
        publisher = OutputPublisher(
            self.ticket,
            executor.front_door,
            executor.transfer,
            self.sender,
            running,
            patience_s=lambda: max(0.0, self.deadline - time.monotonic()),
        )
        return Run(
            self.ticket,
            running,
            self.sender,
            publisher,
            executor.transfer,
            # Nodes may print or raise the keys of their user's partners.
            executor.redact.also_hiding(self.ticket.extra_data.values()),
            executor.output_classes,
            executor.watch,
            executor.tracing,
        )

    def _settle(self, verdict: Verdict) -> Verdict:
        """An interrupt that nobody here asked for is a failure, not a cancel."""
        if isinstance(verdict.ending, Canceled) and not self.sender.cancel_requested.is_set():
            failure = Failure(
                code=FailureCode.INTERRUPTED, message="The run was interrupted inside ComfyUI."
            )
            return Verdict(Failed(failure=failure), verdict.restart_needed)
        return verdict

    # --- interruptions ------------------------------------------------------------------------

    async def _interrupt(self, interruption: Interruption) -> Outcome:
        graces = self.executor.graces
        log.info("run interrupted: %s", interruption)
        grace_s = graces.shutdown_s if interruption == "shutdown" else graces.cancel_s
        await self._halt(grace_s)
        match interruption:
            case "stopped":
                await self._clean_up()
                return Outcome.LOST
            case "cancel":
                return await self._report(Canceled())
            case "deadline":
                failure = Failure(
                    code=FailureCode.DEADLINE,
                    message=f"Not done within {self.ticket.limits.deadline_s:g} s.",
                )
                return await self._report(Failed(failure=failure))
            case "shutdown":
                self.ending = Interrupted(restarts=self.executor.restarts)
                await self.sender.end(self.ending, within_s=graces.last_word_s)
                return Outcome.HANDED_BACK

    async def _halt(self, grace_s: float) -> None:
        """Stop the prompt; a process that will not stop it is ended."""
        run = self.run_in
        if run is None or run.running.exited.is_set():
            return
        if await halt(run.running.client, run.prompt_id, grace_s=grace_s):
            return
        if not await self.executor.comfy.discard():
            log.warning("the prompt goes on in a ComfyUI that is not ours")

    # --- the end ------------------------------------------------------------------------------

    async def _report(self, ending: Ending) -> Outcome:
        self.ending = ending
        taken = await self.sender.end(ending)
        await self._clean_up()
        return Outcome.ENDED if taken else Outcome.LOST

    async def _clean_up(self) -> None:
        """After the job has its end, before the next one is claimed."""
        run = self.run_in
        if run is None:
            return
        tasks: list[Awaitable[None]] = []
        if not run.running.exited.is_set():
            tasks += [run.forget(), self._ease_memory(run.running)]
        if run.running.folders is not None:
            # Also of a process that died: the next one takes over its folders.
            tasks.append(asyncio.to_thread(_delete_files, run, run.running.folders))
        await asyncio.gather(*tasks)

    async def _ease_memory(self, running: Running) -> None:
        """Models that filled the memory must not be what the next job finds there."""
        ending = self.ending
        with suppress(ComfyUnreachableError):
            if isinstance(ending, Failed) and RETRY_CLASS[ending.failure.code] is RetryClass.OOM:
                await running.client.free(unload_models=True)
            elif running.folders is not None and await self.executor.relief.after_run(
                running.client
            ):
                log.info("memory was short: ComfyUI drops what its nodes left behind")


def _delete_files(run: Run, folders: Path) -> None:
    """What the job brought and made; rmtree follows no links."""
    shutil.rmtree(folders / "output" / run.folder, ignore_errors=True)
    for item in run.ticket.inputs:
        with suppress(OSError):
            (folders / "input" / Path(item.file_name).name).unlink()
    for output in run.publisher.files:
        # Names come from nodes: only what lies directly in a folder, as previews do.
        if not output.subfolder and output.filename == Path(output.filename).name:
            with suppress(OSError):
                (folders / output.folder / output.filename).unlink()
