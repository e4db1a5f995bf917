"""What the editor does to texts when it hands them to ComfyUI: comments, choices, file names. Pure."""

import re
from collections.abc import Callable, Iterator
from typing import Final

_COMMENT: Final = re.compile(r"/\*.*?\*/|//[^\n\r\u2028\u2029]*", re.DOTALL)
_ESCAPED: Final = re.compile(r"\\([{}|])")
_TOKEN: Final = re.compile(r"%([^%]+)%")
_UNSAFE: Final = re.compile(r'[/?<>\\:*|"\x00-\x1f\x7f]')
_DATE_PART: Final = re.compile(r"yyyy|MM|dd|hh|mm|ss|[dMhmsy]+")
_SERVER_TOKENS: Final = {
    "yyyy": "%year%",
    "MM": "%month%",
    "dd": "%day%",
    "hh": "%hour%",
    "mm": "%minute%",
    "ss": "%second%",
}
"""What ComfyUI itself fills in when it saves (facts/comfyui-protocol.md §3)."""


MAX_FILE_NAME: Final = 1_000
"""Characters of a file name that are looked at; no file system takes more."""
MAX_DYNAMIC_TEXT: Final = 200_000
"""Characters of a prompt that is looked through; a longer one stays as it is."""


def without_comments(text: str) -> str:
    """A dynamic prompt without `/* */` and `//` comments."""
    if "/" not in text:
        return text
    # Opened and never closed is no comment; looked for once, or many of them cost a second.
    head, opened, tail = text.rpartition("*/")
    return _COMMENT.sub("", head + opened) + re.sub(r"//[^\n\r\u2028\u2029]*", "", tail)


def first_choices(text: str) -> tuple[str, bool]:
    """A dynamic prompt with the first of each `{a|b}`, and whether there was anything to choose.

    The editor draws one; a conversion gives the same graph for the same file.
    """
    if "{" not in text and "\\" not in text:
        return text, False
    out: list[str] = []
    taken: list[bool] = []  # for each open brace: whether we are still in its first option
    skipped = 0  # options open around here that are not the first
    chose = False
    for token in _tokens(text):
        match token:
            case "{":
                taken.append(True)
            case "}" if taken:
                skipped -= not taken.pop()
            case "|" if taken:
                chose = True
                if taken[-1]:
                    taken[-1] = False
                    skipped += 1
            case _ if not skipped:
                out.append(token)
            case _:
                pass
    return _ESCAPED.sub(r"\1", "".join(out)), chose


def _tokens(text: str) -> Iterator[str]:
    for found in re.finditer(r"\\.|[{}|]|[^\\{}|]+|\\", text, re.DOTALL):
        yield found[0]


def file_name(prefix: str, value_of: Callable[[str, str], str | None]) -> tuple[str, list[str]]:
    """A file name with what can be filled in, and the tokens that stay.

    Args:
        prefix: as written, for instance `%date:yyyy-MM-dd%/%KSampler.seed%`
        value_of: the value of a node's widget, by the node's name and the widget's
    """
    left: list[str] = []

    def fill(found: re.Match[str]) -> str:
        token = found[1]
        if token.startswith("date:"):
            date = _date(token[len("date:") :])
            if date is None:
                left.append(found[0])
            return date or found[0]
        node, dot, widget = token.partition(".")
        if not dot or "." in widget:
            return found[0]  # of ComfyUI, such as %width%, or just a percent sign
        value = value_of(node, widget)
        if value is None:
            left.append(found[0])
            return found[0]
        return _UNSAFE.sub("_", value)

    return _TOKEN.sub(fill, prefix), left


def _date(form: str) -> str | None:
    """The date in ComfyUI's own tokens, so that it is the run's; None where it has none for it."""
    if any(part not in _SERVER_TOKENS for part in _DATE_PART.findall(form)):
        return None
    return _DATE_PART.sub(lambda part: _SERVER_TOKENS[part[0]], form)
