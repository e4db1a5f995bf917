"""Runs the examinations and shows them."""

import asyncio
from collections.abc import Sequence
from typing import Final

from pydantic import ValidationError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.config import Settings
from infra.cli.doctor import machine, outside, services, storage
from infra.cli.doctor.rows import Row, State, fail
from infra.cli.plain import plain
from infra.local.running import settings_of_running

_STYLES: Final[dict[State, str]] = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def examine_and_print() -> int:
    """Print a table; 1 when something failed."""
    try:
        rows = asyncio.run(examine(settings_of_running()))
    except ValidationError as error:
        problems = "; ".join(f"{e['loc'][0]}: {e['msg']}" for e in error.errors())
        rows = [fail("Settings", problems, "Correct these environment variables.")]
    Console().print(as_table(rows))
    return exit_code(rows)


async def examine(settings: Settings) -> list[Row]:
    """Every part, in the order in which one builds on the other."""
    files, database, redis, front_door, comfyui, public_url = await asyncio.gather(
        storage.storage(settings),
        services.database(settings),
        services.redis(settings),
        services.front_door(settings),
        outside.comfyui(settings.state),
        outside.public_url(settings),
    )
    return [
        machine.python(),
        machine.wheels(settings),
        machine.secret(settings),
        files,
        *database,
        redis,
        *front_door,
        comfyui,
        outside.comfy_user_row(settings.state),
        public_url,
    ]


def as_table(rows: Sequence[Row]) -> Table:
    """For a terminal; nothing in it is read as markup."""
    table = Table("part", "", box=None, pad_edge=False)
    table.add_column("found", overflow="fold")
    table.add_column("what to do", overflow="fold")
    for row in rows:
        texts = (Text(plain(row.found)), Text(plain(row.remedy)))
        table.add_row(Text(row.part), Text(row.state, _STYLES[row.state]), *texts)
    return table


def exit_code(rows: Sequence[Row]) -> int:
    """1 when something failed; warnings are no failures."""
    return 1 if any(row.state == "fail" for row in rows) else 0
