"""An HTTPS server on loopback that serves one file, whole or cut, as servers of models do."""

import datetime
import ipaddress
import ssl
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass
class Served:
    """What the server has, and how it behaves; tests change it between requests."""

    content: bytes = b""
    etag: str | None = '"1"'
    status: int = 200
    cut_after: list[int] = field(default_factory=list[int])
    """Bytes after which each of the next answers is cut."""
    redirects: list[str] = field(default_factory=list[str])
    """Where each of the next requests is sent."""
    has_length: bool = True
    requests: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    """The headers of all requests."""
    url: str = ""
    certificate: Path = Path()

    def trusting(self) -> ssl.SSLContext:
        """A context that knows this server."""
        return ssl.create_default_context(cafile=str(self.certificate))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    served: Served

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is what tests make it do."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    @property
    def served(self) -> Served:
        return cast(_Server, self.server).served

    def do_GET(self) -> None:
        served = self.served
        served.requests.append({name.lower(): value for name, value in self.headers.items()})
        if served.redirects:
            self._answer(302, b"", {"Location": served.redirects.pop(0)})
        elif served.status != 200:
            self._answer(served.status, b"no", {})
        else:
            self._send_file(served)

    def _send_file(self, served: Served) -> None:
        headers = {"ETag": served.etag} if served.etag else {}
        wanted = self.headers.get("Range")
        if wanted and self.headers.get("If-Range") in (None, served.etag):
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            total = len(served.content)
            headers["Content-Range"] = f"bytes {start}-{total - 1}/{total}"
            self._answer(206, served.content[start:], headers)
        else:
            self._answer(200, served.content, headers)

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        served = self.served
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        is_framed = served.has_length or status != 200
        length = ("Content-Length", str(len(body)))
        self.send_header(*(length if is_framed else ("Transfer-Encoding", "chunked")))
        self.end_headers()
        if status in (200, 206) and served.cut_after:
            self.wfile.write(body[: served.cut_after.pop(0)])
            self.close_connection = True
        elif is_framed:
            self.wfile.write(body)
        else:
            self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))


@contextmanager
def file_server(folder: Path) -> Generator[Served]:
    """Serve until the block ends; the certificate is written into the folder."""
    served = Served(certificate=folder / "certificate.pem")
    _write_certificate(served.certificate)
    server = _Server(("127.0.0.1", 0), _Handler)
    server.served = served
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(served.certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    served.url = f"https://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _write_certificate(path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "files of a test")])
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
