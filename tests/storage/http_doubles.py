"""Servers in front of or instead of S3: they fail as a real one cannot be made to, or keep what was asked."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx


@dataclass(frozen=True, slots=True)
class Asked:
    """One request; names of headers in lower case."""

    method: str
    path: str
    headers: dict[str, str]


@dataclass(slots=True)
class Recorder:
    """What it was asked."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list[Asked])


@contextmanager
def refuser(status: int, code: str = "", *, xml: str | None = None) -> Generator[Recorder]:
    """An S3 that says nothing but that: an error, or the XML as it is."""
    state = Recorder()

    class Handler(_Handler):
        def answer(self, body: bytes) -> None:
            del body
            state.asked.append(self.asked())
            self.tell(status, _error(code) if xml is None else xml)

    with _listening(Handler) as state.url:
        yield state


@dataclass(slots=True)
class Loser:
    """How many answers it has lost."""

    url: str = ""
    lost: int = 0


@contextmanager
def loser(to: str, word: str, repeated: tuple[int, str] | None = None) -> Generator[Loser]:
    """A network that breaks once between the deed and its answer.

    Args:
        to: where requests are passed on
        word: stands in the method and path of the request whose answer is lost
        repeated: answers the repeated request with this error, instead of passing it on
    """
    state = Loser()

    class Handler(_Handler):
        def answer(self, body: bytes) -> None:
            is_meant = word in f"{self.command} {self.path}"
            if is_meant and state.lost and repeated is not None:
                status, code = repeated
                self.tell(status, _error(code))
                return
            reply = self.passed_on(to, body)
            if is_meant and not state.lost:
                state.lost += 1
                self.close_connection = True
                return
            self.pass_back(reply)

    with _listening(Handler) as state.url:
        yield state


@contextmanager
def recorder(to: str) -> Generator[Recorder]:
    """Another name for a server, which keeps what it was asked."""
    state = Recorder()

    class Handler(_Handler):
        def answer(self, body: bytes) -> None:
            state.asked.append(self.asked())
            self.pass_back(self.passed_on(to, body))

    with _listening(Handler) as state.url:
        yield state


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, body: bytes) -> None:
        raise NotImplementedError

    def reply(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def asked(self) -> Asked:
        headers = {name.lower(): value for name, value in self.headers.items()}
        return Asked(self.command, self.path, headers)

    def passed_on(self, to: str, body: bytes) -> httpx.Response:
        headers = [(n, v) for n, v in self.headers.items() if n.lower() != "expect"]
        with httpx.Client(timeout=30, trust_env=False) as http:
            return http.request(self.command, f"{to}{self.path}", content=body, headers=headers)

    def pass_back(self, reply: httpx.Response) -> None:
        dropped = {"content-length", "connection", "transfer-encoding", "date", "server"}
        told = {n: v for n, v in reply.headers.items() if n.lower() not in dropped}
        self.reply(reply.status_code, told, reply.content)

    def tell(self, status: int, xml: str) -> None:
        self.reply(status, {"Content-Type": "application/xml"}, xml.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""

    def _any(self) -> None:
        self.answer(self.rfile.read(int(self.headers.get("Content-Length", "0"))))

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _any  # noqa: N815 - http.server's names


def _error(code: str) -> str:
    return f"<Error><Code>{code}</Code><Message>so it is</Message></Error>"


@contextmanager
def _listening(handler: type[BaseHTTPRequestHandler]) -> Generator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
