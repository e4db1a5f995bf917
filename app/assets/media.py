"""Which content type and file name a file is served with: the server's choice, never the uploader's.

The type follows the extension; only listed media are shown inline (facts/security.md §3.4).
"""

import re
import unicodedata
from typing import Final

OCTET_STREAM: Final = "application/octet-stream"

_BY_EXTENSION: Final = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "gif": "image/gif",
    "avif": "image/avif",
    "mp4": "video/mp4",
    "webm": "video/webm",
    "mov": "video/quicktime",
    "mkv": "video/x-matroska",
    "mp3": "audio/mpeg",
    "flac": "audio/flac",
    "ogg": "audio/ogg",
    "opus": "audio/ogg",
    "wav": "audio/wav",
    "m4a": "audio/mp4",
    "txt": "text/plain; charset=utf-8",
    "json": "application/json",
    "glb": "model/gltf-binary",
    "gltf": "model/gltf+json",
    "obj": "model/obj",
    "stl": "model/stl",
    "svg": "image/svg+xml",
    "html": "text/html",
    "pdf": "application/pdf",
    "zip": "application/zip",
    "safetensors": OCTET_STREAM,
    "latent": OCTET_STREAM,
}
_INLINE: Final = frozenset(
    {
        "image/png",
        "image/jpeg",
        "image/webp",
        "image/gif",
        "image/avif",
        "video/mp4",
        "video/webm",
        "audio/mpeg",
        "audio/flac",
        "audio/ogg",
        "audio/wav",
    }
)
MAX_NAME_LENGTH: Final = 200
_NOT_IN_NAMES: Final = re.compile(r"""["<>|:*?\\/]""")
_HIDDEN: Final = frozenset({"Cc", "Cf", "Co", "Zl", "Zp"})
_JOINER: Final = "\u200d"  # hidden as well, but emoji are made with it
_ANNOTATION: Final = re.compile(r"\[(input|output|temp)\]$", re.IGNORECASE)
"""At the end of a name ComfyUI reads it as the folder to look in."""


def content_type_of(name: str) -> str:
    """The content type of a name's extension."""
    _, dot, extension = name.rpartition(".")
    return _BY_EXTENSION.get(extension.lower(), OCTET_STREAM) if dot else OCTET_STREAM


def is_inline(content_type: str) -> bool:
    """Whether a browser may show it in place; all else is an attachment."""
    return content_type in _INLINE


def clean_basename(name: str) -> str:
    """The last part of a path, without what cannot be seen, separates, or means a folder."""
    base = name.replace("\\", "/").rpartition("/")[2]
    cleaned = "".join("_" if _is_hidden(c) else c for c in _NOT_IN_NAMES.sub("_", base))
    cleaned = _ANNOTATION.sub(r"_\1_", cleaned.strip(" ."))
    if len(cleaned) > MAX_NAME_LENGTH:
        stem, dot, extension = cleaned.rpartition(".")
        extension = extension[:20]
        cleaned = f"{(stem or cleaned)[: MAX_NAME_LENGTH - 21]}{dot}{extension}"
    return cleaned or "file"


def _is_hidden(character: str) -> bool:
    return unicodedata.category(character) in _HIDDEN and character != _JOINER
