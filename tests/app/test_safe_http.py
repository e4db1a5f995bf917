"""URLs of strangers: where they may lead, and how little a hostile answer can do."""

import asyncio
import datetime
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from httpx_secure import SSRFProtectionError

from app.safe_http import Reply, SafeHttp, UnreachableError, open_safe_http

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
PUBLIC = "93.184.215.14"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass
class Listener:
    """A server that knows every connection and every byte."""

    port: int = 0
    connections: int = 0
    received: bytes = b""
    open: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])


@asynccontextmanager
async def listening(
    answer: Answer | bytes = OK, tls: ssl.SSLContext | None = None
) -> AsyncGenerator[Listener]:
    """On a loopback port; answers after the head of a request."""
    listener = Listener()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        listener.connections += 1
        task = asyncio.current_task()
        assert task is not None
        listener.open.add(task)
        try:
            listener.received += await reader.readuntil(b"\r\n\r\n")
            if isinstance(answer, bytes):
                writer.write(answer)
                await writer.drain()
            else:
                await answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            listener.open.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    listener.port = server.sockets[0].getsockname()[1]
    try:
        yield listener
    finally:
        server.close()
        for task in tuple(listener.open):
            task.cancel()


@dataclass
class Names:
    """A resolver whose answers are laid down, one after the other; the last one stays."""

    answers: dict[str, list[list[str]]]
    asked: int = 0

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked += 1
        try:
            known = self.answers[host]
        except KeyError as error:
            raise OSError("no such name") from error
        return known.pop(0) if len(known) > 1 else known[0]


async def get(safe: SafeHttp, url: str, *, timeout_s: float = 5.0, max_bytes: int = 1_000) -> Reply:
    return await safe.exchange("GET", url, headers={}, timeout_s=timeout_s, max_bytes=max_bytes)


NEVER = [
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://example.com/",
    "example.com",
    "//example.com/",
    "http:///path",
    "https://",
    "https://user@example.com/",
    "https://user:password@example.com/",
    "https://example.com@127.0.0.1/",
    "https://example.com\\@127.0.0.1/",
    "https://exämple.com/",
    "https://example.com/\r\nX: y",
    "https://127.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.1/",
    "https://0177.0.0.1/",
    "https://%31%32%37.0.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://169.254.170.2/",
    "https://168.63.129.16/",
    "https://192.0.0.192/",
    "https://100.100.100.200/",
    "https://[fd00:ec2::254]/",
    "https://[fe80::1]/",
    "https://[::ffff:169.254.169.254]/",
    "https://[64:ff9b::a9fe:a9fe]/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://0.0.0.0/",
    "https://[::]/",
    "https://[::7f00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[64:ff9b:1::7f00:1]/",
    "https://[ff02::1]/",
    "https://" + "a" * 2_048 + ".example/",
]
PRIVATE = [
    "https://127.0.0.1/",
    "https://127.0.0.1./",
    "https://127.8.8.8/",
    "https://[::1]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://10.0.0.1/",
    "https://172.16.0.1/",
    "https://192.168.1.1/",
    "https://100.64.0.1/",
    "https://[fc00::1]/",
    "https://localhost/",
    "https://LOCALHOST./",
    "https://a.localhost/",
    "https://printer.local/",
    "https://metadata.google.internal/",
    "https://metadata/",
    "https://example.com:8443/",
    "https://example.com:80/",
    "http://example.com:443/",
    "http://example.com:22/",
]


@pytest.mark.parametrize("url", NEVER)
@pytest.mark.parametrize("allow_private", [False, True])
async def test_a_url_that_nobody_may_use_is_refused_unasked(
    url: str, *, allow_private: bool
) -> None:
    names = Names({})
    async with open_safe_http(allow_private=allow_private, resolve=names) as safe:
        assert safe.refuses(url)
        with pytest.raises(UnreachableError):
            await get(safe, url)
    assert names.asked == 0


@pytest.mark.parametrize("url", PRIVATE)
async def test_a_private_url_is_refused_unless_the_operator_allows_it(url: str) -> None:
    names = Names({})
    async with open_safe_http(resolve=names) as safe:
        assert safe.refuses(url)
        with pytest.raises(UnreachableError):
            await get(safe, url)
    assert names.asked == 0
    async with open_safe_http(allow_private=True, resolve=names) as safe:
        assert not safe.refuses(url)


@pytest.mark.parametrize(
    "url", ["https://example.com/a?b=c", "http://example.com", "https://8.8.8.8/"]
)
async def test_a_public_url_may_be_tried(url: str) -> None:
    async with open_safe_http() as safe:
        assert not safe.refuses(url)


async def test_an_answer_comes_back_as_it_is() -> None:
    names = Names({"hook.test": [["127.0.0.1"]]})
    async with listening() as there, open_safe_http(allow_private=True, resolve=names) as safe:
        reply = await get(safe, f"http://hook.test:{there.port}/a?b=c#d")
    assert (reply.status, reply.body, reply.is_cut) == (200, b"ok", False)
    head = there.received.decode().split("\r\n")
    assert head[0] == "GET /a?b=c HTTP/1.1"
    assert f"Host: hook.test:{there.port}" in head
    assert "Accept-Encoding: identity" in head


async def test_a_name_of_a_private_address_is_never_connected_to() -> None:
    async with listening() as there:
        names = Names({"a.test": [["127.0.0.1"]], "mixed.test": [[PUBLIC, "127.0.0.1"]]})
        ports = {"http": there.port}
        async with open_safe_http(ports=ports, resolve=names) as safe:
            for host in ("a.test", "mixed.test", "unknown.test"):
                with pytest.raises(UnreachableError) as refused:
                    await get(safe, f"http://{host}/")
                assert str(refused.value) == "", "one error for all"
        assert there.connections == 0


