"""Hints between front doors over Redis pub/sub, and how old the last proof of hearing is.

Every process publishes a tick twice a second on the channel it listens to; hearing ticks is the
proof that a hint sent elsewhere would be heard (a frozen Redis looks subscribed). While there is
none, readers look into the database by themselves: slower, never wrong.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final, cast
from uuid import UUID

import orjson
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import RedisError

from app.db.redis import HINTS_CHANNEL, LATEST_EXPIRES_S, latest_key
from app.events.hub import EventHub, Latest, Move

log = logging.getLogger(__name__)

TICK_S: Final = 0.5
HEARD_WITHIN_S: Final = 1.0
RECONNECT_S: Final = 1.0
POLL_WITH_HINTS_S: Final = 15.0
POLL_WITHOUT_HINTS_S: Final = 1.0
MAX_PENDING_HINTS: Final = 10_000
MAX_TOGETHER: Final = 100
PAUSE_S: Final = 0.004
"""Between two messages: what comes meanwhile goes together. Readers of this process do not wait for it."""

_REDIS_ERRORS = (RedisError, OSError, TimeoutError)


@dataclass(frozen=True, slots=True)
class _Hint:
    """What waits for Redis: never the news themselves, which are large and soon old."""

    said: dict[str, Any]
    job_id: UUID | None = None
    news: tuple[str, ...] = ()
    """Which of the job's news changed; none of them: it began anew, and has no news."""


