"""The embedded Postgres and Valkey: real ones."""

import os
import signal
import subprocess
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from infra.local.postgres import EmbeddedPostgres, running_postgres
from infra.local.postgres_binaries import reachable_copy
from infra.local.valkey import EmbeddedValkey, running_valkey


def version(postgres: EmbeddedPostgres) -> int:
    with psycopg.connect(postgres.url) as connection:
        return connection.info.server_version // 10_000


@pytest.fixture
def strict_umask() -> Generator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.mark.parametrize("major", [16, 18])
def test_both_majors_of_the_wheel_run(state: Path, major: int) -> None:
    with running_postgres(state, major=major, fsync=False) as postgres:
        assert version(postgres) == major


@pytest.mark.usefixtures("strict_umask")
def test_it_runs_in_a_closed_folder_with_a_long_path_and_opens_nothing(state: Path) -> None:
    deep = state / ("x" * 60) / ("y" * 60)
    deep.parent.mkdir(mode=0o700)
    with running_postgres(deep, fsync=False) as postgres:
        assert version(postgres) == 18
    for folder in (state, deep.parent, deep):
        assert folder.stat().st_mode & 0o777 == 0o700


def test_it_listens_on_a_socket_only(postgres: EmbeddedPostgres) -> None:
    leader = psutil.Process(int((postgres.data / "postmaster.pid").read_text().split()[0]))
    kinds = {connection.family.name for connection in leader.net_connections("all")}
    assert "AF_INET" not in kinds
    assert "AF_INET6" not in kinds


def test_a_server_that_a_killed_supervisor_left_is_ended_first(state: Path) -> None:
    with running_postgres(state, fsync=False) as postgres:
        leader = psutil.Process(int((postgres.data / "postmaster.pid").read_text().split()[0]))
        postgres.prepare()
        assert not leader.is_running() or leader.status() == psutil.STATUS_ZOMBIE


def test_a_stale_pid_that_belongs_to_another_program_now_is_left_alone(state: Path) -> None:
    with running_postgres(state, fsync=False) as postgres:
        file = postgres.data / "postmaster.pid"
        kept = file.read_text()
        with subprocess.Popen(["/bin/sleep", "30"]) as bystander:
            file.write_text(f"{bystander.pid}\n")
            postgres.prepare()
            assert bystander.poll() is None
            bystander.kill()
        file.write_text(kept)


def test_a_state_folder_can_be_moved(tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    with running_postgres(before) as postgres, psycopg.connect(postgres.url) as connection:
        connection.execute("create table kept ()")
    before.rename(after)
    with running_postgres(after) as postgres, psycopg.connect(postgres.url) as connection:
        connection.execute("select from kept")


def test_binaries_that_were_installed_for_root_alone_are_copied_for_all(tmp_path: Path) -> None:
    binaries = tmp_path / "package" / "pginstall18" / "bin"
    binaries.mkdir(parents=True, mode=0o700)
    (binaries / "postgres").touch(mode=0o700)
    (tmp_path / "package.libs").mkdir(mode=0o700)
    (tmp_path / "package.libs" / "libpq.so").touch(mode=0o600)
    copied = reachable_copy(binaries, tmp_path)
    assert copied != binaries
    for path, mode in (
        (copied, 0o755),
        (copied.parent, 0o755),
        (copied / "postgres", 0o755),
        (copied.parents[2] / "package.libs" / "libpq.so", 0o644),
    ):
        assert path.stat().st_mode & 0o777 == mode
    assert reachable_copy(binaries, tmp_path) == copied


def test_everybody_who_asks_for_the_copy_at_once_gets_a_whole_one(tmp_path: Path) -> None:
    binaries = tmp_path / "package" / "pginstall18" / "bin"
    binaries.mkdir(parents=True)
    (tmp_path / "package.libs").mkdir()
    names = {"postgres", *map(str, range(300))}
    for name in names:
        (binaries / name).touch()

    def asked(_: int) -> set[str]:
        return {path.name for path in reachable_copy(binaries, tmp_path).iterdir()}

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(asked, range(8))) == [names] * 8


def test_valkey_listens_on_a_socket_for_its_owner_only(state: Path) -> None:
    with running_valkey(state) as valkey, redis.Redis.from_url(valkey.url) as client:
        assert client.ping()
        assert client.config_get("port") == {"port": "0"}
        assert valkey.socket.stat().st_mode & 0o777 == 0o700


def test_what_valkey_was_told_survives_kill_9(state: Path) -> None:
    valkey = EmbeddedValkey(state)
    valkey.prepare()
    for expected in (None, b"kept"):
        with subprocess.Popen(valkey.argv, stdout=subprocess.DEVNULL) as process:  # noqa: S603
            with redis.Redis.from_url(valkey.url) as client:
                _wait_ping(client)
                assert client.get("k") == expected
                client.set("k", "kept")
                time.sleep(1.2)  # appendfsync everysec
            process.send_signal(signal.SIGKILL)


def _wait_ping(client: redis.Redis) -> None:
    until = time.monotonic() + 10
    while True:
        try:
            client.ping()
        except redis.ConnectionError:
            assert time.monotonic() < until
            time.sleep(0.02)
        else:
            return
