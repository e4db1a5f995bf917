"""Reads `POST /assets` as it arrives: text parts first, then `file`, with memory bounded by one chunk.

Starlette's own form parser spools files to disk and hands them over at the end; here bytes are
hashed and stored while they are received. The official clients send the text parts first and
`file` last (facts/comfy-api-v2.md §1).
"""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Final

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from app.assets.service import UploadRequest
from app.errors import AppError
from app.json_input import refuse_encoded

ONCE: Final = frozenset({"content_type", "file_path", "expected_hash", "expires_in"})
MAX_FIELD_BYTES: Final = 8_192
MAX_FIELDS: Final = 64
MAX_HEADER_BYTES: Final = 4_096
MIN_EXPIRES_IN_S: Final = 60
MAX_EXPIRES_IN_S: Final = 604_800
_WHOLE_NUMBER: Final = re.compile(r"[0-9]{1,9}")  # int() raises on 4,301 digits


@dataclass(slots=True)
class _Reader:
    """Callbacks of the parser: collects fields, then passes the bytes of `file` through."""

    fields: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    file_started: bool = False
    file_ended: bool = False
    chunks: list[bytes] = field(default_factory=list[bytes])
    _name: str = ""
    _value: bytearray = field(default_factory=bytearray)
    _header: bytearray = field(default_factory=bytearray)
    _header_value: bytearray = field(default_factory=bytearray)
    _disposition: bytes = b""
    _parts: int = 0

    def callbacks(self) -> Any:
        """The functions MultipartParser calls."""
        return {
            "on_part_begin": self._part_begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_text,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._data,
            "on_part_end": self._part_end,
        }

    def _grow(self, buffer: bytearray, data: bytes, limit: int) -> None:
        buffer += data
        if len(buffer) > limit:
            raise _invalid(f"A part's header or value is longer than {limit} bytes.")

    def _part_begin(self) -> None:
        self._parts += 1
        if self._parts > MAX_FIELDS:
            raise _invalid(f"There are more than {MAX_FIELDS} parts.")
        if self.file_started:
            raise _invalid("`file` must be the last part, and there is one of it.")
        self._value.clear()
        self._disposition = b""

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._grow(self._header, data[start:end], MAX_HEADER_BYTES)

    def _header_text(self, data: bytes, start: int, end: int) -> None:
        self._grow(self._header_value, data[start:end], MAX_HEADER_BYTES)

    def _header_end(self) -> None:
        if bytes(self._header).lower() == b"content-disposition":
            self._disposition = bytes(self._header_value)
        self._header.clear()
        self._header_value.clear()

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        if self._name == "file":
            self.file_started = True

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self.file_started:
            self.chunks.append(data[start:end])
        else:
            self._grow(self._value, data[start:end], MAX_FIELD_BYTES)

    def _part_end(self) -> None:
        if self.file_started:
            self.file_ended = True
            return
        try:
            text = self._value.decode()
        except UnicodeDecodeError as error:
            raise _invalid(f"{self._name}: not UTF-8.") from error
        if "\x00" in text:
            raise _invalid(f"{self._name}: NUL characters are not allowed.")
        if self._name in self.fields and self._name in ONCE:
            raise _invalid(f"{self._name}: this part may come once.")
        self.fields.setdefault(self._name, []).append(text)


async def read_upload(request: Request) -> tuple[UploadRequest, AsyncIterator[bytes]]:
    """The fields of an upload, and its bytes as they arrive.

    Raises:
        AppError: 415, 422 `invalid_request`; the iterator raises 422 where the body is cut short.
    """
    refuse_encoded(request)
    content_type, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary")
    if content_type != b"multipart/form-data" or not boundary:
        raise AppError(415, "unsupported_media_type", "Send multipart/form-data.")
    reader = _Reader()
    parser = _parser(boundary, reader)
    stream = request.stream()
    while not reader.file_started:
        if not await _feed(parser, stream):
            raise _invalid("There is no part named `file`.")
    return _upload_request(reader.fields), _file_bytes(reader, parser, stream)


def _parser(boundary: bytes, reader: _Reader) -> MultipartParser:
    try:
        return MultipartParser(boundary, reader.callbacks())
    except FormParserError as error:
        raise _invalid("The multipart boundary is too long.") from error


async def _file_bytes(
    reader: _Reader, parser: MultipartParser, stream: AsyncIterator[bytes]
) -> AsyncIterator[bytes]:
    while True:
        for chunk in reader.chunks:
            yield chunk
        reader.chunks.clear()
        if not await _feed(parser, stream):
            break
    if not reader.file_ended:
        raise _invalid("The body ends before the file does.")


async def _feed(parser: MultipartParser, stream: AsyncIterator[bytes]) -> bool:
    """Parse the next chunk of the body; False at its end."""
    data = await anext(stream, b"")
    if not data:
        return False
    try:
        parser.write(data)
    except FormParserError as error:
        raise _invalid("The multipart body is malformed.") from error
    return True


def _upload_request(fields: dict[str, list[str]]) -> UploadRequest:
    for name in ("file_path", "content_type"):
        if name not in fields:
            raise _invalid(f"{name}: this part must come before `file`.")
    return UploadRequest(
        file_path=fields["file_path"][0],
        expected_hash=_single(fields, "expected_hash"),
        tags=fields.get("tags", []),
        expires_in_s=_expires_in(_single(fields, "expires_in")),
    )


def _single(fields: dict[str, list[str]], name: str) -> str | None:
    return fields[name][0] if name in fields else None


def _expires_in(text: str | None) -> int | None:
    if text is None:
        return None
    if not _WHOLE_NUMBER.fullmatch(text):
        raise _invalid("expires_in: a whole number of seconds.")
    return checked_expires_in(int(text))


def checked_expires_in(seconds: int) -> int:
    """v2's range of a retention override."""
    if not MIN_EXPIRES_IN_S <= seconds <= MAX_EXPIRES_IN_S:
        raise _invalid(f"expires_in: from {MIN_EXPIRES_IN_S} to {MAX_EXPIRES_IN_S} seconds.")
    return seconds


def _invalid(message: str) -> AppError:
    return AppError(422, "invalid_request", message)
