"""How ComfyUI names exception types in its messages."""

from __future__ import annotations


def qualified_name(exception: BaseException) -> str:
    """`ValueError`, `PIL.UnidentifiedImageError`, `torch.OutOfMemoryError`: clients match on these."""
    kind = type(exception)
    if kind.__module__ == "builtins":
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"
