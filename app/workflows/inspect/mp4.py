"""MP4 and MOV: texts in `moov/udta/meta` and `moov/meta`, by four letters or by key (ISO 14496-12, QTFF)."""

from typing import Final

from app.workflows.inspect.tags import MAX_KEY_BYTES, Walk, key_text, unsigned

_PARENTS: Final = frozenset({b"moov", b"udta"})
_MAX_DEPTH: Final = 8
_LETTERS: Final = {b"\xa9cmt": "comment", b"\xa9des": "description", b"desc": "description"}


def walk_mp4(data: memoryview) -> Walk:
    """The texts of an MP4 or MOV; its samples are skipped."""
    walk = Walk("MP4")
    _boxes(walk, data, 0)
    return walk


def _boxes(walk: Walk, data: memoryview, depth: int) -> None:
    for kind, body in _children(walk, data):
        if kind in _PARENTS and depth < _MAX_DEPTH:
            _boxes(walk, body, depth + 1)
        elif kind == b"meta":
            _meta(walk, body)


def _children(walk: Walk, data: memoryview) -> list[tuple[bytes, memoryview]]:
    found: list[tuple[bytes, memoryview]] = []
    offset = 0
    while offset + 8 <= len(data) and walk.go_on():
        size = unsigned(data, offset, ">I") or 0
        header = 8
        if size == 1:
            size, header = unsigned(data, offset + 8, ">Q") or 0, 16
        elif size == 0:  # up to the end
            size = len(data) - offset
        if size < header:
            walk.remark("it has a damaged box")
            break
        if offset + size > len(data):
            walk.cut_off()
        found.append((bytes(data[offset + 4 : offset + 8]), data[offset + header : offset + size]))
        offset += size
    return found


def _meta(walk: Walk, body: memoryview) -> None:
    # ISO's has four bytes of version before its boxes, QuickTime's has not.
    is_quicktime = bytes(body[4:8]) == b"hdlr"
    boxes = _children(walk, body if is_quicktime else body[4:])
    keys = [name for kind, box in boxes if kind == b"keys" for name in _keys(walk, box)]
    for kind, box in boxes:
        if kind != b"ilst":
            continue
        for item, content in _children(walk, box):
            index = int.from_bytes(item, "big")
            named = keys[index - 1] if 0 < index <= len(keys) else None
            name = named or _LETTERS.get(item) or key_text(item)
            for part, value in _children(walk, content):
                if part == b"data":  # four bytes of type, four of locale
                    walk.add(name, walk.take(value[8:], "MP4 tag"), "MP4 tag")


def _keys(walk: Walk, box: memoryview) -> list[str]:
    return [key_text(bytes(body[:MAX_KEY_BYTES])) for _, body in _children(walk, box[8:])]
