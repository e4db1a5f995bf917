"""PNG: text chunks before and after the picture, packed or not (PNG 3rd edition §11.3.3)."""

from typing import Final

from app.workflows.inspect.tags import WANTED, Walk, key_text, unsigned

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_CHUNK: Final = "PNG text chunk"


def walk_png(data: memoryview) -> Walk:
    """The texts of a PNG, animated ones' `comf` chunks included."""
    walk = Walk("PNG")
    offset = len(SIGNATURE)
    while offset < len(data) and walk.go_on():
        size = unsigned(data, offset, ">I")
        kind = bytes(data[offset + 4 : offset + 8])
        body = data[offset + 8 : offset + 8 + (size or 0)]
        if size is None or len(body) < size:
            walk.cut_off()
        match kind:
            case b"tEXt" | b"comf":
                key, _, text = walk.take(body, _CHUNK).partition(b"\0")
                walk.add(key_text(key), _utf8(text), _CHUNK)
            case b"zTXt":
                _packed(walk, walk.take(body, _CHUNK))
            case b"iTXt":
                _international(walk, walk.take(body, _CHUNK))
            case b"IEND":
                break
            case _:
                pass
        offset += 12 + (size or 0)
    return walk


def _packed(walk: Walk, body: bytes) -> None:
    key, _, rest = body.partition(b"\0")
    name = key_text(key)
    if name.lower() in WANTED and not _has(walk, name):
        text = walk.inflate(rest[1:], name, _CHUNK)
        if text is not None:
            walk.add(name, _utf8(text), _CHUNK)


def _international(walk: Walk, body: bytes) -> None:
    key, _, rest = body.partition(b"\0")
    name, packed = key_text(key), rest[:1] == b"\1"
    _language, _, rest = rest[2:].partition(b"\0")
    _translated, _, text = rest.partition(b"\0")
    if not packed:
        walk.add(name, text, _CHUNK)
    elif name.lower() in WANTED and not _has(walk, name):
        unpacked = walk.inflate(text, name, _CHUNK)
        if unpacked is not None:
            walk.add(name, unpacked, _CHUNK)


def _has(walk: Walk, name: str) -> bool:
    # A second one is never used, and unpacking thousands would take long.
    return any(tag.key.lower() == name.lower() for tag in walk.tags)


def _utf8(text: bytes) -> bytes:
    """Latin-1 is what the standard says, UTF-8 what some programs write."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1").encode()
    return text
