"""An environment as one TOML: what it says (`models`), what is wrong with it (`reading`), its lock.

The DESIGN calls this `comfy_images/manifest.py`; it is the one part of `comfy_images` that the front
door and the GPU side may import.
"""

from comfy_images.manifest.locking import Lock, LockError, lock, read_lock, write_lock
from comfy_images.manifest.models import Manifest, ModelFile, Pack
from comfy_images.manifest.reading import Fault, ManifestError, read_manifest

__all__ = [
    "Fault",
    "Lock",
    "LockError",
    "Manifest",
    "ManifestError",
    "ModelFile",
    "Pack",
    "lock",
    "read_lock",
    "read_manifest",
    "write_lock",
]
