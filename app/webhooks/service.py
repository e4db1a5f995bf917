"""What a workspace may do with webhooks: its endpoints, their secrets, the deliveries to them."""

import base64
import binascii
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from app.errors import AppError, NotFoundError
from app.safe_http import SafeHttp
from app.webhooks.models import MAX_TESTS_A_MINUTE, MAX_TRIES, Delivery, DeliveryFilter, Endpoint
from app.webhooks.repository.deliveries import DeliveryRepository, Place
from app.webhooks.repository.endpoints import Change, EndpointRepository
from app.webhooks.signing import Signing

log = logging.getLogger(__name__)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TEST_AGAIN_S: Final = "60"


@dataclass(frozen=True, slots=True)
class EndpointService:
    """Endpoints of a workspace, and its own, which signs for jobs with a `webhook_url`."""

    endpoints: EndpointRepository
    signing: Signing
    http: SafeHttp
    max_endpoints: int

    async def list(self, workspace_id: UUID) -> list[Endpoint]:
        """All, oldest first."""
        return await self.endpoints.list(workspace_id)

    async def get(self, workspace_id: UUID, endpoint_id: UUID) -> Endpoint:
        """The endpoint; raises NotFoundError."""
        return _found(await self.endpoints.get(workspace_id, endpoint_id))

    async def create(self, workspace_id: UUID, new: Change) -> tuple[Endpoint, str]:
        """A new one and its secret.

        Raises:
            AppError: 409 `endpoint_limit`, 422 `invalid_webhook_url`.
        """
        self.check_url(new.url or "")
        signer = self.signing.new_signer()
        endpoint = await self.endpoints.create(
            workspace_id, signer, new, at_most=self.max_endpoints
        )
        if endpoint is None:
            raise AppError(
                409,
                "endpoint_limit",
                f"A workspace may have {self.max_endpoints} webhook endpoints; delete one first.",
            )
        return endpoint, self.signing.shown(endpoint.id, endpoint.secret)

    async def update(self, workspace_id: UUID, endpoint_id: UUID, change: Change) -> Endpoint:
        """Change it; raises NotFoundError, AppError 422 `invalid_webhook_url`."""
        if change.url is not None:
            self.check_url(change.url)
        return _found(await self.endpoints.update(workspace_id, endpoint_id, change))

    async def delete(self, workspace_id: UUID, endpoint_id: UUID) -> None:
        """Delete it and drop what waits for it; raises NotFoundError."""
        if not await self.endpoints.delete(workspace_id, endpoint_id):
            raise NotFoundError("endpoint")

    async def rotate(
        self, workspace_id: UUID, endpoint_id: UUID, overlap_s: float
    ) -> tuple[Endpoint, str]:
        """A new secret; the old one signs as well for so long. Raises NotFoundError."""
        secret = self.signing.new_secret(endpoint_id)
        endpoint = _found(await self.endpoints.rotate(workspace_id, endpoint_id, secret, overlap_s))
        return endpoint, self.signing.shown(endpoint.id, secret)

    async def own(self, workspace_id: UUID) -> tuple[Endpoint, str]:
        """What signs for jobs of the workspace; made now where it was never needed."""
        endpoint = await self.endpoints.own(workspace_id, self.signing.new_signer())
        return endpoint, self.signing.shown(endpoint.id, endpoint.secret)

    async def rotate_own(self, workspace_id: UUID, overlap_s: float) -> tuple[Endpoint, str]:
        """The same with a new secret."""
        endpoint, _ = await self.own(workspace_id)
        return await self.rotate(workspace_id, endpoint.id, overlap_s)

    def check_url(self, url: str) -> None:
        """As far as can be told without resolving its name; raises AppError 422."""
        if self.http.refuses(url):
            raise AppError(
                422,
                "invalid_webhook_url",
                "A webhook goes to https:// on port 443 or http:// on port 80 of a public address, "
                "without user and password. (COMFYBURST_ALLOW_PRIVATE_URLS lets the operator "
                "allow private addresses and other ports.)",
            )


@dataclass(frozen=True, slots=True)
class DeliveryService:
    """Deliveries of a workspace."""

    deliveries: DeliveryRepository
    wake: Callable[[], None]

    async def get(self, workspace_id: UUID, delivery_id: UUID) -> Delivery:
        """The delivery; raises NotFoundError."""
        delivery = await self.deliveries.get(workspace_id, delivery_id)
        if delivery is None:
            raise NotFoundError("delivery")
        return delivery

    async def page(
        self, workspace_id: UUID, *, cursor: str | None, limit: int, wanted: DeliveryFilter
    ) -> tuple[list[Delivery], str | None]:
        """Newest first, and the cursor of the next page; raises AppError `invalid_cursor`."""
        after = _read_cursor(cursor) if cursor else None
        found = await self.deliveries.list(
            workspace_id, after=after, limit=limit + 1, wanted=wanted
        )
        if len(found) <= limit:
            return found, None
        last = found[limit - 1]
        return found[:limit], _cursor(Place(last.created_at, last.id))

    async def redeliver(self, workspace_id: UUID, delivery_id: UUID) -> Delivery:
        """Make an attempt now, whatever became of the earlier ones.

        Raises:
            NotFoundError: there is no such delivery
            AppError: 409 `endpoint_disabled`, 409 `attempts_used`.
        """
        if await self.deliveries.redeliver(workspace_id, delivery_id):
            self.wake()
            return await self.get(workspace_id, delivery_id)
        standing = await self.deliveries.standing(workspace_id, delivery_id)
        if standing is not None and not standing.is_wanted:
            raise AppError(
                409,
                "endpoint_disabled",
                "The endpoint of this delivery is disabled or deleted. Enable it first.",
            )
        if standing is not None and standing.tries >= MAX_TRIES:
            raise AppError(
                409,
                "attempts_used",
                f"This delivery has had {MAX_TRIES} attempts: no more are made.",
            )
        return await self.get(workspace_id, delivery_id)

    async def test(self, workspace_id: UUID, endpoint_id: UUID) -> Delivery:
        """Record a `webhook.test` for an endpoint that is there.

        Raises:
            AppError: 429 `test_limit`.
        """
        delivery_id = await self.deliveries.test(workspace_id, endpoint_id)
        if delivery_id is None:
            raise AppError(
                429,
                "test_limit",
                f"An endpoint is tested {MAX_TESTS_A_MINUTE} times a minute at most.",
                headers={"Retry-After": _TEST_AGAIN_S},
            )
        self.wake()
        return await self.get(workspace_id, delivery_id)


def _found(endpoint: Endpoint | None) -> Endpoint:
    if endpoint is None:
        raise NotFoundError("endpoint")
    return endpoint


def _cursor(place: Place) -> str:
    # A place, nothing else: the workspace always comes from the caller's key.
    microseconds = (place.created_at - _EPOCH) // timedelta(microseconds=1)
    raw = microseconds.to_bytes(8, "big") + place.id.bytes
    return base64.urlsafe_b64encode(raw).decode()


def _read_cursor(cursor: str) -> Place:
    try:
        raw = base64.b64decode(cursor, altchars=b"-_", validate=True)
        at = _EPOCH + timedelta(microseconds=int.from_bytes(raw[:8], "big"))
        return Place(at, UUID(bytes=raw[8:]))
    except (binascii.Error, ValueError, OverflowError) as error:
        raise AppError(400, "invalid_cursor", "This cursor is not one of ours.") from error
