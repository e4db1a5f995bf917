"""Any bytes at all: a result or a clear refusal, within bounds of memory and never by another exception."""

import struct
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.workflows.inspect.find import Found, find_workflow
from app.workflows.inspect.png import walk_png
from app.workflows.inspect.refusal import NoWorkflowError
from app.workflows.inspect.shapes import MAX_VALUES
from app.workflows.inspect.tags import MAX_STEPS, MAX_TEXT_BYTES, MAX_UNPACKED
from tests.app.workflows.inspect import containers as files
from tests.app.workflows.inspect.containers import EDITOR_TEXT
from tests.app.workflows.inspect.test_find import HIDDEN, REAL

MAX_MEMORY_BYTES = 200 * 10**6

HEADS = [
    *(b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBPEXIF", b"\xff\xd8\xff\xe1", b"\0\0\0\x20ftypisom"),
    *(b"\x1a\x45\xdf\xa3", b"fLaC", b"OggS", b"ID3\4", b"glTF", b"{", b"\0\0\0\0moov"),
]
WHOLE = [*HIDDEN.values(), *(path.read_bytes() for path in sorted(REAL.iterdir()))]


def outcome(data: bytes) -> Found | NoWorkflowError:
    """Either; any other exception fails the test."""
    try:
        return find_workflow(data)
    except NoWorkflowError as error:
        return error


@given(st.binary(max_size=2_000))
def test_any_bytes_end_well(data: bytes) -> None:
    outcome(data)


@given(st.sampled_from(HEADS), st.binary(max_size=2_000))
def test_any_bytes_behind_a_known_beginning_end_well(head: bytes, data: bytes) -> None:
    outcome(head + data)


@settings(max_examples=300)
@given(st.sampled_from(WHOLE), st.data())
def test_a_real_file_with_anything_written_over_it_ends_well(
    whole: bytes, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(whole) - 1))
    over = data.draw(st.binary(min_size=1, max_size=16))
    end = data.draw(st.integers(at, len(whole)))
    outcome(whole[:at] + over + whole[at + len(over) : end])


def bomb(size: int) -> bytes:
    """A packed text that would be this large."""
    packer = zlib.compressobj(9)
    parts = [packer.compress(bytes(2**20)) for _ in range(size // 2**20)]
    return b"".join(parts) + packer.flush()


def many_boxes() -> bytes:
    """More boxes than are counted."""
    return files.box(b"ftyp", b"isom") + files.box(b"free") * (MAX_STEPS + 10)


def one_text_many_times() -> bytes:
    """Thousands of EXIF entries that point at the same ten megabytes."""
    count, size = 4_000, 10 * 2**20
    start = 8 + 2 + 12 * count + 4
    entries = b"".join(struct.pack("<HHII", 0x010F, 2, size, start) for _ in range(count))
    block = b"II*\0" + struct.pack("<IH", 8, count) + entries + bytes(4) + b"{" * size
    return files.webp(block)


HOSTILE: dict[str, Callable[[], bytes]] = {
    "a bomb": lambda: files.png(
        *[files.chunk(b"zTXt", b"workflow\0\0" + bomb(64 * 2**20))] * 20,
        *[files.chunk(b"iTXt", b"prompt\0\1\0\0\0" + bomb(64 * 2**20))] * 20,
    ),
    "a huge chunk": lambda: files.png(
        files.chunk(b"tEXt", b"workflow\0" + b" " * (MAX_TEXT_BYTES + 1))
    ),
    "many chunks": lambda: files.png(*[files.chunk(b"tEXt", b"prompt\0{")] * (MAX_STEPS + 10)),
    "many boxes": many_boxes,
    "boxes in boxes": lambda: files.box(b"ftyp") + (struct.pack(">I", 0) + b"moov") * 100_000,
    "one text many times": one_text_many_times,
    "many lists": lambda: files.png(files.chunk(b"tEXt", b"prompt\0[" + b"[]," * 5_000_000)),
    "many braces": lambda: files.png(files.chunk(b"tEXt", b"prompt\0" + b'{"a":' * 500_000)),
    "open strings": lambda: b'{"' + b'\\"' * 5_000_000,
    "not numbers": lambda: b'{"a":[' + b"NaN," * 3_000_000,
    "many tags": lambda: files.webm({str(n): b'{"nodes":1' for n in range(3_000)}),
    "many large texts": lambda: files.webm(
        {str(n): b'{"x":["class_type"' + b",{}" * 199_000 + b"]}" for n in range(16)}
    ),
    "texts in texts": lambda: b'{"prompt":"' + b'{\\"a\\":1}' * 150_000 + b'"}',
    "a large JSON": lambda: b'{"a":"' + b"x" * (2 * MAX_TEXT_BYTES) + b'"}',
    "lacing": lambda: (b"OggS" + bytes(22) + b"\xff" + b"\xff" * 255 + bytes(65_025)) * 100,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_is_refused_within_the_memory_that_it_may_have(kind: str) -> None:
    data = HOSTILE[kind]()
    tracemalloc.start()
    try:
        refused = outcome(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(refused, NoWorkflowError)
    assert peak < MAX_MEMORY_BYTES


def test_many_texts_together_may_hold_no_more_than_one() -> None:
    error = outcome(HOSTILE["many large texts"]())
    assert isinstance(error, NoWorkflowError)
    assert f"The texts of the file hold more than {MAX_VALUES} values." in error.message


def test_of_many_packed_texts_few_are_unpacked() -> None:
    packed = files.chunk(b"zTXt", b"workflow\0\0" + bomb(MAX_TEXT_BYTES + 2**20))
    walk = walk_png(memoryview(files.png(*[packed] * 50)))
    assert f"it has more than {MAX_UNPACKED} packed texts" in walk.remarks


def test_a_hostile_name_is_told_short_and_whole() -> None:
    name = b"\x1b[2J" + b"a" * 5_000
    data = files.png(files.chunk(b"tEXt", name + b"\0" + b"x"))
    error = outcome(data)
    assert isinstance(error, NoWorkflowError)
    assert len(error.message) < 1_000


def test_a_text_behind_a_hostile_one_is_found() -> None:
    first = files.chunk(b"zTXt", b"prompt\0\0" + bomb(32 * 2**20))
    assert outcome(files.png(first, files.chunk(b"tEXt", b"workflow\0" + EDITOR_TEXT)))