async def test_a_name_that_changes_between_check_and_connection_gains_nothing() -> None:
    metadata = "169.254.169.254"
    names = Names(
        {"rebind.test": [["127.0.0.1"], [metadata]], "late.test": [[metadata], ["127.0.0.1"]]}
    )
    async with listening() as there, open_safe_http(allow_private=True, resolve=names) as safe:
        assert (await get(safe, f"http://rebind.test:{there.port}/")).status == 200
        assert names.asked == 1, "what was checked is what is connected to"
        with pytest.raises(UnreachableError):
            await get(safe, f"http://late.test:{there.port}/")
        assert there.connections == 1


async def test_the_socket_itself_refuses_what_was_not_checked() -> None:
    async with listening() as there, open_safe_http(ports={"http": there.port}) as safe:
        with pytest.raises(SSRFProtectionError):
            await safe.client.get(f"http://127.0.0.1:{there.port}/")
        assert there.connections == 0


async def test_the_next_address_is_tried_where_one_does_not_listen() -> None:
    names = Names({"two.test": [["::1", "127.0.0.1"]]})
    async with listening() as there, open_safe_http(allow_private=True, resolve=names) as safe:
        assert (await get(safe, f"http://two.test:{there.port}/")).status == 200


async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    async with listening() as inside:
        location = f"http://127.0.0.1:{inside.port}/".encode()
        redirect = b"HTTP/1.1 307 Moved\r\nContent-Length: 0\r\nLocation: " + location + b"\r\n\r\n"
        async with listening(redirect) as there, open_safe_http(allow_private=True) as safe:
            assert (await get(safe, f"http://127.0.0.1:{there.port}/")).status == 307
        assert inside.connections == 0


async def test_no_cookie_is_kept_and_no_connection_shared() -> None:
    cookie = OK.replace(b"\r\n\r\n", b"\r\nSet-Cookie: a=b\r\n\r\n")
    async with listening(cookie) as there, open_safe_http(allow_private=True) as safe:
        for _ in range(2):
            await get(safe, f"http://127.0.0.1:{there.port}/")
    assert b"ookie" not in there.received
    assert there.connections == 2


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening() as proxy, listening() as there:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        async with open_safe_http(allow_private=True) as safe:
            await get(safe, f"http://127.0.0.1:{there.port}/")
    assert (proxy.connections, there.connections) == (0, 1)


async def endless(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b"x" * 65_536)
        await writer.drain()


async def dripping(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def endless_head(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-A: " + b"x" * 1_000 + b"\r\n")
        await writer.drain()


async def test_a_reply_that_never_ends_is_cut_at_the_limit() -> None:
    async with listening(endless) as there, open_safe_http(allow_private=True) as safe:
        reply = await get(safe, f"http://127.0.0.1:{there.port}/", max_bytes=100_000)
    assert (reply.status, len(reply.body), reply.is_cut) == (200, 100_000, True)


@pytest.mark.parametrize("answer", [dripping, silent, endless_head])
async def test_a_reply_that_takes_its_time_has_only_the_whole_time(answer: Answer) -> None:
    async with listening(answer) as there, open_safe_http(allow_private=True) as safe:
        with pytest.raises(UnreachableError):
            await get(safe, f"http://127.0.0.1:{there.port}/", timeout_s=0.5)


async def test_a_slow_name_has_only_the_whole_time() -> None:
    async def slow(host: str, port: int) -> Sequence[str]:
        await asyncio.sleep(60)
        return [host]

    async with open_safe_http(resolve=slow) as safe:
        with pytest.raises(UnreachableError):
            await get(safe, "https://example.com/", timeout_s=0.1)


async def test_nothing_is_unpacked() -> None:
    packed = b"\x1f\x8b not gzip at all"
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n"
    async with (
        listening(head.encode() + packed) as there,
        open_safe_http(allow_private=True) as safe,
    ):
        assert (await get(safe, f"http://127.0.0.1:{there.port}/")).body == packed


@pytest.mark.parametrize("answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n"])
async def test_what_is_no_http_is_the_one_error(answer: bytes) -> None:
    async with listening(answer) as there, open_safe_http(allow_private=True) as safe:
        with pytest.raises(UnreachableError):
            await get(safe, f"http://127.0.0.1:{there.port}/")


async def test_a_closed_port_is_the_one_error() -> None:
    async with listening() as there:
        port = there.port
    async with open_safe_http(allow_private=True) as safe:
        with pytest.raises(UnreachableError):
            await get(safe, f"http://127.0.0.1:{port}/")


async def test_a_certificate_is_held_to_the_name_and_not_to_the_number(tmp_path: Path) -> None:
    server, trust = certificate(tmp_path, "hook.test")
    names = Names({"hook.test": [["127.0.0.1"]], "other.test": [["127.0.0.1"]]})
    async with (
        listening(tls=server) as there,
        open_safe_http(allow_private=True, resolve=names, tls=trust) as safe,
    ):
        assert (await get(safe, f"https://hook.test:{there.port}/")).status == 200
        for host in ("other.test", "127.0.0.1"):
            with pytest.raises(UnreachableError):
                await get(safe, f"https://{host}:{there.port}/")
    async with (
        listening(tls=server) as there,
        open_safe_http(allow_private=True, resolve=names) as safe,
    ):
        with pytest.raises(UnreachableError):
            await get(safe, f"https://hook.test:{there.port}/")


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Of a server of that name, and the trust that takes it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    trust = ssl.create_default_context(
        cadata=made.public_bytes(serialization.Encoding.PEM).decode()
    )
    return server, trust
