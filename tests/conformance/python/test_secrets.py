"""Partner keys: in the ticket of the run that needs them, and nowhere else, ever."""

import logging
from typing import Any

import psycopg
import pytest
from comfy_sdk import Comfy
from psycopg.sql import SQL, Identifier

from tests.app.conftest import House
from tests.app.front_door import POSTER
from tests.conformance.python.graphs import poster

CANARY = "canary-5d2c9e"
KEYS = {"api_key_comfy_org": f"{CANARY}-key", "auth_token_comfy_org": f"{CANARY}-token"}


def everything_stored(house: House) -> str:
    """Every row of every table as text; bytes as hexadecimal and as they are."""
    texts: list[str] = []
    with psycopg.connect(house.settings.database_url) as connection:
        tables = connection.execute(
            "select schemaname, tablename from pg_tables "
            "where schemaname not in ('pg_catalog', 'information_schema')"
        ).fetchall()
        assert len(tables) > 10
        for table in tables:
            statement = SQL("select t::text from {} t").format(Identifier(*table))
            rows = connection.execute(statement).fetchall()
            texts += [row[0] for row in rows]
    return "\n".join(texts)


def is_in(text: str) -> bool:
    """Whether a secret is in there, as text or as hexadecimal bytes."""
    return CANARY in text or CANARY.encode().hex() in text


def test_a_partner_key_is_seen_by_the_run_alone(
    comfy: Comfy, house: House, caplog: pytest.LogCaptureFixture
) -> None:
    """v2.11: not in the job, its workflow, events, lists, rows or log lines."""
    with caplog.at_level(logging.DEBUG):
        job = comfy.submit(poster(), api_key=KEYS["api_key_comfy_org"])
        assert not is_in(everything_stored(house)), "sealed while it waits"
        ticket = house.executor.claim()
        assert ticket is not None
        assert ticket["extra_data"] == {"api_key_comfy_org": KEYS["api_key_comfy_org"]}
        house.executor.put_output()
        house.executor.succeed()
        events = [repr(event) for event in job.events()]
        workflow = repr(job.get_workflow())
        seen = [house.alice.http.get(path).text for path in ("/jobs", f"/jobs/{job.id}")]
    assert not is_in("".join([*events, workflow, *seen]))
    assert not is_in(everything_stored(house))
    lines = "\n".join(repr(vars(record)) + record.getMessage() for record in caplog.records)
    assert "job recorded" in lines
    assert not is_in(lines)


def test_its_sealed_form_ends_with_the_job(comfy: Comfy, house: House) -> None:
    """v2.11: canceled before it ran, nothing is left to open."""
    job = comfy.submit(poster(), api_key=KEYS["api_key_comfy_org"])
    count = "select count(*) from app.job_secrets"
    with psycopg.connect(house.settings.database_url, autocommit=True) as connection:
        assert connection.execute(count).fetchone() == (1,)
        job.cancel()
        assert connection.execute(count).fetchone() == (0,)


@pytest.mark.parametrize(
    ("extra_data", "handed_over"),
    [(None, {}), ({}, {}), (KEYS, KEYS), ({"auth_token_comfy_org": "t"}, {"auth_token_comfy_org": "t"})],
)  # fmt: skip
def test_both_keys_either_or_none_are_taken(
    house: House, extra_data: Any, handed_over: dict[str, str]
) -> None:
    """v2.11: absent and empty are the same."""
    body = (
        {"workflow": POSTER}
        if extra_data is None
        else {"workflow": POSTER, "extra_data": extra_data}
    )
    reply = house.alice.http.post("/jobs", json=body)
    assert reply.status_code == 201, reply.text
    assert not is_in(reply.text)
    ticket = house.executor.claim()
    assert ticket is not None
    assert (ticket["extra_data"] or {}) == handed_over


def test_a_refusal_does_not_repeat_a_key(house: House) -> None:
    """v2.11: not even where the key itself is what is wrong."""
    for extra_data in ({"api_key_comfy_org": CANARY * 1_000}, {"other": CANARY}, CANARY):
        reply = house.alice.http.post("/jobs", json={"workflow": POSTER, "extra_data": extra_data})
        assert reply.status_code == 422
        assert not is_in(reply.text)
