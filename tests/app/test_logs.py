"""A job can be followed from the request that made it to its end: every line is one JSON object."""

import json
import logging

import pytest

from app.config import Settings
from app.logs import JsonFormatter, request_id
from tests.app.conftest import opened_house
from tests.app.front_door import POSTER


class Lines(logging.Handler):
    """Keeps what would be written."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[dict[str, object]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(json.loads(JsonFormatter().format(record)))


def line_of(**extra: object) -> dict[str, object]:
    """A record as it is written."""
    record = logging.LogRecord("app.x", logging.INFO, "x.py", 1, "did %s", ("it",), None)
    vars(record).update(extra)
    written = JsonFormatter().format(record)
    assert "\n" not in written
    return json.loads(written)


def test_a_line_carries_its_ids() -> None:
    token = request_id.set("r-1")
    line = line_of(job_id="j-1")
    request_id.reset(token)
    assert (line["message"], line["level"]) == ("did it", "info")
    assert (line["request_id"], line["job_id"]) == ("r-1", "j-1")


def test_what_a_caller_sends_cannot_forge_a_line() -> None:
    line = line_of(path='a\r\n{"level": "error"}\x1b[2J')
    assert line["path"] == 'a\r\n{"level": "error"}\x1b[2J'


def test_a_submit_leads_from_its_request_to_its_job(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    handler = Lines()
    logging.getLogger("app").addHandler(handler)
    caplog.set_level(logging.INFO, "app")
    try:
        with opened_house(settings) as house:
            reply = house.alice.http.post(
                "/jobs", json={"workflow": POSTER}, headers={"X-Request-Id": "mine-1"}
            )
    finally:
        logging.getLogger("app").removeHandler(handler)
    assert reply.headers["x-comfy-request-id"] == "mine-1"
    recorded = next(line for line in handler.lines if line["message"] == "job recorded")
    assert recorded["request_id"] == "mine-1"
    assert recorded["job_id"] == reply.json()["id"]
    access = next(line for line in handler.lines if line["message"] == "POST /api/v2/jobs 201")
    assert access["request_id"] == "mine-1"
