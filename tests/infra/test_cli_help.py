"""Help that teaches: every command shows what to type, and help costs no imports."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from infra.cli.main import app

COMMANDS = ("up", "comfy", "run", "doctor", "serve", "worker", "migrate")
HEAVY = ("fastapi", "psycopg", "celery", "redis", "httpx", "pydantic", "blake3")


def help_of(*words: str) -> str:
    result = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "100", "NO_COLOR": "1"})
    assert result.exit_code == 0
    return result.output


def test_the_command_lists_its_parts_and_a_first_example() -> None:
    text = help_of()

    assert all(command in text for command in (*COMMANDS, "keys"))
    assert "comfyburst run poster.json -i 1.prompt='Hello' -o outputs" in text


@pytest.mark.parametrize("command", COMMANDS)
def test_every_part_shows_what_to_type(command: str) -> None:
    text = help_of(command)

    assert "Examples" in text
    assert f"comfyburst {command}" in text
    assert "[bold]" not in text


def test_help_of_keys_is_its_own() -> None:
    text = help_of("keys")

    assert "Usage: comfyburst keys" in text
    assert "revoke" in text


def test_help_of_workflows_is_its_own() -> None:
    text = help_of("workflows")

    assert "Usage: comfyburst workflows" in text
    assert all(command in text for command in ("push", "bind", "diff", "rollback", "inspect"))


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, infra.cli.main as main; main.app(['--help'], standalone_mode=False); "
        f"print([m for m in {HEAVY} if m in sys.modules], file=sys.stderr)"
    )

    done = subprocess.run(  # noqa: S603 - our own Python
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert done.stderr.strip() == "[]"


def test_an_unknown_command_is_a_usage_error() -> None:
    assert CliRunner().invoke(app, ["fly"]).exit_code == 2
