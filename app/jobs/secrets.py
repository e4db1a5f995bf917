"""Partner keys of `extra_data`: sealed while the job lives, never echoed (AES-256-GCM)."""

import os
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.secret import Keyring

_NONCE_BYTES: Final = 12


@dataclass(frozen=True, slots=True)
class SecretBox:
    """Seals and opens, bound to the job's id."""

    keyring: Keyring

    def seal(self, job_id: UUID, value: dict[str, Any]) -> bytes | None:
        """Nonce and ciphertext; None for nothing."""
        if not value:
            return None
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher().encrypt(nonce, orjson.dumps(value), job_id.bytes)

    def open(self, job_id: UUID, sealed: bytes | None) -> dict[str, Any]:
        """What was sealed for that job; raises cryptography.exceptions.InvalidTag if altered."""
        if sealed is None:
            return {}
        nonce, ciphertext = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        return orjson.loads(self._cipher().decrypt(nonce, ciphertext, job_id.bytes))

    def _cipher(self) -> AESGCM:
        return AESGCM(self.keyring.key("job secrets"))
