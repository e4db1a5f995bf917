"""JSON logs: one object a line, with the ids that lead from one process to the next."""

import logging
import sys
import time
from contextvars import ContextVar
from typing import Any, Final

import orjson

REQUEST_ID_HEADER: Final = "X-Comfy-Request-Id"
request_id: ContextVar[str] = ContextVar("request_id", default="")

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "taskName",
    "color_message",  # uvicorn's own, with terminal escapes
}


class JsonFormatter(logging.Formatter):
    """Time, level, logger, message, request id, and whatever `extra` carried."""

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
        line |= {k: v for k, v in vars(record).items() if k not in _STANDARD}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


def configure_logging(level: str) -> None:
    """Send everything to standard error as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # What it warns of is a malformed upload: the caller is told, and could fill the log with it.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
    for noisy in ("psycopg.pool", "httpx", "celery", "kombu", "sse_starlette"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
