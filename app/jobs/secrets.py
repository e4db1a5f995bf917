"""Partner keys of `extra_data`: sealed while the job lives, never echoed (AES-256-GCM)."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from app.secret import Keyring


@dataclass(frozen=True, slots=True)
class SecretBox:
    """Seals and opens, bound to the job's id."""

    keyring: Keyring

    def seal(self, job_id: UUID, value: dict[str, Any]) -> bytes | None:
        """Nonce and ciphertext; None for nothing."""
        if not value:
            return None
        return self.keyring.seal("job secrets", job_id.bytes, orjson.dumps(value))

    def open(self, job_id: UUID, sealed: bytes | None) -> dict[str, Any]:
        """What was sealed for that job; raises cryptography.exceptions.InvalidTag if altered."""
        if sealed is None:
            return {}
        return orjson.loads(self.keyring.unseal("job secrets", job_id.bytes, sealed))
