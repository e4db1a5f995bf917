"""EventSender: what a run has to say, in order, once, through any outage, answered.

Transitions are numbered and kept until the front door has taken them; progress and previews are
worth only their newest and are coalesced. A heartbeat goes out when there is nothing else to say.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Self

from gpu_functions.contract import (
    MAX_EVENTS_PER_BATCH,
    EventBatch,
    EventReply,
    NumberedTransition,
    Preview,
    Progress,
    Transition,
)
from gpu_functions.front_door import (
    EventGapError,
    RefusedError,
    StaleEpochError,
    UnavailableError,
    patiently,
)

log = logging.getLogger(__name__)

_VOLATILE_EVERY_S = 0.5
"""Progress and previews: at most two a second each (security.md §3.5)."""
_FIRST_VOLATILE_AFTER_S = 0.1
"""A run of a few milliseconds is told by its outputs alone."""

_TURNS = 8
"""Turns of the event loop, some 50 us: the last output and the verdict leave in one request."""

_MAX_BATCH_BYTES = 700_000
"""The front door reads 768 KiB: the largest preview as base64, and transitions."""

Post = Callable[[EventBatch], Awaitable[EventReply]]


@dataclass(slots=True)
class EventSender:
    """The voice of one run. Use as a context: entering starts its task, leaving ends it.

    Args:
        post: delivers one batch, as `FrontDoor.send_events`
        heartbeat_s: longest silence
        give_up_after_s: an outage longer than this ends the run
    """

    post: Post
    heartbeat_s: float
    give_up_after_s: float
    cancel_requested: asyncio.Event = field(default_factory=asyncio.Event)
    """The front door asks us to cancel the job."""
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    """This run no longer counts: stop at once and say nothing more."""
    _transitions: list[NumberedTransition] = field(default_factory=list[NumberedTransition])
    _taken: int = 0
    _snapshot: Callable[[], Progress] | None = None
    _preview: Preview | None = None
    _ending: bool = False
    _volatile_at: float = field(
        default_factory=lambda: time.monotonic() - _VOLATILE_EVERY_S + _FIRST_VOLATILE_AFTER_S
    )
    _heard_at: float = field(default_factory=time.monotonic)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _flushed: asyncio.Event = field(default_factory=asyncio.Event)
    _task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def add(self, event: Transition) -> None:
        """Send a transition, at once and after all earlier ones."""
        number = len(self._transitions) + 1
        self._transitions.append(NumberedTransition(client_seq=number, event=event))
        if not self.stopped.is_set():
            self._flushed.clear()
        self._wake.set()

    def progress(self, snapshot: Callable[[], Progress]) -> None:
        """There is progress: a snapshot is taken and sent soon.

        Called for every step of every node, so it costs next to nothing.
        """
        if not self._ending:
            self._stir()
            self._snapshot = snapshot

    def preview(self, preview: Preview) -> None:
        """Send a preview soon, unless a newer one comes first."""
        if not self._ending:
            self._stir()
            self._preview = preview

    def _stir(self) -> None:
        """Wake the task, unless it knows already that there is something volatile to send."""
        if self._snapshot is None and self._preview is None:
            self._wake.set()

    async def end(self, event: Transition, *, within_s: float | None = None) -> bool:
        """Send the last transition; True once the front door has taken it."""
        self._ending = True
        self._snapshot = self._preview = None
        self.add(event)
        try:
            async with asyncio.timeout(within_s):
                await self._flushed.wait()
        except TimeoutError:
            return False
        return self._taken == len(self._transitions)

    def abandon(self) -> None:
        """This run no longer counts, as another answer of the front door has shown."""
        self.stopped.set()
        self._flushed.set()

    # --- the task -----------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            while not self.stopped.is_set():
                await self._until_due()
                await self._deliver()
        except UnavailableError as error:
            log.warning("gave up on the front door: %s", error)
        finally:
            self.abandon()

    async def _until_due(self) -> None:
        """Wait until there is something to send, or too much time has passed."""
        await self._until_wanted()
        for _ in range(_TURNS):
            await asyncio.sleep(0)

    async def _until_wanted(self) -> None:
        while self._taken == len(self._transitions):
            wait_s = self._due_at() - time.monotonic()
            if wait_s <= 0:
                return
            self._wake.clear()
            try:
                async with asyncio.timeout(wait_s):
                    await self._wake.wait()
            except TimeoutError:
                return

    def _due_at(self) -> float:
        heartbeat_at = self._heard_at + self.heartbeat_s
        if self._snapshot is None and self._preview is None:
            return heartbeat_at
        return min(heartbeat_at, self._volatile_at + _VOLATILE_EVERY_S)

    async def _deliver(self) -> None:
        try:
            reply = await patiently(self._attempt, give_up_after_s=self.give_up_after_s)
        except EventGapError as gap:
            self._taken = max(0, min(gap.expected - 1, len(self._transitions)))
            self._note_flushed()
            return
        except (StaleEpochError, RefusedError) as error:
            log.warning("this run is over: %s", error)
            self.abandon()
            return
        if reply.cancel:
            self.cancel_requested.set()
        self._note_flushed()
        if reply.stop:
            self.abandon()

    def _note_flushed(self) -> None:
        if self._taken == len(self._transitions):
            self._flushed.set()

    async def _attempt(self) -> EventReply:
        snapshot, preview = self._snapshot, self._preview
        batch = self._batch()
        try:
            reply = await self.post(batch)
        except UnavailableError:
            if not self._ending:
                # Sent again with the next attempt, unless something newer has come.
                self._snapshot = self._snapshot or snapshot
                self._preview = self._preview or preview
            raise
        self._heard_at = time.monotonic()
        if batch.transitions:
            self._taken = batch.transitions[-1].client_seq
        return reply

    def _batch(self) -> EventBatch:
        """What there is to say; what is volatile counts as said."""
        size = 0
        transitions: list[NumberedTransition] = []
        for transition in self._transitions[self._taken : self._taken + MAX_EVENTS_PER_BATCH]:
            size += len(transition.model_dump_json())
            if transitions and size > _MAX_BATCH_BYTES:
                break
            transitions.append(transition)
        progress = preview = None
        now = time.monotonic()
        if now - self._volatile_at >= _VOLATILE_EVERY_S:
            self._volatile_at = now
            if self._snapshot is not None:
                progress, self._snapshot = self._snapshot(), None
            if self._preview and size + len(self._preview.data_base64) <= _MAX_BATCH_BYTES:
                preview, self._preview = self._preview, None
        return EventBatch(progress=progress, preview=preview, transitions=transitions)
