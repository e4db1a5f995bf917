"""The S3 server for tests: it ends with whoever started it, and says why it cannot start."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from infra.s3server.running import S3ServerError, running_s3_server

HOLD = """
import sys, time
from pathlib import Path
from infra.s3server.running import running_s3_server
with running_s3_server(Path(sys.argv[1]), Path(sys.argv[2])) as server:
    print(server.endpoint_url, flush=True)
    time.sleep(600)
"""


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def test_a_python_without_swift_is_said(tmp_path: Path) -> None:
    with (
        pytest.raises(S3ServerError, match="swift"),
        running_s3_server(Path(sys.executable), tmp_path / "server"),
    ):
        pass


@pytest.mark.s3server
def test_it_ends_with_a_killed_owner_without_a_terminal(tmp_path: Path) -> None:
    python = os.environ.get("COMFYBURST_TEST_S3SERVER")
    if not python:
        pytest.skip("COMFYBURST_TEST_S3SERVER names no Python with Swift")
    owner: subprocess.Popen[str] = subprocess.Popen(  # noqa: S603 - ourselves
        [sys.executable, "-c", HOLD, python, str(tmp_path / "server")],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    with owner:
        assert owner.stdout is not None
        port = int(owner.stdout.readline().rpartition(":")[2])
        assert answers(port)
        owner.send_signal(signal.SIGKILL)
    until = time.monotonic() + 20
    while answers(port):
        assert time.monotonic() < until, "it still answers"
        time.sleep(0.1)
