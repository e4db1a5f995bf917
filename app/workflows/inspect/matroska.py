"""WebM and MKV: texts in `Segment/Tags/Tag/SimpleTag` (RFC 9559 §5.1.8)."""

from typing import Final

from app.workflows.inspect.tags import MAX_KEY_BYTES, Walk, key_text

SIGNATURE: Final = b"\x1a\x45\xdf\xa3"
_SEGMENT, _TAGS, _TAG, _SIMPLE_TAG = 0x18538067, 0x1254C367, 0x7373, 0x67C8
_TAG_NAME, _TAG_STRING = 0x45A3, 0x4487
_PARENTS: Final = frozenset({_SEGMENT, _TAGS, _TAG, _SIMPLE_TAG})


def walk_matroska(data: memoryview) -> Walk:
    """The texts of a WebM or MKV; clusters are skipped."""
    walk = Walk("WebM")
    name = ""
    offset = 0
    # Flat: entering a parent is going on behind its header, and what ends it does not matter.
    while offset < len(data) and walk.go_on():
        element, after_id = _number(data, offset, keep_marker=True)
        size, start = _number(data, after_id, keep_marker=False)
        if element is None or size is None:
            walk.cut_off()
            break
        unknown_size = size == (1 << (7 * (start - after_id))) - 1
        if element in _PARENTS or unknown_size:
            offset = start
            continue
        if start + size > len(data):
            walk.cut_off()
        if element == _TAG_NAME:
            name = key_text(bytes(data[start : start + min(size, MAX_KEY_BYTES)]))
        elif element == _TAG_STRING and name:
            walk.add(name, walk.take(data[start : start + size], "WebM tag"), "WebM tag")
        offset = start + size
    return walk


def _number(data: memoryview, offset: int, *, keep_marker: bool) -> tuple[int | None, int]:
    """A number of one to eight bytes, and where it ends; its first bits say how long it is."""
    first = data[offset] if 0 <= offset < len(data) else 0
    length = 9 - first.bit_length()
    if first == 0 or offset + length > len(data):
        return None, offset
    value = int.from_bytes(data[offset : offset + length], "big")
    return (value if keep_marker else value & ((1 << (7 * length)) - 1)), offset + length
