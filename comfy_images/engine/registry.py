"""Which node classes this process can run: the engine's own and our custom-node pack."""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from comfy_images.engine.node_type import NodeType

if TYPE_CHECKING:
    from types import ModuleType

PACK = "comfy_images.nodes"
_PACK_MODULE = "custom_nodes.comfyburst"  # where ComfyUI would say that the pack's nodes come from


@dataclass(frozen=True, slots=True)
class NodeRegistry:
    """The node types by class name."""

    types: dict[str, NodeType] = field(default_factory=dict[str, NodeType])

    def get(self, class_type: Any) -> NodeType | None:
        return self.types.get(class_type) if isinstance(class_type, str) else None

    def __getitem__(self, class_type: str) -> NodeType:
        return self.types[class_type]


def pack_types() -> dict[str, NodeType]:
    """The nodes of our pack. A build without the pack has none; a pack that is broken raises."""
    if importlib.util.find_spec(PACK) is None:
        return {}
    return module_types(PACK, _PACK_MODULE)


def module_types(name: str, shown_as: str | None = None) -> dict[str, NodeType]:
    """The nodes of a module that follows ComfyUI's conventions for custom nodes.

    Raises:
        ImportError: There is no such module, or it cannot be loaded.
    """
    module: ModuleType = importlib.import_module(name)
    python_module = shown_as or f"custom_nodes.{name.rpartition('.')[2]}"
    display_names: dict[str, str] = getattr(module, "NODE_DISPLAY_NAME_MAPPINGS", {})
    classes: dict[str, type[Any]] = getattr(module, "NODE_CLASS_MAPPINGS", {})
    return {
        name: NodeType(name, implementation, display_names.get(name, name), python_module)
        for name, implementation in classes.items()
    }
