"""An environment with something of everything, for tests."""

from typing import Final

STUDIO: Final = """
name = "studio"
description = "Portraits."

[comfyui]
commit = "071ff3e208ab8a6d4ac1a9d1bdcf5b73b69ed92c"
version = "0.8.1"
arguments = ["--fast", "--reserve-vram", "1.5"]

[python]
version = "3.12"
requirements = [
  "torch==2.9.1",
  "xformers==0.0.33",
  "clip @ git+https://git.example/openai/CLIP@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
]
constraints = ["transformers[torch]==4.57.6", "numpy==2.3.5"]
extra_index_urls = ["https://wheels.example/whl/cu128"]

[[custom_nodes]]
url = "https://git.example/someone/ComfyUI-Zoom.git"
commit = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

[[custom_nodes]]
name = "frames"
url = "https://git.example/someone/comfyui_frames"
commit = "cccccccccccccccccccccccccccccccccccccccc"
requirements = false
install_script = true

[[models]]
url = "https://files.example/resolve/main/portrait.safetensors?download=true"
folder = "checkpoints"
size_bytes = 6_938_078_334
sha256 = "DDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDD"
license = "openrail++"

[[models]]
url = "https://files.example/api/download/12345"
name = "style.safetensors"
folder = "loras/style"
size_bytes = 144_000_000

[image]
system_packages = ["libsndfile1"]
"""
