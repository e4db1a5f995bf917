"""glTF and .glb without metadata: `extras` go wherever they stand, geometry and textures stay (glTF 2.0)."""

import json
import struct
from typing import Any, cast

from gpu_functions.media.files import CannotStripError, Sink, Source

SIGNATURE = b"glTF"
_FILE = struct.Struct("<4sII")
_HEAD = struct.Struct("<I4s")
_JSON, _BINARY = b"JSON", b"BIN\0"
_MAX_JSON_BYTES = 64 << 20


def strip_glb(source: Source, sink: Sink) -> None:
    """Rewrite the JSON chunk, copy the binary one. Raises CannotStripError."""
    _, version, total = _FILE.unpack(source.read(0, _FILE.size))
    source.check(0, total)
    length, kind = _HEAD.unpack(source.read(_FILE.size, _HEAD.size))
    if version != 2 or kind != _JSON or length > _MAX_JSON_BYTES:
        raise CannotStripError("it is no binary glTF 2")
    at = _FILE.size + _HEAD.size
    scene = _without_extras(source.read(at, length))
    scene += b" " * (-len(scene) % 4)
    binary = _binary(source, at + length, total)
    size = _FILE.size + _HEAD.size + len(scene) + (binary[1] if binary else 0)
    sink.write(_FILE.pack(SIGNATURE, 2, size) + _HEAD.pack(len(scene), _JSON) + scene)
    if binary:
        sink.copy(source, *binary)


def strip_gltf(source: Source, sink: Sink) -> None:
    """The same of a glTF in text. Raises CannotStripError."""
    sink.write(_without_extras(source.whole()))


def _binary(source: Source, at: int, total: int) -> "tuple[int, int] | None":
    """Where the binary chunk lies, with its head; what nobody knows is left behind."""
    while at < total:
        length, kind = _HEAD.unpack(source.read(at, _HEAD.size))
        whole = _HEAD.size + length
        source.check(at, whole)
        if kind == _BINARY:
            return at, whole
        at += whole
    return None


def _without_extras(data: bytes) -> bytes:
    try:
        scene = json.loads(data, object_pairs_hook=_kept, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise CannotStripError("the file is broken: its JSON is none") from error
    if not isinstance(scene, dict):
        raise CannotStripError("the file is broken: its JSON is no object")
    return json.dumps(
        cast("dict[str, Any]", scene), separators=(",", ":"), ensure_ascii=False
    ).encode()


def _kept(pairs: "list[tuple[str, Any]]") -> "dict[str, Any]":
    return {key: value for key, value in pairs if key != "extras"}


def _refuse(constant: str) -> None:
    raise ValueError(constant)
