"""Reads `POST /workflows`: JSON with a workflow in it, or a form with any file that carries one."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, Final

from fastapi import Request
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from app.config import Settings
from app.errors import AppError
from app.json_input import (
    parse_json_object,
    payload_too_large,
    read_json_object,
    refuse_encoded,
    validated,
)
from app.provided import provided
from app.workflows.inspect.find import Found, find_workflow
from app.workflows.inspect.refusal import NoWorkflowError
from app.workflows.registry.schemas import PushForm, PushRequest
from app.workflows.registry.service import Push

MAX_FIELDS: Final = 8
MAX_FIELD_BYTES: Final = 1_000_000
"""Of a field that is no file; `bindings` is the long one."""
_FIELDS: Final = ("name", "environment", "notes")


class _Parser(MultiPartParser):
    """Starlette's, which closes what it spooled on errors of its own: a body may also be cut or too long."""

    def close(self) -> None:
        """Give every file back to the disk."""
        for file in self._files_to_close_on_error:
            file.close()


async def read_push(request: Request) -> Push:
    """What the caller wants to be kept.

    Raises:
        AppError: 413, 415, 422 `invalid_json`, `invalid_request`, `no_workflow`.
    """
    content_type, _ = parse_options_header(request.headers.get("content-type", ""))
    settings = provided(request, Settings)
    if content_type == b"multipart/form-data":
        return await _from_form(request, settings)
    body = validated(PushRequest, await read_json_object(request, settings.max_json_bytes))
    return Push(body.name, body.workflow, body.bindings, body.environment, body.notes)


async def _from_form(request: Request, settings: Settings) -> Push:
    refuse_encoded(request)
    parser = _Parser(
        request.headers,
        _bounded(request, settings.max_workflow_file_bytes),
        max_files=1,
        max_fields=MAX_FIELDS,
        max_part_size=MAX_FIELD_BYTES,
    )
    try:
        return await _read_form(await parser.parse())
    except MultiPartException as error:
        raise AppError(422, "invalid_request", f"body: {error.message}") from error
    finally:
        parser.close()


async def _read_form(form: FormData) -> Push:
    file = form.get("file")
    if not isinstance(file, UploadFile):
        raise AppError(422, "invalid_request", "There is no part named `file`.")
    values: dict[str, Any] = {name: form[name] for name in _FIELDS if name in form}
    if any("\x00" in value for value in values.values() if isinstance(value, str)):
        raise AppError(422, "invalid_request", "NUL characters are not allowed.")
    bindings = form.get("bindings")
    if isinstance(bindings, str):
        values["bindings"] = parse_json_object(bindings.encode())
    body = validated(PushForm, values)
    found = await asyncio.to_thread(_find, await file.read())
    document, ui = found.workflow, found.ui if found.kind == "api" else None
    return Push(body.name, document, body.bindings, body.environment, body.notes, ui)


def _find(content: bytes) -> Found:
    try:
        return find_workflow(content)
    except NoWorkflowError as error:
        raise AppError(
            422, "no_workflow", error.message, details={"reason": error.code, **error.details}
        ) from error


async def _bounded(request: Request, max_bytes: int) -> AsyncGenerator[bytes]:
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > max_bytes:
            raise payload_too_large(max_bytes)
        yield chunk
