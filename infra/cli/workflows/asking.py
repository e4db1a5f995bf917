"""How every command asks the front door, and says why it could not."""

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import httpx
from rich.console import Console
from rich.table import Table

from infra.cli.plain import plain, plain_line
from infra.cli.run.api import Api, ApiError, Endpoint, Json, open_api
from infra.cli.run.command import EXIT_FAILED, EXIT_USAGE, NOTHING_RUNS
from infra.cli.run.inputs import InputError
from infra.cli.run.screen import describe_refusal

MAX_CELL: Final = 60


def ask(state: Path, work: Callable[[Api], None]) -> int:
    """Do it; returns the exit code and has said the reason on stderr."""
    endpoint = Endpoint.find(state)
    if endpoint is None:
        return _failed(NOTHING_RUNS)
    try:
        with open_api(endpoint) as api:
            work(api)
    except InputError as error:
        _failed(error)
        return EXIT_USAGE
    except ApiError as error:
        return _failed(describe_refusal(error, {}))
    except httpx.HTTPError as error:
        reason = str(error) or type(error).__name__
        return _failed(f"{endpoint.base_url} cannot be reached: {reason}")
    except OSError as error:
        return _failed(f"{error.filename}: {error.strerror}")
    return 0


def _failed(reason: object) -> int:
    Console(stderr=True, highlight=False).print(plain(reason), markup=False, soft_wrap=True)
    return EXIT_FAILED


def say(text: object) -> None:
    """A line of the answer."""
    sys.stdout.write(plain(text) + "\n")


def print_json(value: object) -> None:
    """The answer as the server gave it."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def print_table(table: Table) -> None:
    """A table whose cells were made by `cell`."""
    Console(highlight=False, markup=False).print(table)


def cell(value: object) -> str:
    """One cell: short, on one line, harmless."""
    text = plain_line("" if value is None else value)
    return text if len(text) <= MAX_CELL else text[: MAX_CELL - 1] + "…"


def all_of(api: Api, path: str, kind: str, **params: Any) -> list[Json]:
    """Every page of a list."""
    found: list[Json] = []
    cursor: str | None = None
    while True:
        query: Mapping[str, Any] = {
            **params,
            "limit": 100,
            **({"cursor": cursor} if cursor else {}),
        }
        page = api.call("GET", path, params=query)
        found += page[kind]
        cursor = page.get("next_cursor")
        if cursor is None:
            return found


def words(aliases: Mapping[str, int]) -> str:
    """Where words lead: `latest → 2, prod → 1`."""
    return ", ".join(f"{alias} → {number}" for alias, number in sorted(aliases.items()))
