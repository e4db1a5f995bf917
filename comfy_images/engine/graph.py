"""The API-format graph: `{node_id: {class_type, inputs}}`, where an input is a value or a link.

Only declared inputs link. ComfyUI follows unknown inputs too, and its worker thread dies of it when
one names an absent node (sheet §4); here they are values, and part of the cache key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeGuard, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from comfy_images.engine.registry import NodeRegistry

Prompt = dict[str, Any]


class CycleError(Exception):
    """A node depends on itself. ComfyUI 0.8.0 has no words for it (sheet §1)."""


def is_link(value: Any) -> TypeGuard[list[Any]]:
    """Whether an input is `[node_id, slot]`. Any other list is a value."""
    match value:
        case [str(), int() | float()]:
            return True
        case _:
            return False


def links(prompt: Prompt, registry: NodeRegistry, node_id: str) -> Iterator[tuple[str, str, int]]:
    """(input, source node, slot) of the declared inputs that link to an existing node."""
    node = cast("dict[str, Any]", prompt[node_id])
    inputs = node.get("inputs")
    if not isinstance(inputs, dict):
        return
    given = cast("dict[str, Any]", inputs)
    for name in registry[node["class_type"]].names_in(given):
        match given[name]:
            case [str(source), slot] if source in prompt:
                yield name, source, slot
            case _:
                pass


def ancestors_first(prompt: Prompt, registry: NodeRegistry, outputs: Iterable[str]) -> list[str]:
    """The ids that `outputs` need, every node after the nodes it links to.

    An explicit stack instead of recursion, so that a chain of thousands of nodes is no error.

    Raises:
        CycleError: There is no such order.
    """
    order: list[str] = []
    finished: set[str] = set()
    for output in outputs:
        if output not in finished:
            _visit(prompt, registry, output, finished, order)
    return order


def _visit(
    prompt: Prompt, registry: NodeRegistry, output: str, finished: set[str], order: list[str]
) -> None:
    opened = {output}
    stack = [(output, links(prompt, registry, output))]
    while stack:
        node_id, remaining = stack[-1]
        following = next((source for _, source, _ in remaining if source not in finished), None)
        if following is None:
            stack.pop()
            opened.discard(node_id)
            finished.add(node_id)
            order.append(node_id)
        elif following in opened:
            raise CycleError(following)
        else:
            opened.add(following)
            stack.append((following, links(prompt, registry, following)))
