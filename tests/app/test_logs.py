"""A job can be followed from the request that made it to its end: every line is one JSON object."""

import json
import logging
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.config import Settings
from app.logs import JsonFormatter, about, learnt, request_id
from gpu_functions.log import JsonFormatter as WorkerFormatter
from tests.app.conftest import House, opened_house
from tests.app.front_door import POSTER
from tests.running import Running, running

FORGED = 'a\r\n{"level": "error"}\x1b[2J\u009b1m\u202e\u2028b'
"""Line breaks, terminal codes of both kinds, and a letter that turns the text around."""


class Lines(logging.Handler):
    """Keeps what would be written."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(json.loads(JsonFormatter().format(record)))

    def saying(self, message: str) -> dict[str, Any]:
        """The one line with that message."""
        (line,) = (line for line in self.lines if line["message"] == message)
        return line


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Generator[Lines]:
    """What the front door would write meanwhile."""
    handler = Lines()
    caplog.set_level(logging.INFO, "app")
    logging.getLogger("app").addHandler(handler)
    yield handler
    logging.getLogger("app").removeHandler(handler)


def written(formatter: logging.Formatter, **extra: object) -> str:
    """A record as it is written."""
    record = logging.LogRecord("app.x", logging.INFO, "x.py", 1, "did %s", ("it",), None)
    vars(record).update(extra)
    return formatter.format(record)


def test_a_line_carries_its_ids() -> None:
    token = request_id.set("r-1")
    line = json.loads(written(JsonFormatter(), job_id="j-1"))
    request_id.reset(token)
    assert (line["message"], line["level"]) == ("did it", "info")
    assert (line["request_id"], line["job_id"]) == ("r-1", "j-1")


def test_a_line_carries_what_its_request_turned_out_to_be_about() -> None:
    with about(job_id="j-1"):
        learnt(epoch=2)
        inside = json.loads(written(JsonFormatter()))
    outside = json.loads(written(JsonFormatter()))
    assert (inside["job_id"], inside["epoch"]) == ("j-1", 2)
    assert not {"job_id", "epoch"} & outside.keys()


@pytest.mark.parametrize("formatter", [JsonFormatter(), WorkerFormatter()])
def test_what_is_not_ours_cannot_forge_a_line(formatter: logging.Formatter) -> None:
    line = written(formatter, untrusted=FORGED, code=FORGED)
    assert len(line.splitlines()) == 1
    assert line.isprintable()
    assert json.loads(line)["code"] == FORGED


def test_both_sides_write_the_same_keys() -> None:
    ids = {"request_id": "r", "job_id": "j", "epoch": 1, "workspace_id": "w", "duration_ms": 3}
    ours, workers = (json.loads(written(f, **ids)) for f in (JsonFormatter(), WorkerFormatter()))
    assert ours.keys() == workers.keys()
    assert {**ours, "time": ""} == {**workers, "time": ""}
    assert '"job_id":"j"' in written(JsonFormatter(), **ids)
    assert '"job_id":"j"' in written(WorkerFormatter(), **ids)


def test_a_submit_leads_from_its_request_to_its_job(settings: Settings, lines: Lines) -> None:
    with opened_house(settings) as house:
        reply = house.alice.http.post(
            "/jobs", json={"workflow": POSTER}, headers={"X-Request-Id": "mine-1"}
        )
    assert reply.headers["x-comfy-request-id"] == "mine-1"
    for message in ("job recorded", "POST /api/v2/jobs 201"):
        line = lines.saying(message)
        assert line["request_id"] == "mine-1"
        assert line["job_id"] == reply.json()["id"]
        assert line["workspace_id"] == str(house.alice.workspace_id)


def test_requests_about_a_job_name_it(settings: Settings, lines: Lines) -> None:
    with opened_house(settings) as house:
        job = house.alice.submit()
        house.alice.job(job["id"])
        house.executor.claim()
        house.executor.put_output()
        house.executor.succeed()
    place = f"/internal/jobs/{job['id']}/outputs"
    (stored,) = (line for line in lines.lines if line["message"].startswith("PUT /files/"))
    for line in (
        lines.saying(f"GET /api/v2/jobs/{job['id']} 200"),
        lines.saying(f"POST {place} 201"),
        stored,
    ):
        assert line["job_id"] == job["id"]
    for line in (lines.saying(f"POST {place} 201"), stored, lines.saying("job ended")):
        assert line["epoch"] == 1
    ended = lines.saying("job ended")
    assert (ended["status"], ended["tries"]) == ("succeeded", 1)
    assert 0 <= ended["waited_s"] < 60
    assert 0 <= ended["ran_s"] < 60


def test_a_cancel_and_a_return_to_the_queue_are_told(settings: Settings, lines: Lines) -> None:
    with opened_house(settings) as house:
        job = house.alice.submit()
        house.executor.claim()
        house.executor.send({"type": "interrupted", "restarts": False})
        house.alice.http.post(f"/jobs/{job['id']}/cancel")
    back = lines.saying("job goes back to the queue")
    assert (back["job_id"], back["epoch"], back["status"]) == (job["id"], 1, "queued")
    assert lines.saying("cancel taken")["status"] == "canceled"


def test_no_query_of_a_url_is_written(house: House, lines: Lines) -> None:
    house.alice.http.get("/jobs?secret=1")
    line = lines.saying("GET /api/v2/jobs 200")
    assert "secret" not in json.dumps(line)


# --- the whole product --------------------------------------------------------------------------

STORY = [
    ("front-door", "job recorded"),
    ("front-door", "job started"),
    ("worker", "run started"),
    ("worker", "inputs fetched"),
    ("worker", "ComfyUI took the prompt"),
    ("worker", "ComfyUI is done"),
    ("worker", "output stored"),
    ("worker", "outputs stored"),
    ("front-door", "job ended"),
]
COPY = {
    "1": {"class_type": "LoadImage", "inputs": {"image": "photo.png"}},
    "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "copy"}},
}
EVIL = {
    "1": {
        "class_type": "BurstProbeError",
        "inputs": {"kind": "ValueError", "message": f"said by a node {FORGED}"},
    },
    "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "f"}},
}
PHOTO = Path(__file__).parents[1] / "gpu_functions" / "data" / "photo.png"


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Generator[Running]:
    with running(tmp_path_factory.mktemp("stack") / "state") as product:
        parts: list[Any] = [
            ("content_type", (None, "image/png")),
            ("file_path", (None, "photo.png")),
            ("file", ("photo.png", PHOTO.read_bytes())),
        ]
        reply = httpx.post(f"{product.api}/assets", headers=product.auth, files=parts)
        assert reply.status_code == 201, reply.text
        yield product


def told(product: Running, job_id: str, *, within_s: float = 10.0) -> list[dict[str, Any]]:
    """`grep JOB_ID` over every log of the product in the order of time, once its run has ended."""
    until = time.monotonic() + within_s
    while True:
        story = grep(product, job_id)
        if any(line["message"] == "run ended" for line in story):
            return story
        assert time.monotonic() < until, story
        time.sleep(0.05)


def grep(product: Running, job_id: str) -> list[dict[str, Any]]:
    found = [
        {**json.loads(line), "by": path.stem}
        for path in (product.state / "logs").glob("*.log")
        for line in path.read_text().splitlines()
        if job_id in line
    ]
    return sorted(found, key=lambda line: line["time"])


@pytest.mark.stack
def test_a_job_id_finds_its_whole_story_in_order(product: Running) -> None:
    job_id = product.submit(COPY)
    assert product.job(job_id, wait=20)["status"] == "succeeded"

    story = told(product, job_id)

    wanted = {message for _, message in STORY}
    assert [(s["by"], s["message"]) for s in story if s["message"] in wanted] == STORY
    (workspace,) = product.rows("select id from app.workspaces")
    for line in story:
        assert line["job_id"] == job_id
        if line["message"] in wanted:
            assert line["workspace_id"] == str(workspace["id"])
        if line["by"] == "worker":
            assert line["epoch"] == 1
    for name in ("inputs fetched", "ComfyUI took the prompt", "ComfyUI is done", "output stored"):
        (line,) = (line for line in story if line["message"] == name)
        assert 0 <= line["duration_ms"] < 20_000
    run = {s["request_id"] for s in story if s["by"] == "worker"}
    (started,) = (s for s in story if s["message"] == "job started")
    assert run == {started["request_id"]}


@pytest.mark.stack
def test_what_a_node_says_stays_in_its_field(product: Running) -> None:
    job_id = product.submit(EVIL)
    assert product.job(job_id, wait=20)["status"] == "failed"

    story = told(product, job_id)

    (ended,) = (s for s in story if s["message"] == "run ended")
    assert ended["code"] == "node_error"
    assert "said by a node" in ended["untrusted"]
    assert ended["untrusted"].isprintable()
    for line in story:
        rest = {name: text for name, text in line.items() if name != "untrusted"}
        assert "said by a node" not in json.dumps(rest)


@pytest.mark.stack
def test_no_log_holds_a_secret(product: Running) -> None:
    assert product.job(product.submit(COPY), wait=20)["status"] == "succeeded"

    logs = {path: path.read_text() for path in (product.state / "logs").glob("*.log")}

    assert any("PUT /files/" in text for text in logs.values())
    (secret,) = (p.read_text().strip() for p in product.state.glob("secret*") if p.is_file())
    for text in logs.values():
        for forbidden in (product.api_key, secret, "X-Cb-Signature", "X-Goog-", "Bearer", "cbw_"):
            assert forbidden not in text
