"""Which walk takes the metadata out of which file, and the last look at what came out.

What a file begins with decides, its name only where that says nothing. A kind that nobody here can
strip is refused, unless it is listed as one that carries no workflow.
"""

from collections.abc import Callable

from gpu_functions.media.audio import FLAC, ID3, skip_id3, strip_flac, strip_mp3
from gpu_functions.media.files import CannotStripError, Sink, Source
from gpu_functions.media.gif import SIGNATURES as GIFS
from gpu_functions.media.gif import strip_gif
from gpu_functions.media.gltf import SIGNATURE as GLB
from gpu_functions.media.gltf import strip_glb, strip_gltf
from gpu_functions.media.jpeg import SIGNATURE as JPEG
from gpu_functions.media.jpeg import strip_jpeg
from gpu_functions.media.png import SIGNATURE as PNG
from gpu_functions.media.png import strip_png
from gpu_functions.media.remux import EBML, FTYP, OGG, strip_container
from gpu_functions.media.riff import strip_wav, strip_webp
from gpu_functions.media.svg import strip_svg
from gpu_functions.media.tensors import strip_safetensors

Strip = Callable[[Source, Sink], None]

TEXTS = frozenset({"txt", "md", "csv", "srt", "vtt", "json"})
"""What a node wrote for people or programs to read: it is the output, not something beside it."""
BARE = frozenset({"obj", "stl", "ply", "fbx", "usdz", "bmp"})
"""Nothing known writes a workflow into these."""

_BY_START: "list[tuple[bytes, Strip]]" = [
    (PNG, strip_png),
    (JPEG, strip_jpeg),
    *((start, strip_gif) for start in GIFS),
    (FLAC, strip_flac),
    (OGG, strip_container),
    (EBML, strip_container),
    (GLB, strip_glb),
]
_BY_NAME: "dict[str, Strip]" = {
    "latent": strip_safetensors,
    "safetensors": strip_safetensors,
    "sft": strip_safetensors,
    "gltf": strip_gltf,
    "svg": strip_svg,
    "mp3": strip_mp3,
}
_RIFF: "dict[bytes, Strip]" = {b"WEBP": strip_webp, b"WAVE": strip_wav}
_STILL_BRANDS = (b"avif", b"avis", b"heic", b"heix", b"mif1", b"msf1")
_TELLTALES = tuple(
    "class_type".encode(encoding) for encoding in ("utf-8", "utf-16-le", "utf-16-be")
)
"""Every graph says it for each node."""
_PIECE_BYTES = 1 << 20


def strip(source: Source, sink: Sink, extension: str) -> bool:
    """Write the file anew without its metadata; False where it may stay as it is.

    Raises CannotStripError.
    """
    walk = _walk(source, extension)
    if walk is None:
        if extension not in TEXTS and extension not in BARE:
            raise CannotStripError("nobody here knows how that is done for a file of this kind")
        if extension in BARE:
            _look(source)
        return False
    walk(source, sink)
    _look(Source(sink.descriptor))
    return True


def _walk(source: Source, extension: str) -> "Strip | None":
    start = source.start(16)
    if start.startswith(b"RIFF"):
        return _RIFF.get(start[8:12])
    if start[4:8] == FTYP:
        return None if start[8:12] in _STILL_BRANDS else strip_container
    for signature, walk in _BY_START:
        if start.startswith(signature):
            return walk
    if start.startswith(ID3):
        sound = skip_id3(source)
        is_flac = source.read(sound, min(4, source.size - sound)) == FLAC
        return strip_flac if is_flac else strip_mp3
    return _BY_NAME.get(extension)


def _look(source: Source) -> None:
    """Refuse what still holds a graph in clear: a place that no walk knew of."""
    before = b""
    for at in range(0, source.size, _PIECE_BYTES):
        piece = before + source.read(at, min(_PIECE_BYTES, source.size - at))
        if any(telltale in piece for telltale in _TELLTALES):
            raise CannotStripError("a workflow is still in it, at a place that nobody here knows")
        before = piece[-32:]
