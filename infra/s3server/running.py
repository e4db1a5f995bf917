"""A Swift for as long as a block lasts: what tests need to know of it."""

import contextlib
import json
import subprocess
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from infra.s3server.serve import ACCESS_KEY, SECRET_KEY

_SERVE: Final = Path(__file__).resolve().parent / "serve.py"
_STOP_TIMEOUT_S: Final = 60.0


class S3ServerError(Exception):
    """It did not start; the message ends with its log."""


@dataclass(frozen=True, slots=True)
class S3Server:
    """Where it answers, and as whom."""

    endpoint_url: str
    access_key_id: str = ACCESS_KEY
    secret_access_key: str = SECRET_KEY


@contextlib.contextmanager
def running_s3_server(python: Path, folder: Path) -> Generator[S3Server]:
    """Serve from an empty folder; `python` is what `install` returned.

    Raises:
        S3ServerError: it did not start.
    """
    process = subprocess.Popen(  # noqa: S603 - installed by us
        [str(python), str(_SERVE), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    try:
        if not line:
            raise S3ServerError(process.communicate(timeout=_STOP_TIMEOUT_S)[1])
        yield S3Server(f"http://127.0.0.1:{json.loads(line)['port']}")
    finally:
        process.communicate(timeout=_STOP_TIMEOUT_S)  # closes its stdin, by which it ends
