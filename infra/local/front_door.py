"""The front door as a service of the stack, on a socket that outlives its restarts."""

import asyncio
import http.client
import json
import os
import socket
import sys
import urllib.error
import urllib.request
from contextlib import nullcontext
from typing import Any, Final

from app.config import Settings
from infra.local.console import say
from infra.local.service import Handover, Service
from infra.local.stack import NAME, StackError

LOOPBACK: Final = "127.0.0.1"
BACKLOG: Final = 2_048
PROBE_TIMEOUT_S: Final = 2.0


def listen(port: int) -> socket.socket:
    """Bind the port, or a free one where it is taken.

    The supervisor holds the socket: while the front door restarts, callers wait and none is refused.

    Raises:
        StackError: nothing can be bound.
    """
    try:
        return socket.create_server((LOOPBACK, port), backlog=BACKLOG)
    except OSError as error:
        say(NAME, f"port {port} cannot be used ({error.strerror}); taking a free one")
    try:
        return socket.create_server((LOOPBACK, 0), backlog=BACKLOG)
    except OSError as error:
        raise StackError(f"no port is free: {error}") from error


def url_of(listener: socket.socket) -> str:
    """Where it is reached."""
    return f"http://{LOOPBACK}:{listener.getsockname()[1]}"


def front_door_service(settings: Settings, listener: socket.socket) -> Service:
    """`python -m app` on that socket."""
    url = url_of(listener)
    environment = {
        **os.environ,
        "COMFYBURST_STATE": str(settings.state),
        "COMFYBURST_LISTEN_FD": str(listener.fileno()),
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": settings.redis_url,
        "INTERNAL_URL": settings.internal_url or url,
        "PYTHONUNBUFFERED": "1",
    }

    async def ready() -> bool:
        return await asyncio.to_thread(readiness, url) is not None

    return Service(
        "front-door",
        [sys.executable, "-P", "-m", "app"],
        ready,
        environment,
        handover=lambda: nullcontext(Handover(descriptors=(listener.fileno(),))),
    )


def readiness(url: str) -> dict[str, Any] | None:
    """What /readyz says; None while it is not 200."""
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=PROBE_TIMEOUT_S) as reply:  # noqa: S310
            return json.load(reply)
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError):
        return None
