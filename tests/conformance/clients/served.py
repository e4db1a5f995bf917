"""Serves a small ASGI application of the tests on a loopback port, with TLS where asked."""

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import uvicorn

from tests.conformance.clients.authority import Identity


@contextmanager
def served(application: Any, identity: Identity | None = None) -> Generator[int]:
    """A uvicorn in a thread; yields its port."""
    server = uvicorn.Server(
        uvicorn.Config(
            application,
            port=0,
            lifespan="off",
            log_config=None,
            timeout_graceful_shutdown=1,
            ssl_certfile=identity.certificate if identity else None,
            ssl_keyfile=identity.key if identity else None,
        )
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(10)
