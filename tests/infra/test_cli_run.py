"""`comfyburst run` against a front door that answers as told."""

import io
import json
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console

from infra.cli.run.api import Api, ApiError, Endpoint
from infra.cli.run.follow import GIVE_UP_AFTER_S, Follower, GaveUpError
from infra.cli.run.inputs import Graph
from infra.cli.run.screen import Screen, describe_failure, describe_refusal
from infra.cli.run.sse import ServerEvent, read_events

GRAPH: Graph = {"1": {"class_type": "Nope", "inputs": {}, "_meta": {"title": "The [bold]one"}}}
ENDED: dict[str, Any] = {"id": "j", "status": "succeeded", "outputs": []}
RUNNING: dict[str, Any] = {"id": "j", "status": "running", "outputs": []}


@dataclass
class Told:
    """What a watcher was told."""

    news: list[tuple[str, Any]] = field(default_factory=list[tuple[str, Any]])

    def status(self, status: str, queue_position: int | None) -> None:
        del queue_position
        self.news.append(("status", status))

    def progress(self, progress: dict[str, Any]) -> None:
        self.news.append(("progress", progress["value"]))

    def output(self, output: dict[str, Any]) -> None:
        self.news.append(("output", output["name"]))

    def away(self, reason: str) -> None:
        del reason
        self.news.append(("away", None))


