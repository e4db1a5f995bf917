"""`comfyburst up` as a user sees it: the whole product as processes."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Generator
from pathlib import Path

import httpx
import psutil
import pytest

from infra.local.places import socket_folder
from tests.running import POSTER, Running, clean_environment, running, up_command

pytestmark = [pytest.mark.stack, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Generator[Running]:
    with running(tmp_path_factory.mktemp("up") / "state") as stack:
        yield stack


def eventually(holds: Callable[[], object], within_s: float = 20.0) -> None:
    until = time.monotonic() + within_s
    while True:
        try:
            if holds():
                return
        except (OSError, httpx.HTTPError, psutil.Error, ValueError):
            pass
        assert time.monotonic() < until
        time.sleep(0.05)


def up(state: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`up` where it ends by itself."""
    return subprocess.run(  # noqa: S603 - our own command
        [*up_command(state), *arguments],
        env=clean_environment(environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def family(stack: Running) -> list[psutil.Process]:
    """The supervisor and all that it has started."""
    supervisor = psutil.Process(stack.process.pid)
    return [supervisor, *supervisor.children(recursive=True)]


def test_ready_says_where_it_is_and_how_to_use_it(stack: Running) -> None:
    said = stack.output.read_text()
    assert f"READY {stack.url}" in said
    assert "It is not ComfyUI" in said
    assert "Nodes run with your rights." in said
    assert str(stack.state / "logs") in said


def test_both_ready_files_are_private_and_alike(stack: Running) -> None:
    mine, asked = stack.state / "ready.json", stack.state.parent / "ready.json"
    assert mine.read_text() == asked.read_text()
    assert mine.read_text().count("\n") == 1
    assert mine.stat().st_mode & 0o777 == 0o600
    assert asked.stat().st_mode & 0o777 == 0o600
    assert json.loads(mine.read_text())["pid"] == stack.process.pid


def test_the_printed_curl_makes_a_picture(stack: Running, tmp_path: Path) -> None:
    block = stack.output.read_text().split("and by the API:")[1].split("Logs are in")[0]
    subprocess.run(["/bin/sh", "-c", block], cwd=tmp_path, check=True)  # noqa: S603 - our own words
    assert (tmp_path / "poster.png").read_bytes().startswith(b"\x89PNG")


def test_nothing_listens_beyond_loopback(stack: Running) -> None:
    listening = {
        connection.laddr.ip
        for process in family(stack)
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}


def test_no_secret_stands_in_argv_or_in_the_environment_of_the_worker(stack: Running) -> None:
    secret = (stack.state / "secret").read_text().strip()
    for process in family(stack):
        assert secret not in " ".join(process.cmdline())
        assert stack.api_key not in " ".join(process.cmdline())
    worker = psutil.Process(stack.pid("worker"))
    for process in [worker, *worker.children(recursive=True)]:
        environment = process.environ()
        assert "DATABASE_URL" not in environment
        assert "COMFYBURST_SECRET" not in environment
        assert secret not in "".join(environment.values())
        assert not [
            value for value in environment.values() if value.count(".") == 2 and len(value) > 100
        ]


def test_a_second_one_is_told_where_the_first_is(stack: Running) -> None:
    second = up(stack.state)
    assert second.returncode == 3
    assert f"already running (pid {stack.process.pid}), URL {stack.url}" in second.stderr
    assert (stack.state / "ready.json").exists()


@pytest.mark.parametrize("service", ["postgres", "valkey", "front-door", "worker"])
def test_a_killed_part_comes_back_and_jobs_run(stack: Running, service: str) -> None:
    before = stack.pid(service)
    stack.kill(service)
    eventually(lambda: stack.pid(service) != before)
    eventually(lambda: httpx.get(f"{stack.url}/readyz", timeout=5).status_code == 200)
    job = stack.job(stack.submit(POSTER), wait=40)
    assert job["status"] == "succeeded"


def test_no_caller_is_refused_while_the_front_door_restarts(stack: Running) -> None:
    stack.kill("front-door")
    assert httpx.get(f"{stack.url}/healthz", timeout=20).status_code == 200


def test_state_is_private_whatever_the_umask_and_a_long_path_works(tmp_path: Path) -> None:
    state = tmp_path / ("long-" * 20) / "state"
    state.parent.mkdir()
    before = os.umask(0)
    try:
        with running(state) as stack:
            open_to_others = [
                path
                for path in state.rglob("*")
                if path.lstat().st_mode & 0o077 and not path.is_symlink()
            ]
            job = stack.job(stack.submit(POSTER), wait=40)
    finally:
        os.umask(before)
    assert job["status"] == "succeeded"
    assert state.stat().st_mode & 0o777 == 0o700
    assert open_to_others == []
    for data in ("valkey", "postgres-18-data"):
        assert socket_folder(state / data) != state / data
        assert not socket_folder(state / data).exists()


def test_a_port_that_is_taken_is_told_and_another_is_used(stack: Running, tmp_path: Path) -> None:
    port = stack.url.rsplit(":", 1)[1]
    with running(tmp_path / "state", arguments=("--port", port)) as second:
        assert second.url != stack.url
        assert f"port {port} cannot be used" in second.output.read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_everything(tmp_path: Path, number: signal.Signals) -> None:
    with running(tmp_path / "state") as stack:
        parts = family(stack)
        stack.process.send_signal(number)
        assert stack.process.wait(20) == 0
        gone, alive = psutil.wait_procs(parts, timeout=5)
        assert not alive
        assert len(gone) > 5
        for name in ("ready.json", "services.json", "postgres.pid"):
            assert not (stack.state / name).exists()
        assert not (stack.state.parent / "ready.json").exists()


def test_a_killed_supervisor_leaves_no_orphan_and_starts_again(tmp_path: Path) -> None:
    with running(tmp_path / "state") as stack:
        parts = family(stack)
        job_id = stack.submit(POSTER)
        stack.job(job_id, wait=40)
        stack.process.kill()
        _, alive = psutil.wait_procs(parts, timeout=15)
        assert not alive
    (tmp_path / "ready.json").unlink()  # stale, and the helper would believe it
    with running(tmp_path / "state") as again:
        assert again.api_key == stack.api_key
        assert again.job(job_id)["status"] == "succeeded"


def test_a_state_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "state").symlink_to("elsewhere")
    refused = up(tmp_path / "state")
    assert refused.returncode == 1
    assert "FAILED" in refused.stderr
    assert "is a link" in refused.stderr


def test_what_it_cannot_do_is_said_in_one_line(tmp_path: Path) -> None:
    for variable, value, reason in (
        ("COMFYBURST_HOST", "0.0.0.0", "your own machine only"),  # noqa: S104 - refused
        ("COMFYBURST_PORT", "many", "COMFYBURST_PORT: "),
        ("DATABASE_URL", "postgresql://127.0.0.1:9/none", "the database cannot be used"),
        ("COMFYBURST_SECRET", "short", "it needs 32"),
    ):
        refused = up(tmp_path / "state", **{variable: value})
        assert refused.returncode == 1
        assert reason in refused.stderr
        assert "Traceback" not in refused.stderr + refused.stdout
