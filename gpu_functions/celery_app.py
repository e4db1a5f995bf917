"""`python -m gpu_functions.celery_app`: the local worker as a process.

Celery carries wake-ups and nothing else (DESIGN §9): its one task rings the bell of the worker in
the background thread, which claims from the front door. Without REDIS_URL there is no Celery at all.
"""

import logging
import os
import signal
import sys
import threading
import time
from typing import Any, Final, cast

from celery import Celery
from celery.worker import WorkController

from gpu_functions import log as logs
from gpu_functions.settings import WorkerSettings, read_token
from gpu_functions.worker_thread import WorkerThread

log = logging.getLogger(__name__)

TASK: Final = "cb.run_next"
QUEUE: Final = "cb.local"
_HAND_BACK_WITHIN_S = 10.0
_NEW_BELL_AFTER_S = 1.0


def make_celery(redis_url: str, worker: WorkerThread) -> Celery:
    """A Celery app that can do one thing: ring the bell of `worker`."""
    if redis_url.startswith("unix://"):
        redis_url = "redis+socket://" + redis_url.removeprefix("unix://")
    celery = Celery("comfyburst", broker=redis_url, set_as_current=False)
    celery.conf.update(
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        task_acks_late=False,
        task_default_queue=QUEUE,
        task_create_missing_queues=False,
        worker_disable_prefetch=True,
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            "socket_timeout": 2,
            "socket_connect_timeout": 2,
            "health_check_interval": 10,
            "global_keyprefix": "cb:",
        },
    )

    def run_next(backend: str) -> None:
        log.debug("the bell of %s", backend)
        worker.ring()

    celery.task(run_next, name=TASK)
    return celery


def run_with_celery(settings: WorkerSettings, worker: WorkerThread) -> None:
    """Serve the bell until SIGTERM. Redis may be away, at the start too: the worker asks by itself.

    Celery's bare controller, not its command: no banner, no words about uid 0, no signal handlers
    that print, and a SIGTERM that does not wait for a reconnect.
    """
    celery = make_celery(settings.redis_url, worker)

    def stop(_number: int, _frame: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        worker.stop()
        # Nothing of Celery's is worth waiting for: its one task takes microseconds.
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    worker.start()
    while not worker.stopping:
        # The controller catches whatever ends it, the SystemExit of a signal included.
        _serve_bell(celery)
        if worker.stopping:
            return
        # Anybody who writes to Redis can end a consumer (one entry that is not JSON does); that
        # must not cost the job which runs in the other thread.
        log.warning("the bell broke, hanging a new one")
        time.sleep(_NEW_BELL_AFTER_S)


def _serve_bell(celery: Celery) -> None:
    consumer = cast("Any", WorkController)(
        app=celery,
        pool="solo",
        concurrency=1,
        queues=[QUEUE],
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    consumer.start()


def run_alone(worker: WorkerThread) -> None:
    """Work without a bell until SIGTERM or SIGINT."""
    stopping = threading.Event()

    def stop(_number: int, _frame: object) -> None:
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    worker.start()
    stopping.wait()


def main() -> int:
    """Read the environment, work, hand back."""
    logs.configure()
    settings = WorkerSettings.from_environment(os.environ)
    worker = WorkerThread(settings, read_token(settings.token_fd), os.environ)
    try:
        if settings.redis_url:
            run_with_celery(settings, worker)
        else:
            run_alone(worker)
    finally:
        worker.stop()
        if not worker.join(_HAND_BACK_WITHIN_S):
            log.error("the job could not be handed back in time")
    return 1 if worker.died else 0


if __name__ == "__main__":
    sys.exit(main())
