"""What a receiver is sent: `{"type", "timestamp", "data"}`, always under 20 kB (Standard Webhooks)."""

from datetime import datetime
from typing import Final

from app.http import to_json
from app.webhooks.models import Event, JsonObject

MAX_BYTES: Final = 20_000
MAX_MESSAGE_CHARS: Final = 1_000
_ALWAYS: Final = ("id", "status", "created_at", "completed_at", "urls")
"""Of a job: what even the shortest payload carries, and what is of bounded length."""


def payload(event: Event, at: datetime, data: JsonObject) -> str:
    """The body of every attempt.

    Args:
        event: what happened
        at: when it happened
        data: the job as the API shows it; of one that is too long, texts, inputs, labels and outputs
            are left out until it fits, and `truncated` names what was cut
    """
    for candidate in (data, _shorter_error(data), _without_inputs(data), _without_labels(data)):
        body = _body(event, at, candidate)
        if len(body) < MAX_BYTES:
            return body.decode()
        # Outputs are what there can be most of: as many as fit, unless the rest is too long alone.
        if len(_body(event, at, _with_outputs(candidate, 0))) < MAX_BYTES:
            return _as_many_outputs_as_fit(event, at, candidate).decode()
    rest = {name: data[name] for name in _ALWAYS if name in data}
    return _body(event, at, {**rest, "truncated": sorted(data.keys() - rest.keys())}).decode()


def _body(event: Event, at: datetime, data: JsonObject) -> bytes:
    return to_json({"type": event, "timestamp": at, "data": data})


def _cut(data: JsonObject, name: str, value: object) -> JsonObject:
    return {**data, name: value, "truncated": [*data.get("truncated", []), name]}


def _shorter_error(data: JsonObject) -> JsonObject:
    error = data.get("error")
    if not error:
        return data
    kept = {name: value for name, value in error.items() if name != "traceback"}
    return _cut(data, "error", {**kept, "message": str(error["message"])[:MAX_MESSAGE_CHARS]})


def _without_inputs(data: JsonObject) -> JsonObject:
    shorter = _shorter_error(data)
    return _cut(shorter, "inputs", None) if data.get("inputs") else shorter


def _without_labels(data: JsonObject) -> JsonObject:
    return _cut(_without_inputs(data), "metadata", {})


def _with_outputs(data: JsonObject, count: int) -> JsonObject:
    outputs = data.get("outputs", [])
    return {**_cut(data, "outputs", outputs[:count]), "outputs_total": len(outputs)}


def _as_many_outputs_as_fit(event: Event, at: datetime, data: JsonObject) -> bytes:
    fits, too_many = 0, len(data.get("outputs", []))
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        if len(_body(event, at, _with_outputs(data, middle))) < MAX_BYTES:
            fits = middle
        else:
            too_many = middle
    return _body(event, at, _with_outputs(data, fits))
