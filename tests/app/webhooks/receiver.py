"""A receiver of webhooks, as a user would write it: uvicorn, and the Standard Webhooks library."""

import socket
import threading
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from standardwebhooks import Webhook, WebhookVerificationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


@dataclass(frozen=True, slots=True)
class Call:
    """One request that arrived."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """By which a receiver knows what it has."""
        return self.headers["webhook-id"]

    def verified(self, secret: str) -> dict[str, Any]:
        """The event, if it is what was signed with that secret."""
        return Webhook(secret).verify(self.body, self.headers)

    def is_signed_with(self, secret: str) -> bool:
        """Whether a receiver with that secret takes it."""
        try:
            self.verified(secret)
        except WebhookVerificationError:
            return False
        return True


Answer = Callable[[Call], Response | Awaitable[Response]]


def ok(_call: Call) -> Response:
    return Response("thanks")


@dataclass
class Receiver:
    """Remembers every call; answers what a test lays down."""

    url: str = ""
    answer: Answer = ok
    calls: list[Call] = field(default_factory=list[Call])
    news: threading.Condition = field(default_factory=threading.Condition)

    async def take(self, request: Request) -> Response:
        """One call."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        call = Call(request.url.path, headers, await request.body())
        with self.news:
            self.calls.append(call)
            self.news.notify_all()
        answer = self.answer(call)
        return answer if isinstance(answer, Response) else await answer

    def wait_for(self, count: int, within_s: float = 15.0) -> list[Call]:
        """Until so many calls have come."""
        with self.news:
            assert self.news.wait_for(lambda: len(self.calls) >= count, within_s), self.calls
            return list(self.calls)


@contextmanager
def receiving(answer: Answer = ok) -> Generator[Receiver]:
    """A receiver on a loopback port, in a thread."""
    receiver = Receiver(answer=answer)
    app = Starlette(routes=[Route("/{path:path}", receiver.take, methods=["GET", "POST"])])
    listener = socket.create_server(("127.0.0.1", 0))
    receiver.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    server = uvicorn.Server(
        uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the receiver did not start"
        time.sleep(0.01)
    try:
        yield receiver
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()
