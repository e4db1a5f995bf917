"""Secrets of receivers and what they sign (Standard Webhooks 1.0, symmetric: `v1`)."""

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from standardwebhooks import Webhook

from app.ids import uuid7
from app.secret import Keyring
from app.webhooks.models import NewSigner

SECRET_BYTES: Final = 32
PREFIX: Final = "whsec_"


@dataclass(frozen=True, slots=True)
class Signing:
    """Makes, seals and uses secrets; each is bound to the endpoint that owns it."""

    keyring: Keyring

    def new_signer(self) -> NewSigner:
        """A fresh endpoint's id and its sealed secret."""
        endpoint_id = uuid7()
        return NewSigner(endpoint_id, self.new_secret(endpoint_id))

    def new_secret(self, endpoint_id: UUID) -> bytes:
        """A fresh one, sealed."""
        plain = secrets.token_bytes(SECRET_BYTES)
        return self.keyring.seal("webhook secrets", endpoint_id.bytes, plain)

    def shown(self, endpoint_id: UUID, sealed: bytes) -> str:
        """`whsec_…`, as receivers put it into their library."""
        return PREFIX + base64.b64encode(self._opened(endpoint_id, sealed)).decode()

    def headers(
        self,
        endpoint_id: UUID,
        sealed: Sequence[bytes],
        message_id: UUID,
        at: datetime,
        payload: str,
    ) -> dict[str, str]:
        """The three headers, with one signature for each secret.

        Raises:
            cryptography.exceptions.InvalidTag: COMFYBURST_SECRET is not the one of before.
        """
        # `sign` puts UTC over whatever zone the time has, instead of converting it.
        at = at.astimezone(UTC)
        signatures = [
            Webhook(self._opened(endpoint_id, secret)).sign(str(message_id), at, payload)
            for secret in sealed
        ]
        return {
            "webhook-id": str(message_id),
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": " ".join(signatures),
        }

    def _opened(self, endpoint_id: UUID, sealed: bytes) -> bytes:
        return self.keyring.unseal("webhook secrets", endpoint_id.bytes, sealed)
