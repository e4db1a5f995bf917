"""Serves, nothing else: `python -m app`."""

import gc
import ipaddress
import os
import socket
import sys

import uvicorn

from app.config import Settings
from app.descriptors import allow_open_files
from app.logs import configure_logging
from app.main import create_app
from app.protocol import GuardedProtocol

KEEP_ALIVE_S = 75
"""Above the SDK's longest gap between two polls, so that no reused connection is closed under it."""
GRACE_S = 2


def serve() -> int:
    """Serve on COMFYBURST_LISTEN_FD where a supervisor passes one, else on HOST:PORT."""
    settings = Settings()
    configure_logging(settings.log_level)
    problem = _problem(settings)
    if problem:
        sys.stderr.write(f"comfyburst: {problem}\n")
        return 2
    allow_open_files()
    app = create_app(settings)
    gc.collect()
    gc.freeze()  # what was imported stays: looking through it again and again costs 90 ms each time
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        http=GuardedProtocol,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
    )
    uvicorn.Server(config).run(sockets=[_listener(settings)])
    return 0


def _problem(settings: Settings) -> str | None:
    if not settings.database_url:
        return "DATABASE_URL is not set. `./dev` starts an embedded Postgres and sets it."
    if not _is_loopback(settings.host) and not settings.public_url:
        return f"COMFYBURST_HOST={settings.host} is not loopback: set PUBLIC_URL as well."
    return None


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _listener(settings: Settings) -> socket.socket:
    inherited = os.environ.get("COMFYBURST_LISTEN_FD")
    if inherited:
        return socket.socket(fileno=int(inherited))
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    return socket.create_server((settings.host, settings.port), family=family, backlog=2_048)


if __name__ == "__main__":
    sys.exit(serve())
