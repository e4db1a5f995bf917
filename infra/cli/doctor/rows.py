"""What the doctor finds: one row per part."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Row:
    """One part: how it is, what was seen, and what to do where that is not good."""

    part: str
    state: State
    found: str
    remedy: str = ""


def ok(part: str, found: str) -> Row:
    """It works."""
    return Row(part, "ok", found)


def warn(part: str, found: str, remedy: str) -> Row:
    """It works, or something works without it; worth knowing."""
    return Row(part, "warn", found, remedy)


def fail(part: str, found: str, remedy: str) -> Row:
    """It does not work."""
    return Row(part, "fail", found, remedy)
