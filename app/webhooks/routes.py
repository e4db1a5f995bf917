"""`/api/v2/webhooks`: who is told of the end of jobs, and what came of telling. Ours beyond v2."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response

from app.errors import NotFoundError
from app.http import json_response, page_response, parse_id
from app.identity.auth import Reader, Writer
from app.json_input import has_body, read_model
from app.provided import provided
from app.webhooks.models import DeliveryFilter, DeliveryStatus, Event
from app.webhooks.repository.endpoints import Change
from app.webhooks.schemas import (
    DeliveryOut,
    DeliveryPage,
    EndpointOut,
    EndpointPatch,
    EndpointRequest,
    EndpointsOut,
    EndpointWithSecretOut,
    RotateRequest,
    SecretOut,
    render_delivery,
    render_endpoint,
)
from app.webhooks.service import DeliveryService, EndpointService

router = APIRouter(prefix="/api/v2/webhooks", tags=["webhooks"])

MAX_BODY_BYTES = 16_384
_CURSOR = "AAZD21bgk0CkD4yJ6pBNS4nB7yZfZlkU"

EndpointId = Annotated[
    str,
    Path(description="`id` of the endpoint.", examples=["01a224b2-4a3c-7b0e-9d0e-0c6f4f0a8a11"]),
]
DeliveryId = Annotated[
    str,
    Path(description="`id` of the delivery.", examples=["5f6b1d1e-2f4b-4f7f-8f57-6a4b2e0b9c3d"]),
]


@router.get(
    "/endpoints",
    response_model=EndpointsOut,
    operation_id="listWebhookEndpoints",
    summary="List endpoints",
    response_description="All of them.",
)
async def list_endpoints(request: Request, caller: Reader) -> Response:
    """The receivers of the workspace, oldest first. Their secrets are not shown again."""
    endpoints = await provided(request, EndpointService).list(caller.workspace_id)
    return json_response({"endpoints": [render_endpoint(e) for e in endpoints]})


@router.post(
    "/endpoints",
    status_code=201,
    response_model=EndpointWithSecretOut,
    operation_id="postWebhookEndpoint",
    summary="Add an endpoint",
    response_description="It is told from now on. `secret` is shown here and never again.",
)
async def add_endpoint(request: Request, caller: Writer) -> Response:
    """Be told of every job of the workspace that ends, at a URL of yours.

    The URL is checked as it stands: a scheme, host or port that is never called is 422
    `invalid_webhook_url`. Its name is resolved at each call. See the chapter Webhooks for what is
    sent and how to verify it; `POST …/test` sends a first call.
    """
    body = await read_model(request, EndpointRequest, MAX_BODY_BYTES)
    endpoint, secret = await provided(request, EndpointService).create(
        caller.workspace_id, Change(body.url, body.description, body.events, body.enabled)
    )
    return json_response(render_endpoint(endpoint, secret), 201)


@router.get(
    "/endpoints/{id}",
    response_model=EndpointOut,
    operation_id="getWebhookEndpoint",
    summary="Get an endpoint",
    response_description="The endpoint.",
)
async def get_endpoint(request: Request, id: EndpointId, caller: Reader) -> Response:
    """A receiver as it stands, and whether we disabled it."""
    endpoint = await provided(request, EndpointService).get(caller.workspace_id, _endpoint_id(id))
    return json_response(render_endpoint(endpoint))


@router.patch(
    "/endpoints/{id}",
    response_model=EndpointOut,
    operation_id="patchWebhookEndpoint",
    summary="Change an endpoint",
    response_description="The endpoint now.",
)
async def change_endpoint(request: Request, id: EndpointId, caller: Writer) -> Response:
    """Change what is given. What waits already goes to the new URL.

    Disabling it drops what waits for it; a delivery that was dropped can be sent again by hand.
    """
    endpoint_id = _endpoint_id(id)
    body = await read_model(request, EndpointPatch, MAX_BODY_BYTES)
    endpoint = await provided(request, EndpointService).update(
        caller.workspace_id,
        endpoint_id,
        Change(body.url, body.description, body.events, body.enabled),
    )
    return json_response(render_endpoint(endpoint))


@router.delete(
    "/endpoints/{id}",
    status_code=204,
    operation_id="deleteWebhookEndpoint",
    summary="Delete an endpoint",
    response_description="Deleted.",
)
async def delete_endpoint(request: Request, id: EndpointId, caller: Writer) -> Response:
    """Delete a receiver and drop what waits for it. Its deliveries stay in the list."""
    await provided(request, EndpointService).delete(caller.workspace_id, _endpoint_id(id))
    return Response(status_code=204)


@router.post(
    "/endpoints/{id}/rotate-secret",
    response_model=EndpointWithSecretOut,
    operation_id="rotateWebhookSecret",
    summary="Rotate a secret",
    response_description="With the new secret, shown here and never again.",
)
async def rotate_secret(request: Request, id: EndpointId, caller: Writer) -> Response:
    """Give an endpoint a new secret.

    For `overlap_s`, a day unless you say otherwise, every call carries two signatures, so that a
    receiver with either secret verifies it.
    """
    endpoint_id = _endpoint_id(id)
    endpoint, secret = await provided(request, EndpointService).rotate(
        caller.workspace_id, endpoint_id, (await _rotation(request)).overlap_s
    )
    return json_response(render_endpoint(endpoint, secret))


@router.post(
    "/endpoints/{id}/test",
    status_code=202,
    response_model=DeliveryOut,
    operation_id="testWebhookEndpoint",
    summary="Test an endpoint",
    response_description="Recorded; the call is made at once. Get the delivery to see what came of it.",
)
async def test_endpoint(request: Request, id: EndpointId, caller: Writer) -> Response:
    """Send a `webhook.test` event: once, signed as every other, also to a disabled endpoint."""
    endpoint_id = _endpoint_id(id)
    await provided(request, EndpointService).get(caller.workspace_id, endpoint_id)
    delivery = await provided(request, DeliveryService).test(caller.workspace_id, endpoint_id)
    return json_response(render_delivery(delivery), 202)


@router.get(
    "/secret",
    response_model=SecretOut,
    operation_id="getWebhookSecret",
    summary="Get the workspace's secret",
    response_description="The secret.",
)
async def get_own_secret(request: Request, caller: Writer) -> Response:
    """What signs calls to the `webhook_url` of jobs; the same for all of the workspace.

    It is made when it is first needed and can be read at any time, with a key that may write.
    """
    endpoint, secret = await provided(request, EndpointService).own(caller.workspace_id)
    return json_response({"secret": secret, "old_secret_until": endpoint.old_secret_until})


@router.post(
    "/secret/rotate",
    response_model=SecretOut,
    operation_id="rotateOwnWebhookSecret",
    summary="Rotate the workspace's secret",
    response_description="The new secret.",
)
async def rotate_own_secret(request: Request, caller: Writer) -> Response:
    """Give the workspace a new secret for the `webhook_url` of jobs.

    For `overlap_s`, a day unless you say otherwise, calls carry two signatures.
    """
    endpoint, secret = await provided(request, EndpointService).rotate_own(
        caller.workspace_id, (await _rotation(request)).overlap_s
    )
    return json_response({"secret": secret, "old_secret_until": endpoint.old_secret_until})


@router.get(
    "/deliveries",
    response_model=DeliveryPage,
    operation_id="listWebhookDeliveries",
    summary="List deliveries",
    response_description="One page.",
)
async def list_deliveries(
    request: Request,
    caller: Reader,
    limit: Annotated[int, Query(ge=1, le=100, description="Deliveries on a page.")] = 20,
    cursor: Annotated[
        str | None, Query(description="`next_cursor` of the page before.", examples=[_CURSOR])
    ] = None,
    status: Annotated[DeliveryStatus | None, Query(description="Those that stand so.")] = None,
    event: Annotated[Event | None, Query(description="Those of this event.")] = None,
    job_id: Annotated[UUID | None, Query(description="Those about this job.")] = None,
    endpoint_id: Annotated[UUID | None, Query(description="Those to this endpoint.")] = None,
) -> Response:
    """What was told to whom, newest first, with every attempt. All filters must match.

    Deliveries are kept as long as the job they tell of.
    """
    found, next_cursor = await provided(request, DeliveryService).page(
        caller.workspace_id,
        cursor=cursor,
        limit=limit,
        wanted=DeliveryFilter(status, event, job_id, endpoint_id),
    )
    return page_response("deliveries", [render_delivery(d) for d in found], next_cursor)


@router.get(
    "/deliveries/{id}",
    response_model=DeliveryOut,
    operation_id="getWebhookDelivery",
    summary="Get a delivery",
    response_description="The delivery.",
)
async def get_delivery(request: Request, id: DeliveryId, caller: Reader) -> Response:
    """One delivery with its attempts: status code, duration, and how the answer began."""
    delivery = await provided(request, DeliveryService).get(caller.workspace_id, _delivery_id(id))
    return json_response(render_delivery(delivery))


@router.post(
    "/deliveries/{id}/redeliver",
    status_code=202,
    response_model=DeliveryOut,
    operation_id="redeliverWebhook",
    summary="Deliver again",
    response_description="The attempt is made at once. Get the delivery to see what came of it.",
)
async def redeliver(request: Request, id: DeliveryId, caller: Writer) -> Response:
    """Make one more attempt now, whatever became of the others: same `webhook-id`, same body.

    If it fails and the schedule has attempts left, they follow. A delivery has 30 attempts at most,
    those by hand included: 409 `attempts_used`. To a disabled endpoint it is 409
    `endpoint_disabled`.
    """
    delivery = await provided(request, DeliveryService).redeliver(
        caller.workspace_id, _delivery_id(id)
    )
    return json_response(render_delivery(delivery), 202)


async def _rotation(request: Request) -> RotateRequest:
    if not has_body(request):
        return RotateRequest()
    return await read_model(request, RotateRequest, MAX_BODY_BYTES)


def _endpoint_id(text: str) -> UUID:
    endpoint_id = parse_id(text)
    if endpoint_id is None:
        raise NotFoundError("endpoint")
    return endpoint_id


def _delivery_id(text: str) -> UUID:
    delivery_id = parse_id(text)
    if delivery_id is None:
        raise NotFoundError("delivery")
    return delivery_id
