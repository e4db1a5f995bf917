"""Texts: joined, cut, compared, shown."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from comfy_images.engine.core.node import CoreNode, Inputs, combo

_LONG = ("STRING", {"multiline": True})
_CASE = ("BOOLEAN", {"default": True})


class _TextNode(CoreNode):
    RETURN_TYPES = ("STRING",)
    CATEGORY = "utils/string"


class PreviewAny(CoreNode):
    """Shows any value as text: plain ones as they are, others as JSON if they can be."""

    OUTPUT_NODE = True
    CATEGORY = "utils"
    required: ClassVar[Inputs] = {"source": ("*", {})}

    def run(self, source: Any = None) -> dict[str, Any]:
        return {"ui": {"text": [_shown(source)]}}


class StringConcatenate(_TextNode):
    """One after the other, the delimiter between them."""

    required: ClassVar[Inputs] = {
        "string_a": _LONG,
        "string_b": _LONG,
        "delimiter": ("STRING", {"default": "", "multiline": False}),
    }

    def run(self, string_a: str, string_b: str, delimiter: str) -> tuple[str]:
        return (delimiter.join((string_a, string_b)),)


class StringSubstring(_TextNode):
    """From `start` to before `end`."""

    required: ClassVar[Inputs] = {"string": _LONG, "start": ("INT", {}), "end": ("INT", {})}

    def run(self, string: str, start: int, end: int) -> tuple[str]:
        return (string[start:end],)


class StringLength(_TextNode):
    """In characters."""

    RETURN_TYPES = ("INT",)
    RETURN_NAMES = ("length",)
    required: ClassVar[Inputs] = {"string": _LONG}

    def run(self, string: str) -> tuple[int]:
        return (len(string),)


class CaseConverter(_TextNode):
    """In other letters."""

    required: ClassVar[Inputs] = {
        "string": _LONG,
        "mode": combo(["UPPERCASE", "lowercase", "Capitalize", "Title Case"]),
    }

    def run(self, string: str, mode: str) -> tuple[str]:
        match mode:
            case "UPPERCASE":
                return (string.upper(),)
            case "lowercase":
                return (string.lower(),)
            case "Capitalize":
                return (string.capitalize(),)
            case _:
                return (string.title(),)


class StringTrim(_TextNode):
    """Without white space at one end or both."""

    required: ClassVar[Inputs] = {"string": _LONG, "mode": combo(["Both", "Left", "Right"])}

    def run(self, string: str, mode: str) -> tuple[str]:
        match mode:
            case "Both":
                return (string.strip(),)
            case "Left":
                return (string.lstrip(),)
            case _:
                return (string.rstrip(),)


class StringReplace(_TextNode):
    """Every occurrence."""

    required: ClassVar[Inputs] = {"string": _LONG, "find": _LONG, "replace": _LONG}

    def run(self, string: str, find: str, replace: str) -> tuple[str]:
        return (string.replace(find, replace),)


class StringContains(_TextNode):
    """Whether one text is in the other."""

    RETURN_TYPES = ("BOOLEAN",)
    RETURN_NAMES = ("contains",)
    required: ClassVar[Inputs] = {"string": _LONG, "substring": _LONG, "case_sensitive": _CASE}

    def run(self, string: str, substring: str, *, case_sensitive: bool) -> tuple[bool]:
        if case_sensitive:
            return (substring in string,)
        return (substring.lower() in string.lower(),)


class StringCompare(_TextNode):
    """Whether one text begins or ends with the other, or equals it."""

    RETURN_TYPES = ("BOOLEAN",)
    required: ClassVar[Inputs] = {
        "string_a": _LONG,
        "string_b": _LONG,
        "mode": combo(["Starts With", "Ends With", "Equal"]),
        "case_sensitive": _CASE,
    }

    def run(self, string_a: str, string_b: str, mode: str, *, case_sensitive: bool) -> tuple[bool]:
        if not case_sensitive:
            string_a, string_b = string_a.lower(), string_b.lower()
        match mode:
            case "Starts With":
                return (string_a.startswith(string_b),)
            case "Ends With":
                return (string_a.endswith(string_b),)
            case _:
                return (string_a == string_b,)


def _shown(value: Any) -> str:
    if isinstance(value, (str, int, float, bool)) or value is None:
        return str(value)
    try:
        return json.dumps(value, indent=4)
    except (TypeError, ValueError):
        return str(value)
