"""One input as its node declares it: name, type, options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class InputSpec:
    """One declared input; `kind` is a type name, or a list of choices."""

    name: str
    kind: str | list[Any]
    options: dict[str, Any]
    required: bool

    @classmethod
    def of(cls, name: str, config: list[Any], *, required: bool) -> InputSpec:
        """From an entry of INPUT_TYPES: `[kind]` or `[kind, options]`."""
        options: dict[str, Any] = config[1] if len(config) > 1 else {}
        return cls(name, config[0], options, required)

    @property
    def config(self) -> list[Any]:
        """Kind and options, which error bodies repeat even where /object_info omits the latter."""
        return [self.kind, self.options]

    @property
    def choices(self) -> list[Any] | None:
        """The allowed values of a combo, in the old form (a list) or the new one (COMBO)."""
        if isinstance(self.kind, list):
            return self.kind
        return self.options.get("options", []) if self.kind == "COMBO" else None

    @property
    def type_name(self) -> str:
        return "COMBO" if isinstance(self.kind, list) else self.kind

    @property
    def is_lazy(self) -> bool:
        """Whether it is computed only once the node asks for it."""
        return bool(self.options.get("lazy", False))