@dataclass(slots=True)
class Feed:
    """Sends and hears hints. Sending never waits and never fails: it only stops being useful."""

    hub: EventHub
    redis: Redis | None
    on_keys_changed: Callable[[], None]
    on_moved: Callable[[Move], None] = lambda _: None
    """Told of every transition that this process committed."""
    me: str = field(default_factory=lambda: secrets.token_hex(8))
    _heard_at: float = -1e9
    _outbox: asyncio.Queue[_Hint] = field(default_factory=lambda: asyncio.Queue(MAX_PENDING_HINTS))

    def reliable(self) -> bool:
        """Whether a hint sent by another process would be heard within a second."""
        return time.monotonic() - self._heard_at < HEARD_WITHIN_S

    def poll_every_s(self) -> float:
        """How long a reader may sleep before it looks for itself."""
        return POLL_WITH_HINTS_S if self.reliable() else POLL_WITHOUT_HINTS_S

    def moved(self, move: Move) -> None:
        """Tell everybody, after the commit, that a job moved."""
        self.on_moved(move)
        self.hub.moved(move)
        hint = {"j": str(move.job_id), "w": str(move.workspace_id), "s": move.seq, "a": move.status}
        flags = {"e": move.ended, "n": move.started}
        self._send({**hint, **flags}, move.job_id if move.started else None)

    def news(
        self,
        job_id: UUID,
        workspace_id: UUID,
        *,
        progress: dict[str, Any] | None,
        preview: dict[str, Any] | None,
    ) -> None:
        """Tell everybody what a running job looks like now."""
        if progress is not None and self.hub.is_older(job_id, progress):
            progress = None
        if progress is None and preview is None:
            return
        self.hub.news(job_id, workspace_id, progress=progress, preview=preview)
        given = {"progress": progress, "preview": preview}
        names = tuple(name for name, value in given.items() if value is not None)
        self._send({"j": str(job_id), "w": str(workspace_id)}, job_id, names)

    def keys_changed(self) -> None:
        """A key was revoked: every front door drops its cache."""
        self.on_keys_changed()
        self._send({"k": True})

    async def latest(self, job_id: UUID) -> Latest:
        """The newest progress and preview, also where another front door received them."""
        here = self.hub.latest(job_id)
        if self.redis is None or here.is_known or not self.reliable():
            return here
        try:
            kept = await self._kept(self.redis, job_id)
        except _REDIS_ERRORS:
            return here
        # What we asked Redis for may have reached us meanwhile, and is then shown once.
        here = self.hub.latest(job_id)
        return here if here.is_known else kept

    async def run(self) -> None:
        """Send and hear until canceled."""
        if self.redis is None:
            return
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._forever(self._sender))
            tasks.create_task(self._forever(self._listener))
            tasks.create_task(self._ticker())

    def _send(
        self, hint: dict[str, Any], job_id: UUID | None = None, news: tuple[str, ...] = ()
    ) -> None:
        if self.redis is None:
            return
        try:
            self._outbox.put_nowait(_Hint(hint, job_id, news))
        except asyncio.QueueFull:
            log.warning("redis does not take hints; readers look for themselves")

    async def _forever(self, work: Callable[[Redis], Awaitable[None]]) -> None:
        assert self.redis is not None
        while _wanted():
            try:
                await work(self.redis)
            except _REDIS_ERRORS as error:
                log.warning("redis is away: %s", error)
                await asyncio.sleep(RECONNECT_S)

    async def _ticker(self) -> None:
        was_reliable = False
        while True:
            self._send({"t": True})
            await asyncio.sleep(TICK_S)
            if was_reliable and not self.reliable():
                self.hub.hints_lost()  # who sleeps until a hint comes would sleep too long
            was_reliable = self.reliable()

    async def _sender(self, redis: Redis) -> None:
        while _wanted():
            hints = [await self._outbox.get()]
            while len(hints) < MAX_TOGETHER and not self._outbox.empty():
                hints.append(self._outbox.get_nowait())
            async with redis.pipeline(transaction=False) as pipe:
                for hint in hints:
                    if hint.job_id is not None:
                        self._keep(pipe, hint.job_id, hint.news)
                # Together: each message is also heard, by this process as well.
                pipe.publish(HINTS_CHANNEL, _message(self.me, [hint.said for hint in hints]))
                await pipe.execute()
            await asyncio.sleep(PAUSE_S)

    def _keep(self, pipe: Pipeline, job_id: UUID, news: tuple[str, ...]) -> None:
        """For who joins late at another front door: the newest at the time of sending."""
        latest = self.hub.latest(job_id)
        known = {"progress": latest.progress, "preview": latest.preview}
        kept = {name: orjson.dumps(known[name]) for name in news if known[name] is not None}
        if not news:
            pipe.delete(latest_key(job_id))
        elif kept:
            pipe.hset(latest_key(job_id), mapping=kept)
            pipe.expire(latest_key(job_id), LATEST_EXPIRES_S)

    async def _listener(self, redis: Redis) -> None:
        async with redis.pubsub(ignore_subscribe_messages=True) as channel:
            await channel.subscribe(HINTS_CHANNEL)
            self.hub.hints_lost()  # what was sent while we were not listening is unknown
            while _wanted():
                message = cast(
                    dict[str, Any] | None, await cast(Any, channel).get_message(timeout=TICK_S * 2)
                )
                if message is not None:
                    self._heard_at = time.monotonic()
                    heard: dict[str, Any] = orjson.loads(message["data"])
                    if heard["m"] != self.me:
                        for hint in heard.get("h", ()):  # a version before ours said one by one
                            await self._hear(redis, hint)

    async def _hear(self, redis: Redis, hint: dict[str, Any]) -> None:
        if "k" in hint:
            self.on_keys_changed()
        if "j" not in hint:
            return
        job_id, workspace_id = UUID(hint["j"]), UUID(hint["w"])
        if "s" in hint:
            status, ended, started = hint["a"], hint["e"], hint["n"]
            self.hub.moved(Move(job_id, workspace_id, hint["s"], status, ended, started))
        elif self.hub.has_readers(job_id, workspace_id):
            kept = await self._kept(redis, job_id)
            self.hub.news(job_id, workspace_id, progress=kept.progress, preview=kept.preview)

    async def _kept(self, redis: Redis, job_id: UUID) -> Latest:
        kept = cast(dict[bytes, bytes], await cast(Any, redis).hgetall(latest_key(job_id)))
        return Latest(
            progress=orjson.loads(kept[b"progress"]) if b"progress" in kept else None,
            preview=orjson.loads(kept[b"preview"]) if b"preview" in kept else None,
        )


def _message(sender: str, hints: list[dict[str, Any]]) -> bytes:
    return orjson.dumps({"m": sender, "h": hints})


def _wanted() -> bool:
    """Whether this task is to go on: redis-py may turn a cancel into a time-out of its own."""
    task = asyncio.current_task()
    return task is None or not task.cancelling()


async def announce_keys_changed(redis: Redis | None) -> None:
    """From a process without a feed: tell all front doors to drop their cached keys."""
    if redis is None:
        return
    try:
        await redis.publish(HINTS_CHANNEL, _message("", [{"k": True}]))
    except _REDIS_ERRORS as error:
        log.warning("redis is away; cached keys live 30 s at most: %s", error)
