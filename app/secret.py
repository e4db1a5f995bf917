"""The one secret of an installation, and the separate keys derived from it.

HKDF-SHA256 (RFC 5869) with one label per purpose: a key of one kind opens no other door.
"""

import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.config import Settings

MIN_SECRET_LENGTH = 32

Purpose = Literal[
    "claim token", "event token", "worker token", "signed url", "job secrets", "webhook secrets"
]
_NONCE_BYTES: Final = 12


class SecretError(Exception):
    """The configured secret cannot be used."""


@dataclass(frozen=True, slots=True)
class Keyring:
    """Derives a 32-byte key per purpose."""

    secret: bytes = field(repr=False)
    _keys: dict[Purpose, bytes] = field(
        default_factory=dict[Purpose, bytes], repr=False, compare=False
    )

    def key(self, purpose: Purpose) -> bytes:
        """The key for one purpose; the same for the same secret, on every front door."""
        if purpose not in self._keys:
            self._keys[purpose] = HKDF(
                algorithm=hashes.SHA256(), length=32, salt=b"comfyburst", info=purpose.encode()
            ).derive(self.secret)
        return self._keys[purpose]

    def seal(self, purpose: Purpose, owner: bytes, plain: bytes) -> bytes:
        """Nonce and ciphertext (AES-256-GCM), bound to the row that owns it."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + AESGCM(self.key(purpose)).encrypt(nonce, plain, owner)

    def unseal(self, purpose: Purpose, owner: bytes, sealed: bytes) -> bytes:
        """What was sealed for that row; raises cryptography.exceptions.InvalidTag if altered."""
        if len(sealed) < _NONCE_BYTES:
            raise InvalidTag
        nonce, ciphertext = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        return AESGCM(self.key(purpose)).decrypt(nonce, ciphertext, owner)

    @classmethod
    def load(cls, settings: Settings) -> "Keyring":
        """From `COMFYBURST_SECRET`, else from the state folder, where it is made once.

        Raises:
            SecretError: the secret is too short.
        """
        if settings.secret is None:
            return cls(_kept_secret(settings.state / "secret"))
        secret = settings.secret.get_secret_value()
        if len(secret) < MIN_SECRET_LENGTH:
            raise SecretError(
                f"COMFYBURST_SECRET has {len(secret)} characters; it needs {MIN_SECRET_LENGTH}. "
                "Make one with: python -c 'import secrets; print(secrets.token_urlsafe(48))'"
            )
        return cls(secret.encode())


def _kept_secret(path: Path) -> bytes:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        # O_EXCL: of two processes that start at once, one makes the secret and both read it.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_bytes().strip()
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_urlsafe(48).encode())
    return path.read_bytes().strip()
