"""The floor of a wake-up: a Celery worker whose one task says when it began, nothing of ours.

`python bare_celery.py BROKER_URL` works until it is ended.
"""

import sys
import time
from typing import Any, cast

from celery import Celery
from celery.worker import WorkController
from redis import Redis

TASK = "bare.say"
QUEUE = "bare"
SAID = "bare:said"


def make_bare(redis_url: str) -> Celery:
    """For the worker and for the sender, on the broker that ours has too."""
    broker = redis_url.replace("unix://", "redis+socket://")
    celery = Celery("bare", broker=broker, set_as_current=False)
    celery.conf.update(
        task_ignore_result=True,
        task_default_queue=QUEUE,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        broker_connection_retry_on_startup=True,
        broker_transport_options={"global_keyprefix": "bare:"},
    )
    return celery


def main(redis_url: str) -> None:
    """Say the time of this machine's clock, once for each task."""
    celery = make_bare(redis_url)
    said = Redis.from_url(redis_url)

    def say() -> None:
        said.lpush(SAID, repr(time.time()))

    celery.task(say, name=TASK)
    controller = cast("Any", WorkController)(
        app=celery,
        pool="solo",
        concurrency=1,
        queues=[QUEUE],
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    controller.start()


if __name__ == "__main__":
    main(sys.argv[1])
