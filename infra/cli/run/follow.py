"""A job until it ends: by its stream, and by asking where the stream breaks."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, cast

import httpx

from infra.cli.run.api import TERMINAL, Api, ApiError, Json, is_passing
from infra.cli.run.sse import ServerEvent

GIVE_UP_AFTER_S: Final = 300.0
FIRST_PAUSE_S: Final = 0.5
MAX_PAUSE_S: Final = 5.0


class Watcher(Protocol):
    """Shows what happens."""

    def status(self, status: str, queue_position: int | None) -> None:
        """It changed its state."""
        ...

    def progress(self, progress: Json) -> None:
        """It came further; `progress` is a complete snapshot."""
        ...

    def output(self, output: Json) -> None:
        """A file was made."""
        ...

    def away(self, reason: str) -> None:
        """The front door does not answer; the job goes on meanwhile."""
        ...


class GaveUpError(Exception):
    """The front door did not answer for a long time. The job goes on without us."""


@dataclass(slots=True)
class Follower:
    """Follows one job. A broken stream is resumed after the last event that was seen."""

    api: Api
    watcher: Watcher
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    last_event_id: str | None = field(default=None, init=False)
    heard_at: float = field(default=0.0, init=False)

    def until_ended(self, job_id: str) -> Json:
        """The job as it ended, with fresh URLs.

        Raises:
            ApiError: the job cannot be read any more.
            GaveUpError: nobody answered for five minutes.
        """
        self.heard_at = self.clock()
        pause_s = FIRST_PAUSE_S
        while True:
            heard_before = self.heard_at
            self._stream(job_id)
            job = self._ask(job_id)
            if job is not None and job["status"] in TERMINAL:
                return job
            if self.clock() - self.heard_at > GIVE_UP_AFTER_S:
                raise GaveUpError("the front door has not answered for five minutes")
            pause_s = (
                FIRST_PAUSE_S if self.heard_at > heard_before else min(pause_s * 2, MAX_PAUSE_S)
            )
            self.sleep(pause_s)

    def _stream(self, job_id: str) -> None:
        """Show frames until the last status, or until the stream breaks."""
        try:
            for event in self.api.events(job_id, self.last_event_id):
                self.heard_at = self.clock()
                self.last_event_id = event.id or self.last_event_id
                if self._show(event):
                    return
        except httpx.HTTPError as error:
            self.watcher.away(str(error) or type(error).__name__)
        except ApiError as error:
            # A front door without streams, or with too many: asking does as well.
            self.watcher.away(error.message)

    def _show(self, event: ServerEvent) -> bool:
        """Whether it was the last one. Unknown events are news to a later version of us."""
        try:
            data: Any = json.loads(event.data)
        except ValueError:
            return False
        if not isinstance(data, dict):
            return False
        body = cast("Json", data)
        match event.name:
            case "status":
                self.watcher.status(str(body.get("status")), body.get("queue_position"))
                return body.get("status") in TERMINAL
            case "progress":
                self.watcher.progress(body)
            case "output":
                self.watcher.output(body)
            case _:
                pass
        return False

    def _ask(self, job_id: str) -> Json | None:
        """The job as it stands, None while nobody answers."""
        try:
            job = self.api.job(job_id)
        except (ApiError, httpx.HTTPError) as error:
            if not is_passing(error):
                raise
            self.watcher.away(str(error) or type(error).__name__)
            return None
        self.heard_at = self.clock()
        self.watcher.status(job["status"], job.get("queue_position"))
        if job.get("progress"):
            self.watcher.progress(job["progress"])
        return job
