"""What every container gives: texts by name, found by a walk that decodes no media. Pure.

All limits of the walks stand here: a file is hostile until it has been read (facts/security.md §3).
"""

import struct
import zlib
from dataclasses import dataclass, field
from typing import Final

MAX_TEXT_BYTES: Final = 16 * 2**20
"""Of one text, unpacked; the largest known workflows have 3 MB."""
MAX_TAKEN_BYTES: Final = 3 * MAX_TEXT_BYTES
"""Of all texts of a file; entries of an EXIF block can all point at the same large one."""
MAX_STEPS: Final = 100_000
"""Chunks, boxes or elements of one walk."""
MAX_TAGS: Final = 1_000
MAX_UNPACKED: Final = 8
"""Texts that are unpacked; a file has one of each name that is wanted."""
MAX_KEY_BYTES: Final = 200

WANTED: Final = frozenset({"prompt", "workflow"})
"""Under these names ComfyUI saves; whatever else is there may hold both (`comment`, `UserComment`)."""


@dataclass(frozen=True, slots=True)
class Tag:
    """One text."""

    key: str
    value: bytes
    where: str
    """For people: `PNG text chunk`."""


@dataclass(slots=True)
class Walk:
    """A file on the way to its end."""

    format: str
    tags: list[Tag] = field(default_factory=list[Tag])
    remarks: list[str] = field(default_factory=list[str])
    """What was odd: cut off, too long, packed beyond reason."""
    steps: int = 0
    taken_bytes: int = 0
    unpacked: int = 0

    def go_on(self) -> bool:
        """Count one step; false where there have been too many."""
        self.steps += 1
        if self.steps == MAX_STEPS + 1:
            self.remark(f"it has more than {MAX_STEPS} parts, so its end was not read")
        return self.steps <= MAX_STEPS

    def take(self, part: memoryview, where: str) -> bytes:
        """Copy what may be a text; empty where it, or all together, would be too much."""
        if len(part) > MAX_TEXT_BYTES or self.taken_bytes + len(part) > MAX_TAKEN_BYTES:
            self.remark(
                f"a text ({where}) is larger than {MAX_TEXT_BYTES} bytes, or all together are"
            )
            return b""
        self.taken_bytes += len(part)
        return bytes(part)

    def add(self, key: str, value: bytes, where: str) -> None:
        """Keep a text."""
        if len(value) > MAX_TEXT_BYTES:
            self.remark(f"the {where} {key!r} is larger than {MAX_TEXT_BYTES} bytes")
        elif len(self.tags) < MAX_TAGS and key:
            self.tags.append(Tag(key, value, where))

    def remark(self, text: str) -> None:
        """Note something odd, once."""
        if text not in self.remarks and len(self.remarks) < MAX_TAGS:
            self.remarks.append(text)

    def cut_off(self) -> None:
        """The file ends where more was announced."""
        self.remark("it is cut off")

    def inflate(self, packed: bytes, key: str, where: str) -> bytes | None:
        """Unpack a text that was deflated, never beyond the limits; None where that fails."""
        self.unpacked += 1
        if self.unpacked > MAX_UNPACKED:
            self.remark(f"it has more than {MAX_UNPACKED} packed texts")
            return None
        try:
            text = zlib.decompressobj().decompress(packed, MAX_TEXT_BYTES + 1)
        except zlib.error:
            self.remark(f"the {where} {key!r} is damaged")
            return None
        if len(text) > MAX_TEXT_BYTES:
            self.remark(f"the {where} {key!r} is larger than {MAX_TEXT_BYTES} bytes when unpacked")
            return None
        return text


def unsigned(data: memoryview, offset: int, form: str) -> int | None:
    """A number, or None past the end."""
    size = struct.calcsize(form)
    if offset < 0 or offset + size > len(data):
        return None
    number: int = struct.unpack_from(form, data, offset)[0]
    return number


def key_text(raw: bytes) -> str:
    """A tag's name, short and printable enough to be told."""
    return raw[:MAX_KEY_BYTES].decode("latin-1").strip()
