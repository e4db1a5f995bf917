"""The floor of streams: sse-starlette on uvicorn and a queue for each reader, nothing else of ours.

`python bare_streams.py` serves on the listening socket whose descriptor LISTEN_FD names.
"""

import asyncio
import os
import socket
from collections.abc import AsyncGenerator

import uvicorn
from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

queues: set[asyncio.Queue[str]] = set()


async def listen(_request: Request) -> Response:
    """Everything that is sent from now on."""
    return EventSourceResponse(_frames(), ping=10, sep="\n")


async def _frames() -> AsyncGenerator[dict[str, str]]:
    queue = asyncio.Queue[str]()
    queues.add(queue)
    try:
        yield {"event": "status", "data": '{"status":"running"}', "id": "1"}
        while True:
            yield {"event": "log", "data": await queue.get(), "id": "2"}
    finally:
        queues.discard(queue)


async def send(request: Request) -> Response:
    """To all of them."""
    text = (await request.body()).decode()
    for queue in queues:
        queue.put_nowait(text)
    return Response(status_code=204)


if __name__ == "__main__":
    app = Starlette(routes=[Route("/events", listen), Route("/send", send, methods=["POST"])])
    config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=2)
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(os.environ["LISTEN_FD"]))])
