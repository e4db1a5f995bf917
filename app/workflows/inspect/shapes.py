"""JSON to a workflow, whatever it is wrapped in: which of the two formats it is in is told by its shape. Pure."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from app.errors import AppError
from app.json_input import parse_json_object
from app.workflows.graph import Graph
from app.workflows.inspect.tags import MAX_TEXT_BYTES

MAX_VALUES: Final = 400_000
"""Of all JSON texts of a file; the largest templates have 60,000."""

_WRAPPERS: Final = ("prompt", "output", "workflow", "extra_data", "extra_pnginfo", "graph")
_MAX_WRAPPERS: Final = 4
_NOT_JSON: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"?|-?Infinity|NaN', re.DOTALL)


class UnreadableError(Exception):
    """A text that should be JSON and is not; says why."""


@dataclass(slots=True)
class Workflows:
    """What was found so far, at most one of each format."""

    api: Graph | None = None
    api_source: str = ""
    ui: dict[str, Any] | None = None
    ui_source: str = ""
    values_left: int = MAX_VALUES
    """Many texts together may cost no more than one."""

    @property
    def are_complete(self) -> bool:
        """Whether there is one of each."""
        return self.api is not None and self.ui is not None

    def look_into(self, text: bytes, source: str) -> dict[str, Any]:
        """Parse a text, and keep the first workflow of each format that it is or wraps.

        Raises:
            UnreadableError: with one sentence.
        """
        value = self._parse(text)
        for found in self._unwrapped(value):
            if self.api is None and is_api(found):
                self.api, self.api_source = _graph(found), source
            elif self.ui is None and is_editor(found):
                self.ui, self.ui_source = found, source
        return value

    def _parse(self, text: bytes) -> dict[str, Any]:
        """JSON as programs write it: with a byte order mark, padding, or Python's NaN (then null)."""
        if len(text) > MAX_TEXT_BYTES:
            raise UnreadableError(f"It is larger than {MAX_TEXT_BYTES} bytes.")
        if text[:2] in {b"\xff\xfe", b"\xfe\xff"}:
            text = text.decode("utf-16", "replace").encode()
        text = text.removeprefix(b"\xef\xbb\xbf").strip(b" \t\r\n\0")
        if b"NaN" in text or b"Infinity" in text:
            text = _without_python_numbers(text)
        allowed, self.values_left = self.values_left, self.values_left - text.count(b",")
        if allowed <= 0:
            raise UnreadableError(f"The texts of the file hold more than {MAX_VALUES} values.")
        try:
            return parse_json_object(text, allowed)
        except AppError as error:
            raise UnreadableError(error.message.replace("The body", "It")) from error

    def _unwrapped(self, value: Any) -> Iterator[dict[str, Any]]:
        todo: list[tuple[Any, int]] = [(value, 0)]
        while todo:
            inner, depth = todo.pop(0)
            if isinstance(inner, str):
                inner = self._object(inner)
            if isinstance(inner, list):
                # Of ComfyUI's history: [number, id, graph, extra_data, outputs].
                items = cast(list[Any], inner)[2:4]
                todo += [(item, depth) for item in items if isinstance(item, dict)]
            elif isinstance(inner, dict):
                known = cast(dict[str, Any], inner)
                yield known
                if depth < _MAX_WRAPPERS and not is_api(known) and not is_editor(known):
                    todo += [(known[name], depth + 1) for name in _WRAPPERS if name in known]

    def _object(self, text: str) -> dict[str, Any] | None:
        if text[:1] != "{":
            return None
        try:
            return self._parse(text.encode("utf-8", "replace"))
        except UnreadableError:
            return None


def _without_python_numbers(text: bytes) -> bytes:
    """With null for NaN and the infinities, except in strings."""
    if text.count(b'"') > 4 * MAX_VALUES or text.count(b",") > MAX_VALUES:
        raise UnreadableError(f"It holds more than {MAX_VALUES} values.")
    out = bytearray()
    kept = 0
    for found in _NOT_JSON.finditer(text):
        if found[0][:1] != b'"':
            out += text[kept : found.start()] + b"null"
            kept = found.end()
    return bytes(out + text[kept:])


def is_api(value: Mapping[str, Any]) -> bool:
    """Whether nodes stand here by id, each with its class."""
    return any(
        isinstance(node, dict) and isinstance(cast(Graph, node).get("class_type"), str)
        for node in value.values()
    )


def is_editor(value: Mapping[str, Any]) -> bool:
    """Whether this is what the ComfyUI editor saves."""
    return isinstance(value.get("nodes"), list)


def is_app(value: Mapping[str, Any]) -> bool:
    """Whether its author picked inputs and outputs in App mode."""
    extra = value.get("extra")
    return isinstance(extra, dict) and isinstance(cast(Graph, extra).get("linearData"), dict)


def _graph(value: dict[str, Any]) -> Graph:
    """Without what a server adds to a node while it runs, such as `is_changed`."""
    return {
        node_id: {
            k: v for k, v in cast(Graph, node).items() if k in {"class_type", "inputs", "_meta"}
        }
        if isinstance(node, dict)
        else node
        for node_id, node in value.items()
    }
