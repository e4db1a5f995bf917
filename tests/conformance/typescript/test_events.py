"""The event stream in the TypeScript SDK: its order, its odd characters, its interruptions."""

import time
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from tests.app.conftest import House
from tests.conformance.clients.front import Front
from tests.conformance.clients.installed import CLIENTS, NEEDS_CLIENTS
from tests.conformance.clients.node import Sdk
from tests.conformance.clients.relay import Relay, listening

pytestmark = NEEDS_CLIENTS

ODD = 'line\u2028paragraph\u2029next\u0085 emoji 😀 quote " nul-free é'


def progress(value: float, message: str | None = None) -> dict[str, object]:
    """A snapshot."""
    return {"value": value, "nodes_done": 1, "nodes_total": 2, "message": message}


def test_a_stream_begins_with_the_state_and_ends_after_the_outputs(house: House, sdk: Sdk) -> None:
    job = house.alice.submit()
    with sdk.running("watch", job["id"]) as program:
        snapshot = program.hear()
        assert (snapshot["kind"], snapshot["status"]) == ("statusChange", "queued")
        house.executor.claim()
        assert program.hear()["status"] == "running"
        preview = {"node_id": "1", "content_type": "image/jpeg", "data_base64": "AAAA"}
        house.executor.send(progress=progress(0.5), preview=preview)
        live = program.hear_until("preview")
        assert (live[0]["kind"], live[0]["value"]) == ("progress", 0.5)
        assert live[-1]["data"] == 3
        asset_id = house.executor.put_output(b"output", name="o.png")
        house.executor.succeed()
        *_, output, end = program.rest()
    assert output == {
        "kind": "outputReady",
        "id": asset_id,
        "name": "o.png",
        "type": "image",
        "bytes": 6,
    }
    assert (end["kind"], end["status"]) == ("statusChange", "succeeded")


def test_the_first_event_comes_within_a_second(house: House, front: Front, sdk: Sdk) -> None:
    job = house.alice.submit()
    with sdk.running("watch", job["id"]) as program:
        while not front.seen("GET", f"/api/v2/jobs/{job['id']}/events"):
            time.sleep(0.005)
        asked = time.monotonic()
        program.hear()
        assert time.monotonic() - asked < 1


def test_who_comes_late_hears_the_outputs_and_the_end(house: House, sdk: Sdk) -> None:
    job = house.alice.submit()
    house.executor.claim()
    house.executor.put_output(b"one", name="1.png")
    house.executor.put_output(b"two", name="2.png")
    house.executor.succeed()
    events = sdk.run("watch", job["id"])
    assert [event.get("name", event.get("status")) for event in events] == [
        *("1.png", "2.png", "succeeded"),
    ]


def test_odd_characters_arrive_as_they_are(house: House, sdk: Sdk) -> None:
    job = house.alice.submit()
    with sdk.running("watch", job["id"]) as program:
        program.hear()
        house.executor.claim()
        house.executor.send(progress=progress(0.5, ODD))
        assert program.hear_until("progress")[-1]["message"] == ODD
        house.executor.send({"type": "log", "level": "warning", "message": ODD})
        log = program.hear_until("log")[-1]
        house.executor.succeed()
        program.rest()
    assert (log["level"], log["message"]) == ("warning", ODD)


def test_progress_never_goes_back(house: House, sdk: Sdk) -> None:
    job = house.alice.submit()
    with sdk.running("watch", job["id"]) as program:
        program.hear()
        house.executor.claim()
        for value in (0.2, 0.8):
            house.executor.send(progress=progress(value))
            assert program.hear_until("progress")[-1]["value"] == value
        house.executor.succeed()
        assert program.rest()[-1]["status"] == "succeeded"


@pytest.mark.parametrize("cut_after", [b"event: output\n", b'"status":"running"', b"event: pro"])
def test_a_stream_cut_within_a_frame_still_tells_the_end(
    house: House, programs: None, cut_after: bytes
) -> None:
    job = house.alice.submit()
    with cutting(house, cut_after) as (sdk, relay), sdk.running("watch", job["id"]) as program:
        program.hear()
        do_half(house, relay)
        house.executor.succeed()
        assert program.rest()[-1]["status"] == "succeeded"


def test_a_stream_cut_within_a_frame_goes_on_at_once(house: House, programs: None) -> None:
    """Before it reconnects the SDK reads the job by `urls.self`, which else holds until the end."""
    job = house.alice.submit()
    cut_after = b"event: output\n"
    with cutting(house, cut_after) as (sdk, relay), sdk.running("watch", job["id"]) as program:
        program.hear()
        do_half(house, relay)
        assert program.hear_until("outputReady")[-1]["name"] == "o.png"
        house.executor.send(progress=progress(0.9))
        assert program.hear_until("progress")[-1]["value"] == 0.9
        house.executor.succeed()
        assert program.rest()[-1]["status"] == "succeeded"


@contextmanager
def cutting(house: House, cut_after: bytes) -> Generator[tuple[Sdk, Relay]]:
    """Alice's programs behind a relay that cuts once."""
    relay = Relay(int(house.url.rsplit(":", 1)[1]), cut_after)
    with listening(relay) as port:
        yield Sdk(CLIENTS, f"http://127.0.0.1:{port}", house.alice.key), relay


def do_half(house: House, relay: Relay) -> None:
    """Start the job, report half of it and an output, and see the stream cut."""
    house.executor.claim()
    house.executor.send(progress=progress(0.5))
    house.executor.put_output(b"output", name="o.png")
    until = time.monotonic() + 10
    while not relay.cuts:
        assert time.monotonic() < until, "the stream was not cut"
        time.sleep(0.01)


def test_a_preview_that_is_no_base64_harms_nobody(house: House, sdk: Sdk) -> None:
    job = house.alice.submit()
    with sdk.running("watch", job["id"]) as program:
        program.hear()
        house.executor.claim()
        preview = {"node_id": "1", "content_type": "image/png", "data_base64": "!!not base64!!"}
        house.executor.send(preview=preview)
        house.executor.send(progress=progress(0.5))
        program.hear_until("progress")
        house.executor.succeed()
        assert program.rest()[-1]["status"] == "succeeded"
