"""The engine's own nodes: image nodes of ComfyUI, by the same names, on Pillow and NumPy.

Written from their /object_info entries and from captured results. Images are float32 arrays
[batch, height, width, channels], 0 to 1. Pixels equal ComfyUI's closely, not always exactly.
"""

from comfy_images.engine.core.catalogue import core_types

__all__ = ["core_types"]
