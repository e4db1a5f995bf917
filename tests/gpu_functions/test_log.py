"""Which job a line of the worker is about."""

import asyncio
import json
import logging
import os
import signal
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from gpu_functions.log import JsonFormatter, about, request_id
from tests.gpu_functions.engine import bench

log = logging.getLogger("gpu_functions.test")


class Lines(logging.Handler):
    """Keeps what would be written, by its message."""

    def __init__(self) -> None:
        super().__init__()
        self.by_message: dict[str, dict[str, Any]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        line = json.loads(JsonFormatter().format(record))
        self.by_message[line["message"]] = line


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Generator[dict[str, dict[str, Any]]]:
    handler = Lines()
    caplog.set_level(logging.INFO, "gpu_functions")
    logging.getLogger("gpu_functions").addHandler(handler)
    yield handler.by_message
    logging.getLogger("gpu_functions").removeHandler(handler)


async def test_every_line_of_a_run_carries_its_ids(lines: dict[str, dict[str, Any]]) -> None:
    async def task() -> None:
        log.info("in a task")

    with about(request_id="r-1"):
        with about(job_id="j-1", epoch=2):
            log.info("here")
            await asyncio.create_task(task())
            assert request_id() == "r-1"
        log.info("afterwards")
    for message in ("here", "in a task"):
        line = lines[message]
        assert (line["request_id"], line["job_id"], line["epoch"]) == ("r-1", "j-1", 2)
    assert "job_id" not in lines["afterwards"]
    assert request_id() is None


async def test_only_known_names_are_written(lines: dict[str, dict[str, Any]]) -> None:
    log.info("hello", extra={"status": "failed", "event_token": "secret"})
    assert lines["hello"]["status"] == "failed"
    assert "event_token" not in lines["hello"]


async def test_what_outlives_a_run_is_not_told_as_part_of_it(
    lines: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    with about(job_id="j-1"):
        async with bench(tmp_path) as started:
            running = await started.comfy.ensure(None)
            os.kill(started.pid, signal.SIGKILL)
            async with asyncio.timeout(10):
                await running.exited.wait()
    (ended,) = (line for text, line in lines.items() if text.startswith("ComfyUI ended"))
    assert "job_id" not in ended
