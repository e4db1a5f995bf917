"""Comfyburst's node pack: a poster, and probes for tests of failure, delay and interruption.

This folder is a ComfyUI custom-node folder as it stands (linked as `custom_nodes/comfyburst`), and
the embedded engine loads it too. ComfyUI imports it under a name of its own, so every import in
here is relative.
"""

import os
from typing import Final

from .poster import BurstPoster
from .probes import PROBES

_shown: Final = [BurstPoster, *(PROBES if os.environ.get("COMFYBURST_PROBES") == "1" else ())]

NODE_CLASS_MAPPINGS: Final = {node.__name__: node for node in _shown}
NODE_DISPLAY_NAME_MAPPINGS: Final = {node.__name__: node.TITLE for node in _shown}

__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS"]
