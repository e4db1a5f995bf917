"""JSON logs: one object a line, with the ids that lead from one process to the next.

The worker writes the same keys (`gpu_functions/log.py`; docs/observability.md lists them).
"""

import logging
import re
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

import orjson

REQUEST_ID_HEADER: Final = "X-Comfy-Request-Id"
request_id: ContextVar[str] = ContextVar("request_id", default="")
_about: ContextVar[dict[str, Any]] = ContextVar("about")

_HIDDEN: Final = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""What orjson leaves as it is though it can move a cursor, end a line or turn text around."""

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "taskName",
    "color_message",  # uvicorn's own, with terminal escapes
}


@contextmanager
def about(**ids: Any) -> Generator[None]:
    """Everything logged inside, and in tasks started there, is about these."""
    token = _about.set(ids)
    try:
        yield
    finally:
        _about.reset(token)


def learnt(**ids: Any) -> None:
    """The request that is being served turned out to be about these."""
    known = _about.get(None)
    if known is not None:
        known.update(ids)


class JsonFormatter(logging.Formatter):
    """Time, level, logger, message, what the line is about, and whatever `extra` carried."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id.get():
            line["request_id"] = request_id.get()
        line |= _about.get({})
        line |= {k: v for k, v in vars(record).items() if k not in _STANDARD}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return _HIDDEN.sub(_escaped, orjson.dumps(line, default=str).decode())


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def configure_logging(level: str) -> None:
    """Send everything to standard error as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # What it warns of is a malformed upload: the caller is told, and could fill the log with it.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
    for noisy in ("psycopg.pool", "httpx", "celery", "kombu", "sse_starlette"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
