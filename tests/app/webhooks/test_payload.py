"""A payload is always under 20 kB, and says what was left out of it."""

import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.webhooks.payload import MAX_BYTES, payload

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
Text = st.text(st.characters(codec="utf-8"), max_size=1_024)


def job(**changes: Any) -> dict[str, Any]:
    return {
        "id": "01a20ed4-faf1-70c7-b872-fe93be959e2f",
        "status": "succeeded",
        "created_at": AT,
        "completed_at": AT,
        "outputs": [],
        "error": None,
        "metadata": {"campaign": "7"},
        "urls": {"self": "http://127.0.0.1:8000/api/v2/jobs/1"},
        **changes,
    }


def output(number: int, name: str = "a.png") -> dict[str, Any]:
    return {"id": str(number), "name": name, "url": f"http://127.0.0.1/assets/{number}/content"}


def told(**changes: Any) -> dict[str, Any]:
    body = payload("job.succeeded", AT, job(**changes))
    assert len(body.encode()) < MAX_BYTES
    event = json.loads(body)
    assert (event["type"], event["timestamp"]) == ("job.succeeded", "2026-11-24T12:00:00Z")
    return event["data"]


def test_what_fits_is_sent_whole() -> None:
    data = told(outputs=[output(1)])
    assert data["outputs"] == [output(1)]
    assert "truncated" not in data


def test_of_many_outputs_as_many_are_sent_as_fit() -> None:
    outputs = [output(n) for n in range(1_000)]
    data = told(outputs=outputs)
    assert (data["truncated"], data["outputs_total"]) == (["outputs"], 1_000)
    assert data["outputs"] == outputs[: len(data["outputs"])]
    assert data["metadata"] == {"campaign": "7"}
    body = payload("job.succeeded", AT, job(outputs=outputs))
    assert len(body) + len(json.dumps(output(1_000))) > MAX_BYTES, "one more would not fit"


def test_a_long_failure_is_cut_before_outputs_are() -> None:
    error = {"code": "node_error", "message": "m" * 16_000, "traceback": "t" * 16_000}
    data = told(error=error, outputs=[output(1)])
    assert data["truncated"] == ["error"]
    assert data["error"] == {"code": "node_error", "message": "m" * 1_000}
    assert data["outputs"] == [output(1)]


def test_long_labels_go_last() -> None:
    metadata = {f"k{n}": "\u20ac" * 1_024 for n in range(16)}
    data = told(metadata=metadata, outputs=[output(n) for n in range(1_000)])
    assert data["metadata"] == {}
    assert data["truncated"] == ["metadata", "outputs"]
    assert len(data["outputs"]) > 100


def test_what_nothing_can_make_fit_still_says_how_it_ended() -> None:
    data = told(progress={"current_node": "n" * 30_000})
    assert data.keys() == {"id", "status", "created_at", "completed_at", "urls", "truncated"}
    assert "progress" in data["truncated"]


@given(
    outputs=st.integers(0, 400),
    name=Text,
    message=Text,
    times=st.integers(0, 16),
    labels=st.dictionaries(Text, Text, max_size=16),
)
def test_whatever_a_job_holds_its_payload_is_short_and_json(
    outputs: int, name: str, message: str, times: int, labels: dict[str, str]
) -> None:
    data = told(
        outputs=[output(n, name) for n in range(outputs)],
        error={"code": "node_error", "message": message * times, "traceback": message * times},
        metadata=labels,
    )
    assert data["status"] == "succeeded"
