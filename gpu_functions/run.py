"""One run of one ticket on one ComfyUI, from inputs to verdict: the steps, without interruptions.

What may interrupt it (cancel, deadline, shutdown, a stale epoch) is the business of `executor`.
"""

import asyncio
import base64
import logging
import time
from collections.abc import Generator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import assert_never
from uuid import uuid4

from gpu_functions.comfyui import frames
from gpu_functions.comfyui.client import Accepted, ComfyUnreachableError, Refused
from gpu_functions.comfyui.graph import own_outputs
from gpu_functions.comfyui.lenient import as_dict
from gpu_functions.comfyui.process import Running
from gpu_functions.comfyui.progress import ProgressTracker
from gpu_functions.comfyui.redact import Redactor
from gpu_functions.comfyui.verdict import Verdict, judge, judge_refusal, node_problems
from gpu_functions.comfyui.vigil import RunFailedError, Vigil, gone
from gpu_functions.comfyui.watch import Watch
from gpu_functions.contract import (
    MAX_PREVIEW_BYTES,
    Failed,
    Failure,
    FailureCode,
    Json,
    Log,
    Preview,
    Succeeded,
    Ticket,
    TicketInput,
)
from gpu_functions.events import EventSender
from gpu_functions.printed import Printed
from gpu_functions.publish import OutputPublisher, PublishError
from gpu_functions.telemetry import NoTracing, Tracing
from gpu_functions.transfer import Transfer, TransferError

log = logging.getLogger(__name__)

_PREVIEW_EVERY_S = 0.25
_INPUTS_AT_ONCE = 4


