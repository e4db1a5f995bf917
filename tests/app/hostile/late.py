"""An application that takes its time before it reads what is sent to it."""

import asyncio
import socket
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager

import uvicorn
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.protocol import GuardedProtocol


@contextmanager
def serving_late(protocol: type[GuardedProtocol], after_s: float) -> Generator[str]:
    """A uvicorn in a thread that answers with the size of the body; yields its URL."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(after_s)
        size = len(await Request(scope, receive).body())
        await Response(str(size))(scope, receive, send)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(application, http=protocol, log_config=None, lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)
