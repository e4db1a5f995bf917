"""The body of `execution_error`: what a failed node leaves for the user to read (sheet §2)."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

from comfy_images.engine.type_names import qualified_name

if TYPE_CHECKING:
    from comfy_images.engine.execution.call import Arguments
    from comfy_images.engine.node_type import JsonObject

_OUT_OF_MEMORY = frozenset({"torch.OutOfMemoryError", "torch.cuda.OutOfMemoryError"})
_OUT_OF_MEMORY_TIPS = (
    "This error means you ran out of memory on your GPU.\n\nTIPS: If the workflow worked before "
    "you might have accidentally set the batch_size to a large number."
)


def error_report(error: Exception, arguments: Arguments) -> JsonObject:
    """Which exception, where, with which arguments. The message ends in a newline, or in tips."""
    kind = qualified_name(error)
    tips = _OUT_OF_MEMORY_TIPS if kind in _OUT_OF_MEMORY else ""
    return {
        "exception_message": f"{error}\n{tips}",
        "exception_type": kind,
        "traceback": traceback.format_tb(error.__traceback__),
        "current_inputs": {name: [str(v) for v in values] for name, values in arguments.items()},
    }
