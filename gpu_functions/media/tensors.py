"""Safetensors and ComfyUI's .latent without metadata: the header is written anew, tensors are copied."""

import json
import struct
from typing import Any, cast

from gpu_functions.media.files import CannotStripError, Sink, Source

_LENGTH = struct.Struct("<Q")
_MAX_HEADER_BYTES = 64 << 20
_KEYS = ("dtype", "shape", "data_offsets")
_FORMATS = ("pt", "np", "tf", "flax", "mlx")
"""What loaders ask of `__metadata__`: which library the tensors were made by."""


def strip_safetensors(source: Source, sink: Sink) -> None:
    """Drop `__metadata__`, but for a known `format`. Raises CannotStripError."""
    (length,) = _LENGTH.unpack(source.read(0, _LENGTH.size))
    if length > _MAX_HEADER_BYTES:
        raise CannotStripError("the file is broken: its header is too large")
    given = _header(source.read(_LENGTH.size, length))
    start = _LENGTH.size + length
    metadata = given.pop("__metadata__", None)
    made: dict[str, Any] = {name: _tensor(about) for name, about in given.items()}
    ends = [about["data_offsets"][1] for about in made.values()]
    if max(ends, default=0) != source.size - start:
        raise CannotStripError("the file is broken: its tensors do not fill it")
    if isinstance(metadata, dict) and metadata.get("format") in _FORMATS:
        made = {"__metadata__": {"format": metadata["format"]}, **made}
    header = json.dumps(made, separators=(",", ":"), ensure_ascii=False).encode()
    header += b" " * (-len(header) % 8)  # tensors are aligned
    sink.write(_LENGTH.pack(len(header)) + header)
    sink.copy(source, start, source.size - start)


def _header(data: bytes) -> "dict[str, Any]":
    try:
        header = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise CannotStripError("the file is broken: its header is no JSON") from error
    if not isinstance(header, dict):
        raise CannotStripError("the file is broken: its header is no JSON object")
    return cast("dict[str, Any]", header)


def _tensor(about: Any) -> "dict[str, Any]":
    """What the format knows of a tensor, and no more."""
    try:
        kept = {key: about[key] for key in _KEYS}
        _, end = kept["data_offsets"]
    except (TypeError, KeyError, ValueError) as error:
        raise CannotStripError("the file is broken: a tensor is not described") from error
    if not (isinstance(end, int) and isinstance(kept["dtype"], str)):
        raise CannotStripError("the file is broken: a tensor is not described")
    return kept
