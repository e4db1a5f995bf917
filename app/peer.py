"""Whether a request comes from this machine itself: for pages that are the operator's alone."""

import ipaddress
from typing import Final

from fastapi import Request

_FORWARDING: Final = (
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "cf-connecting-ip",
)


def is_local(request: Request) -> bool:
    """A peer on this machine that speaks for itself: a proxy's word is not taken."""
    if any(name in request.headers for name in _FORWARDING):
        return False
    try:
        return request.client is not None and ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False
