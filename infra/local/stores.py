"""The embedded stores as services of the stack."""

import os
import signal
import subprocess
from functools import partial
from pathlib import Path

from infra.local.places import leave_socket_folder
from infra.local.postgres import EmbeddedPostgres
from infra.local.service import Service
from infra.local.stack import StackError
from infra.local.valkey import EmbeddedValkey


def postgres_service(state: Path) -> tuple[Service, str]:
    """A prepared Postgres and its URL.

    Raises:
        StackError: initdb failed.
    """
    postgres = EmbeddedPostgres(state)
    try:
        postgres.prepare()
    except subprocess.CalledProcessError as error:
        reason = str(error.stderr or "").strip()
        raise StackError(f"initdb failed ({error.returncode}): {reason}") from error
    service = Service(
        "postgres",
        postgres.argv,
        postgres.ready,
        _environment(),
        stop_signal=signal.SIGINT,  # Postgres' fast shutdown; SIGTERM would wait for its clients
        popen=postgres.popen,
        after_stop=partial(leave_socket_folder, postgres.data),
    )
    return service, postgres.url


def valkey_service(state: Path) -> tuple[Service, str]:
    """A prepared Valkey and its URL."""
    valkey = EmbeddedValkey(state)
    valkey.prepare()
    # It warns about the kernel's settings at every start, in the longest of lines.
    service = Service(
        "valkey",
        valkey.argv,
        valkey.ready,
        _environment(),
        is_quiet=True,
        after_stop=partial(leave_socket_folder, valkey.data),
    )
    return service, valkey.url


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"}
