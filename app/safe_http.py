"""The one client for URLs that users give us: what it may reach, and how much of it (SSRF).

A name is resolved once, every address it has is checked, and the connection goes to one of those by
number: nothing is asked twice, so nothing can change in between, and no port of a refused address
is ever touched. httpx-secure checks the number again where the socket is made. Every failure is one
error, so that no answer tells anything about our network (facts/security.md §3.6).
"""

import asyncio
import re
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final

import httpx
from httpx_secure import httpx_ssrf_protection

from app.resolver import SystemResolver

Address = IPv4Address | IPv6Address
Networks = tuple[IPv4Network | IPv6Network, ...]
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""All addresses of a name, in the order to try them; raises OSError."""

MAX_URL_LENGTH: Final = 2_048
MAX_ADDRESSES: Final = 4
"""Of one name, tried one after the other."""
CONNECT_TIMEOUT_S: Final = 5.0
PORTS: Final[Mapping[str, int]] = {"https": 443, "http": 80}


def _networks(*texts: str) -> Networks:
    return tuple(map(ip_network, texts))


# Metadata and machine services of clouds: never, whatever the operator allows.
_SERVICES: Final = _networks(
    "169.254.0.0/16", "168.63.129.16/32", "192.0.0.0/24", "100.100.100.200/32", "fd00:ec2::/32"
)
# Those that `is_global` of Python 3.11 takes for addresses of the internet.
_NOT_GLOBAL: Final = _networks(
    *("192.88.99.0/24", "224.0.0.0/4", "240.0.0.0/4", "::/96", "2001::/32", "2002::/16"),
    *("64:ff9b:1::/48", "fec0::/10", "ff00::/8", "3fff::/20", "5f00::/16"),
)
_PRIVATE: Final = _networks(
    *("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"),
    *("::1/128", "fc00::/7"),
)
_NAT64: Final = IPv6Network("64:ff9b::/96")
_LOCAL_NAME: Final = re.compile(r"(?:.*\.)?(?:localhost|local|internal|localdomain|home\.arpa)")
_ENDS_IN_A_NUMBER: Final = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")
"""`127.1`, `2130706433`, `0x7f.1`: addresses to a resolver, names to everybody else."""


class UnreachableError(Exception):
    """A URL that may not be reached, cannot be reached, or did not answer in time: never says which."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What was answered."""

    status: int
    headers: httpx.Headers
    body: bytes
    """As it came, never unpacked."""
    is_cut: bool
    """There was more than was wanted."""


