"""What has to be true of each job of a torture run once it is over, as its owner sees it."""

import io
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final, cast

import httpx
from PIL import Image

from tests.running import Running
from tests.torture.cases import DEADLINE_S, MAX_TEXT_BYTES, STALL_S, Case

SLACK_S: Final = 90.0
"""For the ways of a machine that has other work: what is told apart is minutes from hours."""
MAX_MESSAGE_BYTES: Final = 16_384

Job = dict[str, Any]


def problems_of(case: Case, job: Job, client: httpx.Client, *, canceled: bool) -> Iterator[str]:
    """Every way in which a job did not go as it had to."""
    status = "canceled" if canceled else case.status
    if job["status"] != status:
        yield f"is {job['status']} instead of {status}: {job['error']}"
        return
    if status == "failed":
        yield from _error_problems(case, job["error"])
    if status != "canceled" and job["tries"] != case.tries:
        yield f"was started {job['tries']} times instead of {case.tries}"
    yield from _time_problems(case, job)
    yield from _output_problems(case, job, client, is_whole=status == "succeeded")


def _error_problems(case: Case, error: Job) -> Iterator[str]:
    if error["code"] != case.code:
        yield f"has {error['code']} instead of {case.code}: {error['message'][:200]}"
    text = f"{error['message']}{error.get('traceback') or ''}"
    if not error["message"] or len(error["message"].encode()) > MAX_MESSAGE_BYTES:
        yield f"says {len(error['message'])} characters"
    for secret in ("cb_aaaa", "token=", "\x1b", "\0", "\u202e"):
        if secret in text:
            yield f"says {secret!r}"


def _time_problems(case: Case, job: Job) -> Iterator[str]:
    if not job["started_at"]:
        return
    times = [datetime.fromisoformat(job[name]) for name in ("started_at", "completed_at")]
    took_s = (times[1] - times[0]).total_seconds()
    limit_s = STALL_S if case.code == "stalled" else min(case.deadline_s, DEADLINE_S)
    if took_s > limit_s + SLACK_S:
        yield f"took {took_s:.0f} s with a limit of {limit_s:.0f} s"


def _output_problems(
    case: Case, job: Job, client: httpx.Client, *, is_whole: bool
) -> Iterator[str]:
    by_type: dict[str, list[bytes]] = {"image": [], "text": [], "file": []}
    for output in job["outputs"]:
        reply = client.get(output["url"])  # without a key, as anybody who was given it
        if reply.status_code != 200 or len(reply.content) != output["size_bytes"]:
            yield f"{output['name']!r} answers {reply.status_code} with {len(reply.content)} bytes"
            return
        by_type[output["type"]].append(reply.content)
    counts = {kind: len(found) for kind, found in by_type.items()}
    wanted = {"image": case.pictures, "text": len(case.texts), "file": case.models}
    if is_whole and counts != wanted:
        yield f"has {counts} instead of {wanted}"
    elif sum(counts.values()) > sum(wanted.values()):
        yield f"has {counts} though it is {job['status']}"
    yield from _content_problems(case, by_type)


def _content_problems(case: Case, by_type: Mapping[str, list[bytes]]) -> Iterator[str]:
    for content in by_type["image"]:
        yield from _picture_problems(case, content)
    for content, wanted in zip(by_type["text"], case.texts, strict=False):
        yield from _text_problems(content.decode(), wanted)
    if any(content[:4] != b"glTF" for content in by_type["file"]):
        yield "has a model that is none"


def _picture_problems(case: Case, content: bytes) -> Iterator[str]:
    with Image.open(io.BytesIO(content)) as image:
        rgb = image.convert("RGB")
        colours = rgb.getcolors() or []
    if rgb.size != case.size:
        yield f"has a picture of {rgb.size} instead of {case.size}"
    found = [cast("tuple[int, int, int]", colour) for _, colour in colours]
    if [red << 16 | green << 8 | blue for red, green, blue in found] != [case.colour]:
        yield f"has the colours {found[:3]} instead of {case.colour:06x}: somebody else's picture"


def _text_problems(text: str, wanted: str) -> Iterator[str]:
    if len(wanted.encode()) <= MAX_TEXT_BYTES:
        if text != wanted:
            yield f"says {text[:50]!r} instead of {wanted[:50]!r}"
    elif not MAX_TEXT_BYTES * 0.9 < len(text.encode()) <= MAX_TEXT_BYTES:
        yield f"says {len(text.encode())} bytes"
    elif text[: MAX_TEXT_BYTES // 2] != wanted[: MAX_TEXT_BYTES // 2]:
        yield "says something else"


def thumbnails(jobs: Mapping[str, Job]) -> tuple[int, int]:
    """How many pictures were delivered, and how many of them have a thumbnail."""
    pictures = [o for job in jobs.values() for o in job["outputs"] if o["type"] == "image"]
    return len(pictures), sum("thumbnail_url" in picture for picture in pictures)


def broken_logs(stack: Running) -> list[Any]:
    """Jobs that did not end exactly once, or whose log has a gap or goes on after the end."""
    return stack.rows(
        """
        select job_id, count(*), max(seq), count(*) filter (where ends) as ends,
            max(seq) filter (where ends) as ended_at
        from (
            select job_id, seq, type = 'status' and data ->> 'status'
                in ('succeeded', 'failed', 'canceled', 'expired') as ends from app.job_events
        ) as events
        group by job_id
        having count(*) <> max(seq) or count(*) filter (where ends) <> 1
            or max(seq) filter (where ends) <> max(seq)
        """
    )
