"""Run Swift with one disk and one copy, on loopback, until stdin closes: `python serve.py FOLDER`.

It runs in Swift's own venv, as any user. Says its port as a line of JSON once it answers. Whoever
started it holds its stdin, so that it ends with them, however they end.
"""

import contextlib
import importlib
import json
import os
import pwd
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final

ACCESS_KEY: Final = "test:tester"
SECRET_KEY: Final = "testing"  # noqa: S105 - of a server that only this machine can reach
START_TIMEOUT_S: Final = 60.0
STOP_TIMEOUT_S: Final = 10.0
_STORES: Final = ("account", "container", "object")

_COMMON: Final = """
[DEFAULT]
swift_dir = {folder}
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
user = {user}
log_address = {folder}/no-syslog
"""
_STORE: Final = """
devices = {folder}/devices
mount_check = false
[pipeline:main]
pipeline = {name}-server
[app:{name}-server]
use = egg:swift#{name}
log_requests = false
"""
_PROXY: Final = """
[pipeline:main]
pipeline = catch_errors listing_formats s3api tempauth copy slo dlo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
auth_pipeline_check = false
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:copy]
use = egg:swift#copy
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
"""


def main(folder: Path) -> None:
    """Serve until stdin closes; raises SystemExit with the reason when it cannot."""
    ports = configure(folder)
    with contextlib.ExitStack() as servers:
        processes = [servers.enter_context(server(folder, name)) for name in ports]
        wait_until_ready(folder, processes, list(ports.values()))
        print(json.dumps({"port": ports["proxy"]}), flush=True)
        sys.stdin.read()


def configure(folder: Path) -> dict[str, int]:
    """Write everything that four servers read; returns their ports."""
    (folder / "devices" / "disk").mkdir(parents=True)
    (folder / "swift.conf").write_text(
        "[swift-hash]\nswift_hash_path_suffix = test\n[storage-policy:0]\nname = one\ndefault = yes\n"
    )
    user = pwd.getpwuid(os.geteuid()).pw_name
    ports = free_ports((*_STORES, "proxy"))
    for name, port in ports.items():
        text = (_COMMON + (_PROXY if name == "proxy" else _STORE)).format(
            folder=folder, port=port, user=user, name=name
        )
        (folder / f"{name}.conf").write_text(text)
    for name in _STORES:
        write_ring(folder / f"{name}.ring.gz", ports[name])
    return ports


def free_ports(names: tuple[str, ...]) -> dict[str, int]:
    """A port for each name, all different."""
    with contextlib.ExitStack() as open_sockets:
        sockets = [
            open_sockets.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in names
        ]
        return dict(zip(names, (s.getsockname()[1] for s in sockets), strict=True))


def write_ring(path: Path, port: int) -> None:
    """Where Swift finds the one copy of everything."""
    ring: Any = importlib.import_module("swift.common.ring")
    builder = ring.RingBuilder(1, 1, 1)
    here = {"ip": "127.0.0.1", "port": port, "replication_ip": "127.0.0.1"}
    disk = {"region": 1, "zone": 1, "device": "disk", "weight": 1, "meta": ""}
    builder.add_dev({**here, **disk, "replication_port": port})
    builder.rebalance()
    builder.get_ring().save(str(path))


@contextlib.contextmanager
def server(folder: Path, name: str) -> Generator[subprocess.Popen[bytes]]:
    """One of Swift's servers, for as long as the block lasts."""
    script = Path(sys.executable).with_name(f"swift-{name}-server")
    with (folder / f"{name}.log").open("wb") as log:
        # By the interpreter: a script names its venv, and a checkout may have moved since.
        process = subprocess.Popen(  # noqa: S603 - of our own venv
            [sys.executable, str(script), str(folder / f"{name}.conf")],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "SWIFT_DIR": str(folder)},
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_ready(
    folder: Path, processes: list[subprocess.Popen[bytes]], ports: list[int]
) -> None:
    """Until every port answers."""
    until = time.monotonic() + START_TIMEOUT_S
    for port in ports:
        while True:
            if any(process.poll() is not None for process in processes):
                logs = "".join(log.read_text(errors="replace") for log in folder.glob("*.log"))
                raise SystemExit(f"Swift did not start:\n{logs[-2_000:]}")
            if time.monotonic() > until:
                raise SystemExit(f"Swift was not ready within {START_TIMEOUT_S:.0f} s")
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            time.sleep(0.05)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
