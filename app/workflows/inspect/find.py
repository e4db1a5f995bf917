"""`find_workflow`: the workflow in any file, or why there is none. Pure and bounded.

Nothing is decoded but text: a container is walked from header to header, media is stepped over.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from app.workflows.inspect.audio import walk_flac, walk_mp3, walk_ogg
from app.workflows.inspect.exif import walk_jpeg, walk_webp
from app.workflows.inspect.json_headers import looks_like_safetensors, walk_glb, walk_safetensors
from app.workflows.inspect.matroska import SIGNATURE as MATROSKA
from app.workflows.inspect.matroska import walk_matroska
from app.workflows.inspect.mp4 import walk_mp4
from app.workflows.inspect.png import SIGNATURE as PNG
from app.workflows.inspect.png import walk_png
from app.workflows.inspect.refusal import NoWorkflowError
from app.workflows.inspect.shapes import UnreadableError, Workflows, is_app
from app.workflows.inspect.tags import MAX_TEXT_BYTES, WANTED, Tag, Walk

MAX_FILE_BYTES: Final = 256 * 2**20
MAX_TEXTS_TRIED: Final = 16
"""Of one container: those named as ComfyUI names them first."""
MAX_NAMES_TOLD: Final = 10
MAX_REMARKS_TOLD: Final = 3

Kind = Literal["api", "ui", "app"]

_BOXES: Final = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
_KINDS: Final[tuple[tuple[int, tuple[bytes, ...], Callable[[memoryview], Walk]], ...]] = (
    (0, (PNG,), walk_png),
    (8, (b"WEBP",), walk_webp),
    (0, (b"\xff\xd8",), walk_jpeg),
    (4, _BOXES, walk_mp4),
    (0, (MATROSKA,), walk_matroska),
    (0, (b"fLaC",), walk_flac),
    (0, (b"OggS",), walk_ogg),
    (0, (b"ID3",), walk_mp3),
    (0, (b"glTF",), walk_glb),
)
_OTHERS: Final = {b"GIF8": "GIF", b"BM": "BMP", b"%PDF": "PDF", b"PK\x03\x04": "ZIP"}


@dataclass(frozen=True, slots=True)
class Found:
    """A workflow and where it was."""

    kind: Kind
    """`app`: of the editor, with inputs and outputs picked in App mode."""
    workflow: dict[str, Any]
    """Of that kind."""
    ui: dict[str, Any] | None
    """The editor's form: the same, or what the file has beside a graph."""
    format: str
    """Of the file."""
    source: str
    """For people: where in the file it was."""


def find_workflow(data: bytes | memoryview) -> Found:
    """The workflow in a file.

    A graph as it ran comes before what the editor saved beside it: it needs no conversion.

    Raises:
        NoWorkflowError: with a stable code, and why.
    """
    view = memoryview(data)
    if not view:
        raise NoWorkflowError("empty_file", "The file is empty.")
    if len(view) > MAX_FILE_BYTES:
        raise NoWorkflowError(
            "file_too_large",
            f"The file is larger than {MAX_FILE_BYTES} bytes. Export its workflow as JSON.",
            {"max_bytes": MAX_FILE_BYTES},
        )
    walk = _walker(view)
    return _in_json(view) if walk is None else _in_container(walk(view))


def _walker(data: memoryview) -> Callable[[memoryview], Walk] | None:
    """By its first bytes, never by a name; None for JSON."""
    head = bytes(data[:12])
    for at, magics, walk in _KINDS:
        if any(head[at:].startswith(magic) for magic in magics):
            return walk
    if looks_like_safetensors(data):
        return walk_safetensors
    if head[:2] in {b"\xff\xfe", b"\xfe\xff"} or _text_start(data) in {b"{", b"["}:
        return None
    name = next((n for magic, n in _OTHERS.items() if head.startswith(magic)), None)
    kind = f"{name} files carry no" if name else "This kind of file is not known to carry a"
    raise NoWorkflowError(
        "unknown_file_type",
        f"{kind} ComfyUI workflow. Give a workflow JSON, or a PNG, WebP, JPEG, MP4, MOV, WebM, MKV, "
        "FLAC, MP3, Opus, GLB or .latent file that ComfyUI saved.",
    )


def _text_start(data: memoryview) -> bytes:
    return bytes(data[:1024]).removeprefix(b"\xef\xbb\xbf").lstrip()[:1]


def _in_json(data: memoryview) -> Found:
    found = Workflows()
    try:
        value = found.look_into(bytes(data[: MAX_TEXT_BYTES + 1]), "JSON")
    except UnreadableError as error:
        raise NoWorkflowError("unreadable_workflow", f"The JSON cannot be read. {error}") from error
    if found.api is None and found.ui is None:
        raise NoWorkflowError(
            "not_a_workflow",
            "This JSON is no ComfyUI workflow: it has neither `nodes`, as the editor saves them, nor "
            "nodes by id with a `class_type`, as Export (API) does.",
            {"format": "JSON", "names": list(value)[:MAX_NAMES_TOLD]},
        )
    return _found(found, "JSON")


def _in_container(walk: Walk) -> Found:
    found = Workflows()
    problems: list[str] = []
    for tag in sorted(filter(_may_hold, walk.tags), key=_named_otherwise)[:MAX_TEXTS_TRIED]:
        source = f"{tag.where} `{tag.key}`"
        try:
            found.look_into(tag.value, source)
        except UnreadableError as error:
            problems.append(f"The {source} cannot be read. {error}")
        if found.are_complete:
            break
    if found.api is None and found.ui is None:
        raise _nothing(walk, problems)
    return _found(found, walk.format)


def _may_hold(tag: Tag) -> bool:
    if tag.key.lower() in WANTED:
        return True
    return b"class_type" in tag.value or b"nodes" in tag.value


def _named_otherwise(tag: Tag) -> bool:
    return tag.key.lower() not in WANTED


def _found(found: Workflows, form: str) -> Found:
    if found.api is not None:
        return Found("api", found.api, found.ui, form, found.api_source)
    ui = found.ui or {}
    return Found("app" if is_app(ui) else "ui", ui, ui, form, found.ui_source)


def _nothing(walk: Walk, problems: list[str]) -> NoWorkflowError:
    names = list(dict.fromkeys(tag.key for tag in walk.tags))[:MAX_NAMES_TOLD]
    details = {"format": walk.format, "names": names, "remarks": walk.remarks}
    odd = "; ".join(walk.remarks[:MAX_REMARKS_TOLD])
    if problems:
        message = " ".join(problems[:MAX_REMARKS_TOLD])
        code = "unreadable_workflow"
    elif odd and not names:
        message = f"This {walk.format} gives no workflow: {odd}."
        return NoWorkflowError("no_workflow_in_file", message, details)
    else:
        message = _why(walk.format, names)
        code = "no_workflow_in_file"
    return NoWorkflowError(code, f"{message} Also, {odd}." if odd else message, details)


def _why(form: str, names: list[str]) -> str:
    what = "text chunks" if form == "PNG" else "texts in it"
    if not names:
        return (
            f"This {form} has no {what}: the metadata was stripped, or never written. Messengers, web "
            "sites and image programs take it away; use the file as ComfyUI saved it."
        )
    if "parameters" in names:
        return (
            f"This {form} has the `parameters` of another program (such as Automatic1111), which are no "
            "ComfyUI workflow."
        )
    return (
        f"This {form} has {what} ({', '.join(names)}), but none of them holds a ComfyUI workflow."
    )
