"""The bell of local workers: one Celery message that names a backend and nothing else.

Ringing happens in a thread of its own, off every request: a frozen Redis hangs a send for seconds
(facts/reliability-and-performance.md §1.1), and a bell that is already waiting to be rung is enough.
"""

import logging
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Final

from celery import Celery

log = logging.getLogger(__name__)

TASK: Final = "cb.run_next"
QUEUE: Final = "cb.local"
REST_S: Final = 0.01
"""A send costs a millisecond of CPU; in a burst of submits one ring wakes a worker for all of them."""


def broker_url(redis_url: str) -> str:
    """Kombu's name for a Redis URL."""
    if redis_url.startswith("unix://"):
        return "redis+socket://" + redis_url.removeprefix("unix://")
    return redis_url


def make_celery(redis_url: str) -> Celery:
    """A sender: JSON only, no result backend, short timeouts, no retries."""
    celery = Celery("comfyburst", broker=broker_url(redis_url), set_as_current=False)
    celery.conf.update(
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_publish_retry=False,
        broker_transport_options={
            "socket_timeout": 2,
            "socket_connect_timeout": 2,
            "global_keyprefix": "cb:",
        },
    )
    return celery


@dataclass(slots=True)
class CeleryBell:
    """Rings from a daemon thread; any number of wakes while it rings become one more."""

    redis_url: str
    _wanted: set[str] = field(default_factory=set[str])
    _news: threading.Condition = field(default_factory=threading.Condition)
    _stopped: bool = False
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._run, name="bell", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let the thread end; what was not rung is found by workers that ask by themselves."""
        with self._news:
            self._stopped = True
            self._news.notify()

    def wake(self, backend: str) -> None:
        """See Dispatcher."""
        with self._news:
            self._wanted.add(backend)
            self._news.notify()

    def _run(self) -> None:
        celery: Any = make_celery(self.redis_url)
        while True:
            with self._news:
                while not self._wanted and not self._stopped:
                    self._news.wait()
                if self._stopped:
                    return
                wanted, self._wanted = self._wanted, set()
            for backend in wanted:
                self._ring(celery, backend)
            time.sleep(REST_S)

    def _ring(self, celery: Any, backend: str) -> None:
        try:
            celery.send_task(TASK, args=[backend], queue=QUEUE, ignore_result=True, expires=60)
        except Exception as error:  # noqa: BLE001 - whatever the broker does, a bell may fail
            log.warning("the bell did not ring: %s", error)
