"""One node class seen through ComfyUI's conventions, so that no other module reads its attributes."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from comfy_images.engine.dynamic_inputs import MATCH_TYPE, expanded, has_members
from comfy_images.engine.input_spec import InputSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

JsonObject = dict[str, Any]


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

    def inputs(self, given: Mapping[str, Any]) -> dict[str, InputSpec]:
        """The required and optional inputs, by name; those that `given` implies among them."""
        declared = _specs(self.input_types())
        return {plain.name: plain for spec in declared for plain in expanded(spec, given)}

    def names_in(self, given: Mapping[str, Any]) -> list[str]:
        """The declared inputs among `given`, in order of declaration; names alone never change."""
        names = [name for name in _names(self.implementation) if name in given]
        for spec in _specs_with_members(self.implementation):
            plain = (found.name for found in expanded(spec, given) if found.name != spec.name)
            names += [name for name in plain if name in given]
        return names

    @property
    def input_names(self) -> tuple[str, ...]:
        """The names as declared, dynamic inputs by their heads."""
        return _names(self.implementation)

    @property
    def lazy_names(self) -> frozenset[str]:
        """The inputs that are computed only if the node asks for them."""
        return _lazy_names(self.implementation)

    def hidden(self) -> dict[str, str]:
        """Which input receives what the server knows: PROMPT, EXTRA_PNGINFO, UNIQUE_ID."""
        return _hidden(self.implementation)

    @property
    def return_types(self) -> tuple[str, ...]:
        return tuple(self.implementation.RETURN_TYPES)

    def returned_type(self, slot: int) -> str:
        """What a link from this slot carries; `*` where that follows from the inputs."""
        declared = self.return_types[slot]
        return "*" if declared == MATCH_TYPE else declared

    @property
    def output_is_list(self) -> tuple[bool, ...]:
        declared = getattr(self.implementation, "OUTPUT_IS_LIST", None)
        return tuple(declared) if declared else (False,) * len(self.return_types)

    @property
    def takes_lists(self) -> bool:
        return bool(getattr(self.implementation, "INPUT_IS_LIST", False))

    @property
    def is_async(self) -> bool:
        """Whether it may await while other nodes run."""
        return _is_async(self.implementation)

    @property
    def is_output(self) -> bool:
        return bool(getattr(self.implementation, "OUTPUT_NODE", False))

    def optional_method(self, name: str) -> Any | None:
        """VALIDATE_INPUTS or IS_CHANGED, if the class has it."""
        return getattr(self.implementation, name, None)


@cache
def _names(implementation: type[Any]) -> tuple[str, ...]:
    return tuple(spec.name for spec in _declared_specs(implementation))


@cache
def _lazy_names(implementation: type[Any]) -> frozenset[str]:
    return frozenset(spec.name for spec in _declared_specs(implementation) if spec.is_lazy)


@cache
def _specs_with_members(implementation: type[Any]) -> tuple[InputSpec, ...]:
    return tuple(spec for spec in _declared_specs(implementation) if has_members(spec))


@cache
def _is_async(implementation: type[Any]) -> bool:
    return inspect.iscoroutinefunction(getattr(implementation, implementation.FUNCTION, None))


@cache
def _hidden(implementation: type[Any]) -> dict[str, str]:
    """The newer style wraps the kind in a list."""
    declared: JsonObject = implementation.INPUT_TYPES().get("hidden", {})
    return {
        name: kind if isinstance(kind, str) else str(kind[0]) for name, kind in declared.items()
    }


def _declared_specs(implementation: type[Any]) -> list[InputSpec]:
    return _specs(implementation.INPUT_TYPES())


def _specs(types: JsonObject) -> list[InputSpec]:
    return [
        InputSpec.of(name, config, required=group == "required")
        for group in ("required", "optional")
        for name, config in types.get(group, {}).items()
    ]


def _as_json(spec: Any) -> Any:
    """Tuples become lists: what validation shows equals what /object_info shows."""
    if isinstance(spec, (tuple, list)):
        return [_as_json(item) for item in cast("list[Any]", spec)]
    return spec
