"""Log lines: JSON, one object a line, under the same keys as the front door's (docs/observability.md).

What a line is about is said once: everything logged inside `about`, and in tasks started there,
carries its ids.
"""

import json
import logging
import re
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, TextIO

_IDS: Final = ("request_id", "job_id", "epoch", "workspace_id")
_EXTRA: Final = (
    *_IDS,
    "environment",
    "prompt_id",
    "asset_id",
    "files",
    "nodes",
    "size_bytes",
    "outcome",
    "status",
    "code",
    "duration_ms",
    "untrusted",
)
"""Names taken from `extra=`. Text that nodes wrote goes in `untrusted` only (security.md §3.5)."""
_MAX_UNTRUSTED_CHARS: Final = 2_000

_HIDDEN: Final = "\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
_CONTROLS: Final = re.compile(f"[\x00-\x1f{_HIDDEN}]+")

_about: ContextVar[dict[str, object]] = ContextVar("about")


@contextmanager
def about(**ids: object) -> Generator[None]:
    """Everything logged inside is about these."""
    token = _about.set({**_about.get({}), **ids})
    try:
        yield
    finally:
        _about.reset(token)


def request_id() -> str | None:
    """Under which id the front door logs what we ask of it here."""
    known = _about.get({}).get("request_id")
    return str(known) if known else None


class JsonFormatter(logging.Formatter):
    """One record, one line of ASCII: nothing in it can start a second one or move a cursor."""

    def format(self, record: logging.LogRecord) -> str:
        """Render a record; an exception becomes one escaped string."""
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        entry: dict[str, object] = {
            "time": f"{at}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        said = {**_about.get({}), **vars(record)}
        entry |= {name: _value(name, said[name]) for name in _EXTRA if name in said}
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, separators=(",", ":"))


def _value(name: str, value: object) -> object:
    if name == "untrusted":
        return _CONTROLS.sub(" ", str(value))[:_MAX_UNTRUSTED_CHARS]
    return value if isinstance(value, (int, float)) else str(value)


def configure(stream: TextIO = sys.stderr, level: int = logging.INFO) -> None:
    """Make every logger of the process write JSON lines to `stream`."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # httpx logs every request with its query, which for a presigned URL is a secret.
    # Celery logs two lines a bell.
    for name in ("httpx", "celery"):
        logging.getLogger(name).setLevel(logging.WARNING)
