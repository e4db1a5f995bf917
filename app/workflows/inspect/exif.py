"""WebP and JPEG: texts in their EXIF block, where ComfyUI writes `prompt:{…}` into Model and others.

SaveAnimatedWEBP uses Model (0x0110) for the prompt and the tags below it for the rest; other packs
write UserComment or ImageDescription (captures in facts/comfyui-protocol.md §3; TIFF 6.0 §2).
"""

from typing import Final

from app.workflows.inspect.tags import Walk, unsigned

_ASCII, _UNDEFINED, _BYTE = 2, 7, 1
_EXIF: Final = b"Exif\0\0"
_EXIF_POINTER: Final = 0x8769
_NAMES: Final = {0x010E: "ImageDescription", 0x010F: "Make", 0x0110: "Model", 0x9286: "UserComment"}
_CHARSETS: Final = {
    b"ASCII\0\0\0": "latin-1",
    b"UNICODE\0": "utf-16",
    b"\0\0\0\0\0\0\0\0": "utf-8",
}
_MAX_ENTRIES: Final = 4_096
_START_OF_SCAN, _APP1, _COMMENT = 0xDA, 0xE1, 0xFE
_ALONE: Final = frozenset({0x01, 0xD8, *range(0xD0, 0xD8)})  # markers without a length


def walk_webp(data: memoryview) -> Walk:
    """The texts of a WebP."""
    walk = Walk("WebP")
    offset = 12
    while offset < len(data) and walk.go_on():
        size = unsigned(data, offset + 4, "<I")
        body = data[offset + 8 : offset + 8 + (size or 0)]
        if size is None or len(body) < size:
            walk.cut_off()
        if bytes(data[offset : offset + 4]) == b"EXIF":
            _read_exif(walk, body)
        offset += 8 + (size or 0) + ((size or 0) & 1)
    return walk


def walk_jpeg(data: memoryview) -> Walk:
    """The texts of a JPEG, up to its picture."""
    walk = Walk("JPEG")
    offset = 2
    while offset + 1 < len(data) and walk.go_on():
        if data[offset] != 0xFF:
            walk.cut_off()
            break
        marker = data[offset + 1]
        if marker == 0xFF or marker in _ALONE:
            offset += 1 if marker == 0xFF else 2
            continue
        if marker == _START_OF_SCAN:
            break
        size = unsigned(data, offset + 2, ">H") or 2
        body = data[offset + 4 : offset + 2 + size]
        if marker == _APP1 and bytes(body[:6]) == _EXIF:
            _read_exif(walk, body)
        elif marker == _COMMENT:
            walk.add("comment", walk.take(body, "JPEG comment"), "JPEG comment")
        offset += 2 + size
    return walk


def _read_exif(walk: Walk, block: memoryview) -> None:
    tiff = block[6:] if bytes(block[:6]) == _EXIF else block
    order = {b"II": "<", b"MM": ">"}.get(bytes(tiff[:2]))
    first = unsigned(tiff, 4, f"{order}I") if order else None
    if order is None or first is None:
        walk.remark("its EXIF block is damaged")
        return
    inner = _read_directory(walk, tiff, first, order)
    if inner is not None:
        _read_directory(walk, tiff, inner, order)


def _read_directory(walk: Walk, tiff: memoryview, offset: int, order: str) -> int | None:
    """Keep the directory's texts; where its inner directory stands, if it has one."""
    inner: int | None = None
    for index in range(min(unsigned(tiff, offset, f"{order}H") or 0, _MAX_ENTRIES)):
        entry = offset + 2 + 12 * index
        tag = unsigned(tiff, entry, f"{order}H")
        kind = unsigned(tiff, entry + 2, f"{order}H")
        count = unsigned(tiff, entry + 4, f"{order}I")
        value = unsigned(tiff, entry + 8, f"{order}I")
        if tag is None or count is None or value is None:
            walk.cut_off()
            break
        if tag == _EXIF_POINTER:
            inner = value
        elif kind in {_ASCII, _UNDEFINED, _BYTE} and count > 4:  # shorter ones stand in the entry
            _keep(walk, tag, walk.take(tiff[value : value + count], "EXIF tag"))
    return inner


def _keep(walk: Walk, tag: int, raw: bytes) -> None:
    charset = _CHARSETS.get(raw[:8])
    if charset is not None and _NAMES.get(tag) == "UserComment":
        raw = raw[8:].decode(charset, "replace").encode()
    text = raw.strip(b"\0 ")
    name, colon, rest = text.partition(b":")
    if colon and name.isalnum() and len(name) < 40:  # `prompt:{…}`
        walk.add(name.decode("latin-1"), rest, "EXIF tag")
    elif text[:1] == b"{":
        walk.add(_NAMES.get(tag, f"0x{tag:04x}"), text, "EXIF tag")
