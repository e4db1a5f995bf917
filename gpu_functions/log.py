"""Log lines: JSON, one object a line, with the job and epoch where a line belongs to one."""

import json
import logging
import sys
from typing import TextIO

_ALWAYS = ("job_id", "epoch")
_EXTRA = (*_ALWAYS, "untrusted", "duration_ms", "environment", "outcome")
"""Names taken from `extra=`. Text that nodes wrote goes in `untrusted` only (security.md §3.5)."""


class JsonFormatter(logging.Formatter):
    """One record, one line: control characters cannot start a second one."""

    def format(self, record: logging.LogRecord) -> str:
        """Render a record; an exception becomes one escaped string."""
        entry: dict[str, object] = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{int(record.msecs):03d}",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        entry |= {name: str(vars(record)[name]) for name in _EXTRA if name in vars(record)}
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry)


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
