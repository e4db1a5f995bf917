"""The command line: ComfyUI's flags, of which the engine heeds a few and ignores the rest."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_BYTES_PER_MB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Options:
    """How one engine process serves."""

    host: str
    port: int
    base_directory: Path
    write_metadata: bool
    max_upload_bytes: int
    node_modules: tuple[str, ...]
    cancels_jobs: bool
    argv: tuple[str, ...]


def parse_options(argv: Sequence[str]) -> Options:
    """Read `argv`, tolerating every flag of ComfyUI so that one launcher starts either.

    `--preview-method` is among the ignored ones: it picks how a sampler decodes latents, and the
    engine has no sampler. Previews that a node draws itself are always sent, as in ComfyUI.
    """
    parser = argparse.ArgumentParser(prog="comfy_images.engine", allow_abbrev=False)
    parser.add_argument("--listen", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8188)
    parser.add_argument("--base-directory", type=Path, default=Path.cwd())
    parser.add_argument("--disable-metadata", action="store_true")
    parser.add_argument("--max-upload-size", type=float, default=100, metavar="MB")
    # Ours alone: further nodes by the name of their module. ComfyUI takes folders of custom nodes.
    parser.add_argument("--node-module", action="append", default=[], metavar="NAME")
    # Ours alone: a route of ComfyUI newer than the 0.8.0 that the engine follows.
    parser.add_argument("--cancel-route", action="store_true")
    known, _ignored = parser.parse_known_args(argv)
    return Options(
        host=known.listen,
        port=known.port,
        base_directory=known.base_directory.resolve(),
        write_metadata=not known.disable_metadata,
        max_upload_bytes=round(known.max_upload_size * _BYTES_PER_MB),
        node_modules=tuple(known.node_module),
        cancels_jobs=known.cancel_route,
        argv=tuple(argv),
    )
