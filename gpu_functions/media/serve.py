"""The process that opens strangers' files: run as `python -I serve.py FD`, bounded in every way.

It runs under ComfyUI's interpreter (which has Pillow, and PyAV for video). Files arrive as descriptors
over a Unix socket: one to make a thumbnail of, or one to strip and one to write. Memory, time and what
may be written are limited by the kernel, so the worst a hostile file can do is end this process
(facts/security.md §3.4).
"""

import json
import os
import resource
import signal
import socket
import struct
import sys
import types
import warnings
from pathlib import Path

# This package and nothing else of the place it is installed in: what lies beside it was made for
# another interpreter.
_here = types.ModuleType("gpu_functions")
_here.__path__ = [str(Path(__file__).resolve().parents[1])]
sys.modules.setdefault("gpu_functions", _here)

from gpu_functions.media.files import CannotStripError, Sink, Source  # noqa: E402
from gpu_functions.media.strip import strip  # noqa: E402
from gpu_functions.media.thumbnail import thumbnail  # noqa: E402

MAX_MEMORY_BYTES = 2 << 30
MAX_STRIPPED_BYTES = 5 << 30
"""What storage takes in one PUT, and more than a stripped file can be."""
_GROWTH_BYTES = 16 << 20
"""A new container may be larger than the old one."""
_LENGTH = struct.Struct("!I")
_HEADER_BYTES = 1_024


def limit() -> None:
    """Bound this process for good."""
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, MAX_STRIPPED_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))


def main() -> None:
    """Serve one file after another until the other side hangs up."""
    limit()
    warnings.simplefilter("error")  # Pillow only warns of a decompression bomb
    channel = socket.socket(fileno=int(sys.argv[1]))
    while True:
        header, descriptors, _, _ = socket.recv_fds(channel, _HEADER_BYTES, 2)
        if not header or not descriptors:
            return
        try:
            asked = json.loads(header)
            signal.alarm(int(asked["seconds"]))  # its default action ends the process
            reply = answer(asked, list(descriptors))
        finally:
            signal.alarm(0)
            for descriptor in descriptors:
                os.close(descriptor)
        channel.sendall(_LENGTH.pack(len(reply)) + reply)


def answer(asked: "dict[str, str]", descriptors: "list[int]") -> bytes:
    """A thumbnail or nothing; or what became of a file that was to be stripped, as JSON."""
    if asked["do"] == "strip":
        given, made = descriptors
        return json.dumps(stripped(given, made, asked["extension"])).encode()
    try:
        return thumbnail(descriptors[0], asked["kind"])
    except Exception:  # noqa: BLE001 - a stranger's file may raise anything
        return b""


def stripped(given: int, made: int, extension: str) -> "dict[str, object]":
    """`{"rewritten": bool}`, or `{"refused": why}`."""
    source = Source(given)
    room = min(source.size + _GROWTH_BYTES, MAX_STRIPPED_BYTES)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, MAX_STRIPPED_BYTES))
    try:
        return {"rewritten": strip(source, Sink(made), extension)}
    except CannotStripError as error:
        return {"refused": str(error)}
    except Exception as error:  # noqa: BLE001 - a stranger's file may raise anything
        return {"refused": f"the attempt failed ({type(error).__name__})"}
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, MAX_STRIPPED_BYTES))


if __name__ == "__main__":
    main()
