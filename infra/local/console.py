"""What the stack prints: a prefix per service, our JSON log lines shortened for people."""

import contextlib
import json
import sys
from typing import Any, Final, cast

_COLOURS: Final = {"comfyburst": 37, "postgres": 36, "valkey": 33, "front-door": 32, "worker": 35}
_LEVELS: Final = {"warning": 33, "error": 31, "critical": 31}
_LIBRARIES: Final = frozenset({"uvicorn", "celery", "kombu"})
_FIRST_REFUSAL: Final = 400
_IDS: Final = ("job_id", "epoch", "status", "duration_ms")


def say(name: str, text: str, *, error: bool = False) -> None:
    """One line of one service."""
    stream = sys.stderr if error else sys.stdout
    tag = f"{name:>10} |"
    if stream.isatty():
        tag = f"\033[{_COLOURS.get(name, 34)}m{tag}\033[0m"
    # A terminal that has gone, or cannot show a letter, must not stop the service that spoke.
    with contextlib.suppress(OSError, UnicodeEncodeError):
        for line in text.splitlines() or [""]:
            print(tag, line, file=stream, flush=True)


def readable(line: str, *, colour: bool) -> str | None:
    """A line of a service as a person wants it; None for what only a log file needs.

    The files under `logs/` keep the line as it was.
    """
    try:
        parsed: Any = json.loads(line)
    except (ValueError, RecursionError):
        return _plain(line)
    entry = cast(dict[str, Any], parsed) if isinstance(parsed, dict) else {}
    if "message" not in entry:
        return _plain(line)
    level = str(entry.get("level", "info"))
    if level == "info" and _is_routine(entry):
        return None
    ids = " ".join(f"{name}={entry[name]}" for name in _IDS if name in entry)
    text = _plain(f"{entry['message']}{'  ' + ids if ids else ''}")
    if level in _LEVELS:
        text = f"{level}: {text}"
        return f"\033[{_LEVELS[level]}m{text}\033[0m" if colour else text
    return text


def _is_routine(entry: dict[str, Any]) -> bool:
    """Requests that went well, and what libraries say of their own starts and ends."""
    logger = str(entry.get("logger", ""))
    if logger == "app.access":
        status = entry.get("status")
        return isinstance(status, int) and status < _FIRST_REFUSAL
    return logger.split(".")[0] in _LIBRARIES


def _plain(text: str) -> str:
    """Without control characters: nodes may print what moves a terminal's cursor."""
    return "".join(c if c.isprintable() else " " for c in text.rstrip())