@dataclass(slots=True)
class Run:
    """The state of one run."""

    ticket: Ticket
    running: Running
    sender: EventSender
    publisher: OutputPublisher
    transfer: Transfer
    redact: Redactor
    output_classes: AbstractSet[str]
    watch: Watch
    tracing: Tracing = field(default_factory=NoTracing)
    prompt_id: str = field(default_factory=lambda: str(uuid4()))
    timings_ms: dict[str, int] = field(default_factory=dict[str, int])
    _tracker: ProgressTracker = field(init=False)
    _vigil: Vigil = field(init=False)
    _printed: Printed = field(init=False)
    _preview_at: float = 0.0

    def __post_init__(self) -> None:
        self._tracker = ProgressTracker.of(self.ticket.graph)
        self._vigil = Vigil(
            self.running,
            self.prompt_id,
            self.ticket.limits.stall_timeout_s,
            self.watch.refresh,
        )
        self._printed = Printed(self.running.console, self.sender, self.redact)

    @property
    def folder(self) -> str:
        """Where the outputs of this run lie, below ComfyUI's output folder."""
        return f"{self.ticket.job_id}-{self.ticket.epoch}"

    async def work(self) -> Verdict:
        """All steps; every failure is a verdict."""
        self._printed.start()
        try:
            return await self._work()
        except RunFailedError as error:
            if error.spoiled:
                await self._printed.last_words()
            failure = Failure(code=error.code, message=self.redact.text(str(error)))
            return Verdict(Failed(failure=failure, final=error.final), error.spoiled)
        finally:
            self._printed.stop()

    async def _work(self) -> Verdict:
        if self.ticket.inputs:
            await self._fetch_inputs()
        with self._step("execution"):
            try:
                await self.watch.follow(self.running.url, self.prompt_id, self._on_frame)
                refusal = await self._submit()
                if refusal is not None:
                    return Verdict(Failed(failure=refusal))
                entry = await self._vigil.entry()
            except ComfyUnreachableError as error:
                raise gone(self.running, error) from error
        verdict = judge(entry, self.redact)
        self._note("ComfyUI is done", "execution", status=verdict.ending.type)
        return await self._collect(entry, verdict)

    @contextmanager
    def _step(self, name: str) -> Generator[None]:
        """Time a step: for the receipt, for its line in the log, for the trace."""
        started = time.monotonic()
        with self.tracing.step(name):
            yield
        self.timings_ms[name] = round((time.monotonic() - started) * 1000)

    def _note(self, message: str, step: str, **more: object) -> None:
        log.info(message, extra={"duration_ms": self.timings_ms[step], **more})

    # --- inputs -------------------------------------------------------------------------------

    async def _fetch_inputs(self) -> None:
        with self._step("inputs"):
            await self._fetch_all()
        size_bytes = sum(item.size_bytes for item in self.ticket.inputs)
        count = len(self.ticket.inputs)
        self._note("inputs fetched", "inputs", files=count, size_bytes=size_bytes)
        self._say("info", f"Fetched {count} inputs, {size_bytes / 1e6:.1f} MB.")

    async def _fetch_all(self) -> None:
        slots = asyncio.Semaphore(_INPUTS_AT_ONCE)

        async def fetch(item: TicketInput) -> None:
            async with slots:
                await self.transfer.fetch_input(self.running.client, item)

        fetches = [asyncio.create_task(fetch(item)) for item in self.ticket.inputs]
        try:
            await asyncio.gather(*fetches)
        except TransferError as error:
            raise RunFailedError(FailureCode.INPUT_DOWNLOAD, str(error)) from error
        except ComfyUnreachableError as error:
            raise gone(self.running, error) from error
        finally:
            for task in fetches:
                task.cancel()

    # --- prompt -------------------------------------------------------------------------------

    async def _submit(self) -> Failure | None:
        graph = own_outputs(self.ticket.graph, self.folder, self.output_classes)
        started = time.monotonic()
        answer = await self._post(graph)
        duration_ms = round((time.monotonic() - started) * 1000)
        match answer:
            case Accepted(node_errors=node_errors):
                about = {"prompt_id": self.prompt_id, "duration_ms": duration_ms}
                log.info("ComfyUI took the prompt", extra=about)
                for problem in node_problems(node_errors):
                    self._say("warning", f"Left out by ComfyUI: {problem.text}")
                return None
            case Refused(status=status, body=body):
                return judge_refusal(status, body, self.redact)
            case _:
                assert_never(answer)

    async def _post(self, graph: Json) -> Accepted | Refused:
        client = self.running.client
        try:
            return await client.submit(
                graph,
                prompt_id=self.prompt_id,
                client_id=self.watch.client_id,
                extra_data=self.ticket.extra_data,
            )
        except ComfyUnreachableError:
            # The POST may have been taken though its answer was lost: look before failing.
            if self.prompt_id in await client.queue() or await client.history(self.prompt_id):
                return Accepted({})
            raise

    # --- events: hints ------------------------------------------------------------------------

    def _on_frame(self, frame: frames.Frame) -> None:
        self._vigil.active_at = time.monotonic()
        match frame:
            case frames.Cached(node_ids=node_ids):
                self._tracker.cached(node_ids)
            case frames.NodeStarted(node_id=node_id):
                self._tracker.started(node_id)
            case frames.NodeStepped(node_id=node_id, step=step, steps=steps):
                self._tracker.stepped(node_id, step, steps)
            case frames.NodeOutput(node_id=node_id, ui=ui):
                self._tracker.finished(node_id)
                self.publisher.offer(node_id, ui)
            case frames.PreviewFrame():
                self._preview(frame)
                return
            case frames.Ended():
                self._vigil.ended.set()
                return
            case frames.Alive():
                return
            case _:
                assert_never(frame)
        self.sender.progress(self._tracker.snapshot)

    def _preview(self, frame: frames.PreviewFrame) -> None:
        now = time.monotonic()
        if now - self._preview_at < _PREVIEW_EVERY_S or len(frame.image) > MAX_PREVIEW_BYTES:
            return
        node_id = frame.node_id or self._tracker.current
        if not node_id:
            return  # without an id, and before our first node: another prompt's
        self._preview_at = now
        self.sender.preview(
            Preview(
                node_id=node_id,
                content_type=frame.image_type,
                data_base64=base64.b64encode(frame.image).decode("ascii"),
            )
        )

    # --- outputs ------------------------------------------------------------------------------

    async def _collect(self, entry: Json, verdict: Verdict) -> Verdict:
        """Store what is left: history lists every output, events may have missed some."""
        with self._step("outputs"):
            await self._store_outputs(entry, verdict)
        if self.publisher.files:
            self._note("outputs stored", "outputs", files=len(self.publisher.files))
        if isinstance(verdict.ending, Succeeded):
            return Verdict(Succeeded(timings_ms=self.timings_ms))
        return verdict

    async def _store_outputs(self, entry: Json, verdict: Verdict) -> None:
        meta = as_dict(entry.get("meta"))
        for node_id, ui in as_dict(entry.get("outputs")).items():
            shown = as_dict(meta.get(node_id)).get("display_node") or node_id
            self.publisher.offer(str(shown), ui)
        try:
            await self.publisher.finish()
        except PublishError as error:
            if isinstance(verdict.ending, Succeeded):
                raise RunFailedError(error.code, str(error), final=error.final) from error
            about = {"untrusted": str(error)}
            log.warning("an output of a run that failed was not stored", extra=about)

    def _say(self, level: str, message: str) -> None:
        text = self.redact.text(message, max_bytes=4_000)
        self.sender.add(Log(level="warning" if level == "warning" else "info", message=text))

    async def close(self) -> None:
        """Drop what is not finished, and listen no longer."""
        await self.publisher.close()
        await self.watch.leave()

    async def forget(self) -> None:
        """Remove the run from ComfyUI's history."""
        with suppress(ComfyUnreachableError):
            await self.running.client.delete_history(self.prompt_id)
