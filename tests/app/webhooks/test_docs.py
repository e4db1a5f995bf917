"""docs/webhooks.md: its receiver verifies what is sent, its settings and numbers are ours."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

from app.config import Settings
from app.secret import Keyring
from app.webhooks.models import MAX_TESTS_A_MINUTE, MAX_TRIES, Event
from app.webhooks.repository.outbox import MAX_IN_LANE, MAX_OF_WORKSPACE
from app.webhooks.schedule import DELAYS_S
from app.webhooks.signing import Signing

PAGE = (Path(__file__).parents[3] / "docs" / "webhooks.md").read_text(encoding="utf-8")


def documented_receiver(secret: str) -> tuple[Callable[[bytes, dict[str, str]], int], list[str]]:
    """The Python of the page, and what it was handed to do later."""
    [source] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    seen: set[str] = set()
    done: list[str] = []

    def already_seen(message_id: str) -> bool:
        known = message_id in seen
        seen.add(message_id)
        return known

    def later(kind: str, job_id: str) -> None:
        done.append(f"{kind} {job_id}")

    names: dict[str, Any] = {"already_seen": already_seen, "later": later}
    exec(source.replace("whsec_…", secret), names)  # noqa: S102 - our own page
    return names["receive"], done


def test_the_receiver_of_the_page_takes_ours_once_and_nobody_elses() -> None:
    signing = Signing(Keyring(b"k" * 32))
    signer = signing.new_signer()
    receive, done = documented_receiver(signing.shown(signer.id, signer.secret))
    body = '{"type":"job.failed","data":{"id":"1"}}'
    headers = signing.headers(signer.id, [signer.secret], signer.id, datetime.now(UTC), body)
    assert [receive(body.encode(), headers) for _ in range(2)] == [204, 204]
    assert done == ["job.failed 1"]
    assert receive(body.replace("1", "2").encode(), headers) == 401
    assert receive(body.encode(), {**headers, "webhook-signature": "v1,AAAA"}) == 401


def test_its_settings_are_ours_with_their_defaults() -> None:
    fields = {str(f.validation_alias): f.default for f in Settings.model_fields.values()}
    rows = re.findall(r"^\| `(COMFYBURST_\w+)` \| (\S+) \|", PAGE, re.MULTILINE)
    assert len(rows) == 3
    for name, default in rows:
        assert str(fields[name]).lower().removesuffix(".0") == default, name
    assert {*re.findall(r"COMFYBURST_\w+", PAGE)} - {"COMFYBURST_SECRET"} <= fields.keys()


def test_its_numbers_are_ours() -> None:
    [row] = re.findall(r"^\| after the one before \| at once \| (.*) \|$", PAGE, re.MULTILINE)
    units = {"s": 1, "min": 60, "h": 3_600}
    told = [int(n) * units[unit] for n, unit in (cell.split() for cell in row.split(" | "))]
    assert told == list(DELAYS_S[1:])
    assert f"at most {MAX_IN_LANE} calls at once" in PAGE
    assert f"{MAX_OF_WORKSPACE} to those of one workspace" in PAGE
    assert f"({MAX_TRIES} attempts of one delivery" in PAGE
    assert f"{MAX_TESTS_A_MINUTE} a minute" in PAGE
    assert all(f"`{event}`" in PAGE for event in get_args(Event))
