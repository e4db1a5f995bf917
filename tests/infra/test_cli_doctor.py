"""What the doctor's rows say, each on the real part or on its absence."""

import io
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr
from rich.console import Console

from app.config import Settings
from infra.cli.doctor import machine, outside, services, storage
from infra.cli.doctor.rows import Row, fail, ok, warn
from infra.cli.doctor.table import as_table, examine, exit_code
from infra.local.postgres import EmbeddedPostgres
from storage.s3_place import S3Place
from tests.storage.servers import moto


def settings(state: Path, **more: object) -> Settings:
    return Settings().model_copy(update={"state": state, "port": 1, **more})


def test_only_failures_make_it_fail() -> None:
    assert exit_code([ok("a", ""), warn("b", "", "")]) == 0
    assert exit_code([ok("a", ""), fail("b", "", "")]) == 1


def test_a_table_shows_what_was_found_as_it_is() -> None:
    console = Console(file=io.StringIO(), width=100)
    console.print(as_table([fail("Redis", "[red]no\x1b[2J", "Start it.")]))

    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "[red]no[2J" in text
    assert "Start it." in text
    assert "\x1b" not in text


async def test_where_nothing_runs_it_warns_and_says_how_to_start(tmp_path: Path) -> None:
    rows = {row.part: row for row in await examine(settings(tmp_path))}

    for part in ("Database", "Redis", "Front door"):
        assert rows[part].state == "warn"
        assert "./dev" in rows[part].remedy
    assert rows["Storage"].state == "ok"


async def test_a_migrated_database_is_good(tmp_path: Path, database_url: str) -> None:
    rows = await services.database(settings(tmp_path, database_url=database_url))

    assert [(row.part, row.state) for row in rows] == [("Database", "ok"), ("Migrations", "ok")]
    assert rows[0].found.startswith("Postgres ")


async def test_an_empty_database_asks_to_be_migrated(
    tmp_path: Path, postgres: EmbeddedPostgres
) -> None:
    rows = await services.database(settings(tmp_path, database_url=postgres.url_of("postgres")))

    assert (rows[1].state, rows[1].remedy) == ("fail", "comfyburst migrate")


async def test_a_database_that_is_away_has_failed(tmp_path: Path) -> None:
    gone = "postgresql://u:p@127.0.0.1:1/x"

    [row] = await services.database(settings(tmp_path, database_url=gone))

    assert row.state == "fail"
    assert "DATABASE_URL" in row.remedy


async def test_a_valkey_says_its_version(tmp_path: Path, redis_url: str) -> None:
    row = await services.redis(settings(tmp_path, redis_url=redis_url))

    assert row.state == "ok"
    assert row.found.startswith("Valkey ")


async def test_a_redis_that_is_away_has_failed(tmp_path: Path) -> None:
    row = await services.redis(settings(tmp_path, redis_url=f"unix://{tmp_path}/none.sock"))

    assert row.state == "fail"


def test_a_secret_that_others_can_read_has_failed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x" * 64)

    secret.chmod(0o644)
    assert machine.secret(settings(tmp_path)).state == "fail"
    secret.chmod(0o600)
    assert machine.secret(settings(tmp_path)).state == "ok"


async def test_storage_is_looked_at_before_it_is_made(tmp_path: Path) -> None:
    row = await storage.storage(settings(tmp_path / "not" / "yet"))

    assert row.state in {"ok", "warn"}
    assert str(tmp_path) in row.found
    assert names_in(tmp_path) == []


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def s3_settings(state: Path, place: S3Place) -> Settings:
    return settings(
        state,
        s3_bucket=place.bucket,
        s3_endpoint_url=place.endpoint_url,
        aws_access_key_id=place.access_key_id,
        aws_secret_access_key=SecretStr(place.secret_access_key or ""),
    )


async def test_a_bucket_is_written_to(tmp_path: Path) -> None:
    with moto() as server:
        assert isinstance(server.place, S3Place)
        good = await storage.storage(s3_settings(tmp_path, server.place))
        none_such = replace(server.place, bucket="none-such")
        none = await storage.storage(s3_settings(tmp_path, none_such))

    assert (good.state, good.found) == ("ok", f"{server.place} can be written")
    assert none.state == "fail"
    assert "create it" in none.found


async def test_half_a_credential_has_failed(tmp_path: Path) -> None:
    place = S3Place("b", "http://127.0.0.1:1", access_key_id="a")

    row = await storage.storage(s3_settings(tmp_path, place))

    assert row.state == "fail"
    assert "aws_secret_access_key" in row.found


@pytest.mark.parametrize(
    ("environ", "state", "says"),
    [
        ({}, "ok", "embedded engine"),
        ({"COMFYUI_URL": "http://127.0.0.1:1"}, "fail", "COMFYUI_URL"),
        ({"COMFYUI_DIR": "/nowhere"}, "fail", "no main.py"),
        ({"COMFYUI_START_TIMEOUT_S": "soon"}, "fail", "COMFYUI_START_TIMEOUT_S"),
    ],
)
async def test_comfyui_is_judged_as_a_worker_would_find_it(
    tmp_path: Path, environ: dict[str, str], state: str, says: str
) -> None:
    row = await outside.comfyui(tmp_path, environ)

    assert row.state == state
    assert says in row.found


async def test_listening_for_others_needs_a_public_url(tmp_path: Path) -> None:
    row = await outside.public_url(settings(tmp_path, host="0.0.0.0"))  # noqa: S104 - not bound

    assert (row.state, row.part) == ("fail", "PUBLIC_URL")


async def test_a_front_door_names_its_environments() -> None:
    body = {
        "environments": [
            {"name": "local", "is_engine": True, "comfyui_version": "e-1", "backend": "local"},
            {"name": "big", "is_engine": False, "comfyui_version": "0.8.0", "backend": "local"},
        ]
    }

    rows = services.judge_front_door("http://x", httpx.Response(200, json=body))

    assert [(row.part, row.state) for row in rows] == [
        ("Front door", "ok"),
        ("Environment local", "warn"),
        ("Environment big", "ok"),
    ]


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        (httpx.Response(200, text="hello"), "something else answers at http://x"),
        (httpx.Response(200, json=[1]), "something else answers at http://x"),
        (
            httpx.Response(503, json={"error": {"message": "Migrations are missing."}}),
            "http://x: Migrations are missing.",
        ),
        (httpx.Response(500, json={}), "http://x: HTTP 500"),
    ],
)
def test_a_front_door_that_is_not_ready_has_failed(reply: httpx.Response, found: str) -> None:
    [row] = services.judge_front_door("http://x", reply)

    assert (row.state, row.found) == ("fail", found)


def test_rows_without_trouble_ask_for_nothing() -> None:
    assert ok("a", "fine") == Row("a", "ok", "fine", "")
