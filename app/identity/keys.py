"""The form of an API key: `cb_` + 30 base62 characters + 6 of their CRC32 (GitHub's way).

The checksum lets scanners and us tell a typo from a key without asking the database; 30 base62
characters are 178 bits, so a plain sha256 is what is stored.
"""

import hashlib
import secrets
import zlib

PREFIX = "cb_"
_RANDOM = 30
_CHECK = 6
LENGTH = len(PREFIX) + _RANDOM + _CHECK
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def make_key() -> str:
    """A fresh key."""
    body = PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM))
    return body + _checksum(body)


def is_well_formed(key: str) -> bool:
    """Whether this can be a key at all; a wrong one costs no statement."""
    if len(key) != LENGTH or not key.startswith(PREFIX):
        return False
    return secrets.compare_digest(key[-_CHECK:].encode(), _checksum(key[:-_CHECK]).encode())


def hash_key(key: str) -> bytes:
    """What is stored and looked up."""
    return hashlib.sha256(key.encode()).digest()


def _checksum(body: str) -> str:
    value = zlib.crc32(body.encode())
    digits: list[str] = []
    for _ in range(_CHECK):
        value, digit = divmod(value, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
