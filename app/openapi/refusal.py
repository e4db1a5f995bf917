"""One error that a caller can meet."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Refusal:
    """One error: `key` is its status and code, as operations name it."""

    key: str
    message: str
    remedy: str
    """When it comes and what to do, for people."""
    details: Mapping[str, Any] | None = None
    headers: tuple[str, ...] = ()

    @property
    def status(self) -> int:
        """Of HTTP."""
        return int(self.key.partition(" ")[0])

    @property
    def code(self) -> str:
        """`error.code`."""
        return self.key.partition(" ")[2]

    @property
    def name(self) -> str:
        """Of its example: the code, but for one code that has two statuses."""
        return f"{self.code}_{self.status}" if self.code == "upstream_error" else self.code

    def envelope(self) -> dict[str, Any]:
        """The body."""
        details = dict(self.details) if self.details else None
        return {"error": {"code": self.code, "message": self.message, "details": details}}
