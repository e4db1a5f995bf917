"""What a workflow is called, and how one of its versions is: `poster`, `poster@3`, `poster@prod`. Pure."""

import re
from dataclasses import dataclass
from typing import Final

MAX_NAME_LENGTH: Final = 64
NAME_PATTERN: Final = r"^[a-z0-9][a-z0-9_-]{0,63}$"
ALIAS_PATTERN: Final = r"^[a-z][a-z0-9_-]{0,63}$"
"""Begins with a letter, so that it is never taken for a number."""
REFERENCE_PATTERN: Final = r"^[a-z0-9][a-z0-9_-]{0,63}(@([1-9][0-9]{0,8}|[a-z][a-z0-9_-]{0,63}))?$"
LATEST: Final = "latest"
"""Every push moves it to what was pushed; a rollback moves it back."""
REFERENCE_SHAPE: Final = "a name as `poster`, `poster@3` or `poster@prod`"

_REFERENCE: Final = re.compile(REFERENCE_PATTERN)
_VERSION: Final = re.compile(r"(?P<number>[1-9][0-9]{0,8})|[a-z][a-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class Selector:
    """One version of a workflow: by its number, or by a word that leads to it."""

    number: int | None = None
    alias: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Selector | None":
        """`3` or `prod`; None where it is neither."""
        match = _VERSION.fullmatch(text)
        if match is None:
            return None
        return cls(number=int(text)) if match["number"] else cls(alias=text)

    def __str__(self) -> str:
        """As a caller writes it behind the `@`."""
        return str(self.number) if self.alias is None else self.alias


@dataclass(frozen=True, slots=True)
class Reference:
    """A workflow's name and a version of it."""

    name: str
    version: Selector

    @classmethod
    def parse(cls, text: str) -> "Reference | None":
        """`poster` is `poster@latest`; None where it is no reference."""
        if not _REFERENCE.fullmatch(text):
            return None
        name, _, version = text.partition("@")
        parsed = Selector.parse(version or LATEST)
        return cls(name, parsed) if parsed else None


def is_name(text: str) -> bool:
    """Whether a workflow can be called so."""
    return re.fullmatch(NAME_PATTERN, text) is not None
