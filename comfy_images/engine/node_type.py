"""One node class seen through ComfyUI's conventions, so that no other module reads its attributes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, cast

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class InputSpec:
    """One declared input; `kind` is a type name, or a list of choices."""

    name: str
    kind: str | list[Any]
    options: JsonObject
    required: bool

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


@dataclass(frozen=True, slots=True)
class NodeType:
    """A registered node class. `version` 3 marks the newer declaration style of /object_info."""

    name: str
    implementation: type[Any]
    display_name: str | None
    python_module: str
    version: int = 1

    def input_types(self) -> JsonObject:
        """INPUT_TYPES() in JSON form; asked each time, since the choices of LoadImage are files."""
        declared: JsonObject = self.implementation.INPUT_TYPES()
        return {
            group: {name: _as_json(spec) for name, spec in inputs.items()}
            for group, inputs in declared.items()
        }

    def inputs(self) -> dict[str, InputSpec]:
        """The required and optional inputs, by name, in order of declaration."""
        types = self.input_types()
        return {
            name: _input_spec(name, config, required=group == "required")
            for group in ("required", "optional")
            for name, config in types.get(group, {}).items()
        }

    @property
    def input_names(self) -> tuple[str, ...]:
        """The names alone, which unlike the choices never change."""
        return _input_names(self.implementation)

    def hidden(self) -> dict[str, str]:
        """Which input receives what the server knows: PROMPT, EXTRA_PNGINFO, UNIQUE_ID."""
        return dict(self.input_types().get("hidden", {}))

    @property
    def return_types(self) -> tuple[str, ...]:
        return tuple(self.implementation.RETURN_TYPES)

    @property
    def output_is_list(self) -> tuple[bool, ...]:
        declared = getattr(self.implementation, "OUTPUT_IS_LIST", None)
        return tuple(declared) if declared else (False,) * len(self.return_types)

    @property
    def takes_lists(self) -> bool:
        return bool(getattr(self.implementation, "INPUT_IS_LIST", False))

    @property
    def is_output(self) -> bool:
        return bool(getattr(self.implementation, "OUTPUT_NODE", False))

    def optional_method(self, name: str) -> Any | None:
        """VALIDATE_INPUTS or IS_CHANGED, if the class has it."""
        return getattr(self.implementation, name, None)


@cache
def _input_names(implementation: type[Any]) -> tuple[str, ...]:
    declared: JsonObject = implementation.INPUT_TYPES()
    return (*declared.get("required", {}), *declared.get("optional", {}))


def _as_json(spec: Any) -> Any:
    """Tuples become lists: what validation shows equals what /object_info shows."""
    if isinstance(spec, (tuple, list)):
        return [_as_json(item) for item in cast("list[Any]", spec)]
    return spec


def _input_spec(name: str, config: list[Any], *, required: bool) -> InputSpec:
    options: JsonObject = config[1] if len(config) > 1 else {}
    return InputSpec(name, config[0], options, required)
