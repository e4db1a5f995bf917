"""The binary frames: previews with metadata (event 4) and without (1), texts (3) (sheet §2)."""

from __future__ import annotations

import io
import json
import struct
from typing import TYPE_CHECKING

from comfy_images.engine.sockets import Preview

if TYPE_CHECKING:
    from PIL.Image import Image

    from comfy_images.engine.node_type import JsonObject

_PREVIEW_IMAGE = 1
_TEXT = 3
_PREVIEW_IMAGE_WITH_METADATA = 4
_FORMAT_JPEG = 1
_LONGEST_SIDE_PX = 512
_JPEG_QUALITY = 95


def encode_jpeg(image: Image) -> bytes:
    """At most 512 px, quality 95, as ComfyUI sends previews by default."""
    small = image.convert("RGB")
    small.thumbnail((_LONGEST_SIDE_PX, _LONGEST_SIDE_PX))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return buffer.getvalue()


def with_metadata(jpeg: bytes, names: JsonObject) -> Preview:
    """`[4][length][JSON that names node and prompt][image]`."""
    header = json.dumps({**names, "image_type": "image/jpeg"}).encode()
    prefix = struct.pack(">II", _PREVIEW_IMAGE_WITH_METADATA, len(header))
    return Preview(prefix + header + jpeg, with_metadata=True)


def without_metadata(jpeg: bytes) -> Preview:
    """`[1][format][image]`: the client attributes it to the last `executing`."""
    return Preview(struct.pack(">II", _PREVIEW_IMAGE, _FORMAT_JPEG) + jpeg, with_metadata=False)


def text_frame(text: str, node_id: str) -> bytes:
    """`[3][length][node id][text]`: which prompt it belongs to is not said."""
    name = node_id.encode()
    return struct.pack(">II", _TEXT, len(name)) + name + text.encode()