@dataclass
class FrontDoor:
    """Answers in the order given; remembers what it was asked."""

    replies: list[httpx.Response | Exception]
    asked: list[httpx.Request] = field(default_factory=list[httpx.Request])

    def __call__(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.asked.append(request)
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply

    @property
    def paths(self) -> list[str]:
        return [f"{r.method} {r.url.path.removeprefix('/api/v2/')}" for r in self.asked]


Open = Callable[..., tuple[FrontDoor, Api]]


@pytest.fixture
def opened() -> Generator[Open]:
    clients: list[httpx.Client] = []

    def open_with(*replies: httpx.Response | Exception) -> tuple[FrontDoor, Api]:
        door = FrontDoor(list(replies))
        client = httpx.Client(base_url="http://x/api/v2/", transport=httpx.MockTransport(door))
        clients.append(client)
        return door, Api(client)

    yield open_with
    for client in clients:
        client.close()


class Broken(httpx.SyncByteStream):
    """A stream that is cut off."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __iter__(self) -> Iterator[bytes]:
        yield self._text.encode()
        raise httpx.RemoteProtocolError("cut off")


def frames(*events: tuple[str, dict[str, Any], str | None]) -> str:
    return "".join(
        f"event: {name}\ndata: {json.dumps(data)}\n" + (f"id: {id}\n" if id else "") + "\n"
        for name, data, id in events
    )


def follower(api: Api, told: Told, clock: Iterator[float] | None = None) -> Follower:
    times = clock or iter([0.0] * 100)
    return Follower(api, told, sleep=lambda _: None, clock=lambda: next(times))


def test_a_stream_is_shown_and_the_job_read_once_at_its_end(opened: Open) -> None:
    stream = frames(
        ("status", {"status": "running"}, "1"),
        ("progress", {"value": 0.5}, None),
        ("log", {"line": "x"}, "2"),
        ("output", {"name": "a.png"}, "3"),
        ("status", {"status": "succeeded"}, "4"),
    )
    door, api = opened(httpx.Response(200, text=stream), httpx.Response(200, json=ENDED))
    told = Told()

    job = follower(api, told).until_ended("j")

    assert job == ENDED
    assert told.news[:4] == [
        ("status", "running"),
        ("progress", 0.5),
        ("output", "a.png"),
        ("status", "succeeded"),
    ]
    assert door.paths == ["GET jobs/j/events", "GET jobs/j"]


def test_a_broken_stream_is_resumed_after_the_last_event_seen(opened: Open) -> None:
    cut = Broken(frames(("status", {"status": "running"}, "7"), ("progress", {"value": 0.1}, None)))
    rest = frames(("status", {"status": "succeeded"}, "9"))
    door, api = opened(
        httpx.Response(200, stream=cut),
        httpx.Response(200, json=RUNNING),
        httpx.Response(200, text=rest),
        httpx.Response(200, json=ENDED),
    )
    told = Told()

    follower(api, told).until_ended("j")

    assert "last-event-id" not in door.asked[0].headers
    assert door.asked[2].headers["last-event-id"] == "7"
    assert ("away", None) in told.news


def test_without_streams_it_asks_until_the_end(opened: Open) -> None:
    none = httpx.Response(501, json={"error": {"code": "not_implemented", "message": "no"}})
    _, api = opened(none, httpx.Response(200, json=RUNNING), none, httpx.Response(200, json=ENDED))

    assert follower(api, Told()).until_ended("j") == ENDED


def test_a_front_door_that_restarts_is_waited_for(opened: Open) -> None:
    away = httpx.ConnectError("refused")
    _, api = opened(away, away, away, httpx.Response(200, json=ENDED))

    assert follower(api, Told()).until_ended("j") == ENDED


def test_a_front_door_that_stays_away_is_given_up(opened: Open) -> None:
    away = httpx.ConnectError("refused")
    _, api = opened(away, away)

    with pytest.raises(GaveUpError):
        follower(api, Told(), iter([0.0, GIVE_UP_AFTER_S + 1])).until_ended("j")


def test_a_key_that_is_revoked_meanwhile_ends_the_following(opened: Open) -> None:
    refused = httpx.Response(401, json={"error": {"code": "unauthorized", "message": "no"}})
    _, api = opened(refused, refused)

    with pytest.raises(ApiError) as error:
        follower(api, Told()).until_ended("j")

    assert error.value.code == "unauthorized"


def test_a_submit_whose_answer_is_lost_is_repeated_with_its_key(opened: Open) -> None:
    door, api = opened(httpx.ReadError("reset"), httpx.Response(201, json=RUNNING))

    assert api.submit(GRAPH) == RUNNING

    first, second = (request.headers["idempotency-key"] for request in door.asked)
    assert first == second


def test_where_nobody_listens_a_submit_fails_at_once(opened: Open) -> None:
    door, api = opened(httpx.ConnectError("refused"))

    with pytest.raises(httpx.ConnectError):
        api.submit(GRAPH)

    assert len(door.asked) == 1


def test_known_bytes_are_not_sent_again(opened: Open, tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    photo.write_bytes(b"png")
    asset = {"id": "a", "hash": "blake3:0f", "file_path": "photo.png", "size_bytes": 3}
    door, api = opened(httpx.Response(200), httpx.Response(201, json=asset))

    handle = api.upload(photo)

    info = {"id": "a", "hash": "blake3:0f", "file_path": "photo.png"}
    assert handle == {"__type": "core/ASSET", "info": info}
    assert door.paths[1] == "POST assets/from-hash"


@pytest.mark.parametrize("content", [b"png", b""], ids=["bytes", "empty"])
def test_bytes_that_expired_meanwhile_are_sent(
    opened: Open, tmp_path: Path, content: bytes
) -> None:
    photo = tmp_path / "photo.png"
    photo.write_bytes(content)
    gone = httpx.Response(404, json={"error": {"code": "blob_not_found", "message": "gone"}})
    door, api = opened(httpx.Response(200), gone, httpx.Response(201, json={"id": "a"}))

    assert api.upload(photo)["info"] == {"id": "a"}

    body = door.asked[2].content.decode()
    names = ["content_type", "file_path", "expected_hash", "file"]
    places = [body.index(f'name="{name}"') for name in names]
    assert places == sorted(places)


def test_a_failed_job_names_its_node_by_title() -> None:
    error = {"code": "node_error", "message": "boom", "node_id": "1", "class_type": "Nope"}

    text = describe_failure({"status": "failed", "error": error}, GRAPH)

    assert text == "failed: boom (node_error)\n  in node 1: The [bold]one (Nope)"


@pytest.mark.parametrize(
    "problems",
    [
        [{"field": "seed", "reason": "too_big", "message": "Too big."}],
        {"errors": [{"type": "x", "message": "Too big.", "details": "seed"}]},
    ],
    ids=["v2", "ComfyUI"],
)
def test_a_refusal_is_told_node_by_node(problems: object) -> None:
    error = ApiError(422, "invalid_workflow", "No.", {"node_errors": {"1": problems}})

    assert describe_refusal(error, GRAPH).splitlines() == [
        "refused: No. (invalid_workflow)",
        "  node 1: The [bold]one (Nope)",
        "    seed: Too big.",
    ]


def test_nothing_a_server_says_is_read_as_markup() -> None:
    file = io.StringIO()
    with Screen(Console(file=file, width=80), GRAPH) as screen:
        screen.say("[red]x[/red]\x1b[2J")
        screen.status("[bold]odd", None)
        screen.progress({"value": 0.5, "current_node": "1", "steps": 4, "step": 2})

    assert file.getvalue() == "[red]x[/red][2J\n[bold]odd\n"


def test_a_frame_cut_off_is_no_event() -> None:
    lines = ["event: status", 'data: {"a"', "data: :1}", "id: 4", "", ": ping", "", "data: x"]

    assert list(read_events(lines)) == [ServerEvent("status", '{"a"\n:1}', "4")]


def test_the_environment_says_where_before_what_runs_here(tmp_path: Path) -> None:
    ready = {"url": "http://127.0.0.1:9000", "api_key": "k"}
    (tmp_path / "ready.json").write_text(json.dumps(ready))
    there = {"COMFY_BASE_URL": "https://burst.example/x/", "COMFY_API_KEY": "other"}

    assert Endpoint.find(tmp_path, {}) == Endpoint("http://127.0.0.1:9000", "k")
    assert Endpoint.find(tmp_path, there) == Endpoint("https://burst.example/x", "other")
    assert Endpoint.find(tmp_path / "none", {}) is None


def test_the_key_of_this_machine_is_not_sent_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "ready.json").write_text('{"url": "http://127.0.0.1:9000", "api_key": "k"}')

    there = Endpoint.find(tmp_path, {"COMFY_BASE_URL": "https://burst.example"})

    assert there == Endpoint("https://burst.example", None)