@dataclass(frozen=True, slots=True)
class _Target:
    url: httpx.URL
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class SafeHttp:
    """Exchanges one request for one reply. Keeps no cookie, follows no redirect, uses no proxy."""

    client: httpx.AsyncClient
    resolve: Resolve
    allow_private: bool = False
    ports: Mapping[str, int] = field(default_factory=lambda: PORTS)
    """By scheme, which the keys are; with `allow_private` others as well."""

    def refuses(self, url: str) -> bool:
        """Whether a URL can be refused as it stands, before its name is resolved."""
        try:
            self._target(url)
        except UnreachableError:
            return True
        return False

    def may_reach(self, address: Address) -> bool:
        """Whether an address is one of the internet, or one of those that the operator allows."""
        inner = _unwrapped(address)
        if _is_in(_SERVICES, inner):
            return False
        if self.allow_private and _is_in(_PRIVATE, inner):
            return True
        return inner.is_global and not _is_in(_NOT_GLOBAL, inner)

    async def exchange(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        content: bytes | None = None,
        timeout_s: float,
        max_bytes: int,
    ) -> Reply:
        """Send and read the reply.

        Args:
            method: of HTTP
            url: as the user gave it
            headers: beside those that every request has
            content: the body
            timeout_s: for everything together: name, connection, request, reply
            max_bytes: of the reply's body; what is longer is cut there

        Raises:
            UnreachableError: for every reason.
        """
        try:
            async with asyncio.timeout(timeout_s):
                target = self._target(url)
                *first, last = await self._addresses(target)
                for address in first:
                    request = self._request(method, target, address, headers, content)
                    try:
                        return await self._send(request, max_bytes)
                    except (httpx.ConnectError, httpx.ConnectTimeout):
                        continue
                return await self._send(
                    self._request(method, target, last, headers, content), max_bytes
                )
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            raise UnreachableError from error

    def _target(self, text: str) -> _Target:
        try:
            url = httpx.URL(text)
        except (httpx.InvalidURL, ValueError) as error:
            raise UnreachableError from error
        host = url.raw_host.decode("ascii").lower().rstrip(".")
        known = self.ports.get(url.scheme)
        port = url.port or known
        fits = len(text) <= MAX_URL_LENGTH and text.isascii() and not url.userinfo
        if not fits or port is None or not (self.allow_private or port == known):
            raise UnreachableError
        address = _literal(host)
        is_good = self._is_good_name(host) if address is None else self.may_reach(address)
        if known is None or not is_good:
            raise UnreachableError
        return _Target(url.copy_with(fragment=None), host, port)

    def _is_good_name(self, host: str) -> bool:
        if not host or "%" in host or _ENDS_IN_A_NUMBER.fullmatch(host):
            return False
        return self.allow_private or ("." in host and not _LOCAL_NAME.fullmatch(host))

    async def _addresses(self, target: _Target) -> list[Address]:
        literal = _literal(target.host)
        if literal is not None:
            return [literal]
        found = [ip_address(text) for text in await self.resolve(target.host, target.port)]
        # A bad address among good ones is an attempt: which of them is taken would be luck.
        if not found or not all(map(self.may_reach, found)):
            raise UnreachableError
        return found[:MAX_ADDRESSES]

    def _request(
        self,
        method: str,
        target: _Target,
        address: Address,
        headers: Mapping[str, str],
        content: bytes | None,
    ) -> httpx.Request:
        return self.client.build_request(
            method,
            target.url.copy_with(host=str(address)),
            headers={
                "User-Agent": "Comfyburst",
                "Accept-Encoding": "identity",
                **headers,
                "Host": target.url.netloc.decode("ascii"),
            },
            content=content,
            # The certificate is held to the name, though the connection goes to the number.
            extensions={
                "sni_hostname": target.host,
                "timeout": httpx.Timeout(None, connect=CONNECT_TIMEOUT_S).as_dict(),
            },
        )

    async def _send(self, request: httpx.Request, max_bytes: int) -> Reply:
        response = await self.client.send(request, stream=True)
        try:
            body, is_cut = await _read(response, max_bytes)
        finally:
            await response.aclose()
        return Reply(response.status_code, response.headers, body, is_cut)


@asynccontextmanager
async def open_safe_http(
    *,
    allow_private: bool = False,
    ports: Mapping[str, int] = PORTS,
    resolve: Resolve | None = None,
    tls: ssl.SSLContext | None = None,
) -> AsyncGenerator[SafeHttp]:
    """A client until the block ends.

    Args:
        allow_private: also private and loopback addresses, on any port: for laptops and tests
        ports: the one of each scheme
        resolve: by default the system's resolver
        tls: by default the certificates that come with httpx
    """
    async with httpx.AsyncClient(
        verify=tls or True,
        trust_env=False,
        follow_redirects=False,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        # A connection is known by its number: two names of one number must not share one.
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
    ) as client:
        safe = SafeHttp(client, resolve or SystemResolver(), allow_private, ports)
        httpx_ssrf_protection(
            client,
            check_globally_reachable=not allow_private,
            custom_validator=lambda _host, address, _port: safe.may_reach(address),
            dns_cache_size=0,
        )
        yield safe


async def _read(response: httpx.Response, max_bytes: int) -> tuple[bytes, bool]:
    body = b""
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > max_bytes:
            return body[:max_bytes], True
    return body, False


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _unwrapped(address: Address) -> Address:
    """The IPv4 address that an IPv6 address carries, where it carries one."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(address.packed[-4:])
    return address


def _is_in(networks: Networks, address: Address) -> bool:
    return any(address in network for network in networks)
