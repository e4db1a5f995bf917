"""Times as v2 writes them: UTC with a Z, also where the database lives in another zone."""

import json
from urllib.parse import urlsplit

import httpx
import psycopg
from psycopg.sql import SQL, Identifier

from app.config import Settings
from tests.app.conftest import opened_house


def test_times_end_in_z_whatever_zone_the_database_lives_in(settings: Settings) -> None:
    name = urlsplit(settings.database_url).path.lstrip("/")
    with psycopg.connect(settings.database_url, autocommit=True) as connection:
        connection.execute(
            SQL("alter database {} set timezone to 'Asia/Tokyo'").format(Identifier(name))
        )
    with opened_house(settings) as house:
        job = house.alice.submit()
        house.executor.claim()
        house.executor.put_output()
        house.executor.succeed()
        job = house.alice.job(job["id"])
        times = [job[key] for key in ("created_at", "started_at", "completed_at", "expires_at")]
        events = httpx.get(house.url + job["urls"]["events"], headers=house.alice.http.headers)
        output = next(line for line in events.text.splitlines() if "url_expires_at" in line)
        times.append(json.loads(output.removeprefix("data: "))["url_expires_at"])
    assert all(time.endswith("Z") for time in times), times
