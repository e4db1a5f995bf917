"""`.env.example`, written from the settings themselves: every variable, its default and what it is for.

`python -m infra.env_example` rewrites the file; `./dev check` and a test compare.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.config import Settings
from gpu_functions.settings import variables as worker_variables

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / ".env.example"
WIDTH = 96
_INTERNAL = {"COMFYBURST_WORKER_TOKEN_FD", "COMFYBURST_READY_FILE"}
"""Set by whoever starts the worker, never by a person."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One variable."""

    name: str
    default: Any
    description: str


def entries() -> dict[str, list[Entry]]:
    """Every variable a person may set, by who reads it."""
    front_door = [
        Entry(str(f.validation_alias), f.default, f.description or "")
        for f in Settings.model_fields.values()
    ]
    known = {entry.name for entry in front_door}
    worker = [
        Entry(v.name, v.default, v.description)
        for v in worker_variables()
        if v.name not in known | _INTERNAL
    ]
    return {"The front door": front_door, "The worker and its ComfyUI": worker}


def render() -> str:
    """The whole file."""
    lines = [
        "# Every variable Comfyburst reads, with its default. All are optional: `./dev` needs none.",
        "# Written by `python -m infra.env_example`; a test compares it with the code.",
    ]
    for title, group in entries().items():
        lines += ["", f"# --- {title} " + "-" * (WIDTH - len(title) - 7)]
        for entry in group:
            lines += ["", *_wrapped(entry.description), f"# {entry.name}={_text(entry.default)}"]
    return "\n".join(lines) + "\n"


def drift() -> str:
    """What is wrong with the committed file, empty when nothing is."""
    return "" if FILE.read_text() == render() else ".env.example is not what the settings say."


def _text(value: Any) -> str:
    if value is None or value == ():
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}" if value < 1e6 else str(int(value))
    return str(value)


def _wrapped(text: str) -> list[str]:
    lines: list[str] = []
    line = "#"
    for word in text.split():
        if len(line) + 1 + len(word) > WIDTH:
            lines.append(line)
            line = "#"
        line += f" {word}"
    return [*lines, line]


def main() -> int:
    """Rewrite the file."""
    FILE.write_text(render())
    return 0


if __name__ == "__main__":
    sys.exit(main())
