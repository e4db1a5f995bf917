"""Writes a draft down as the TOML that a person completes."""

import json
from collections.abc import Iterator

from comfy_images.importing.draft import Draft, DraftModel, DraftPack
from comfy_images.manifest.models import last_part


def toml_of(draft: Draft, name: str) -> str:
    """The TOML of a draft, with a remark at each thing that is to be added."""
    return "\n".join(_lines(draft, name)) + "\n"


def _lines(draft: Draft, name: str) -> Iterator[str]:
    yield _remark(f"From {draft.source}, by `comfyburst environments import`.")
    yield "# `comfyburst environments check` names what is still to be added."
    yield from (_remark(f"- {note}") for note in draft.notes)
    yield f"name = {_quoted(name)}"
    yield from ("", "[comfyui]")
    yield f"commit = {_quoted(draft.commit)}"
    yield from _python(draft)
    for pack in draft.packs:
        yield from ("", "[[custom_nodes]]", *_pack(pack))
    for model in draft.models:
        yield from ("", "[[models]]", *_model(model))


def _python(draft: Draft) -> Iterator[str]:
    if draft.python_version or draft.constraints:
        yield from ("", "[python]")
    if draft.python_version:
        yield f"version = {_quoted(draft.python_version)}"
    if draft.constraints:
        yield "constraints = ["
        yield from (f"  {_quoted(line)}," for line in sorted(set(draft.constraints)))
        yield "]"


def _pack(pack: DraftPack) -> Iterator[str]:
    if pack.remark:
        yield _remark(pack.remark)
    if pack.name:
        yield f"name = {_quoted(pack.name)}"
    yield f"url = {_quoted(pack.url)}"
    yield f"commit = {_quoted(pack.commit)}"


def _model(model: DraftModel) -> Iterator[str]:
    if model.remark:
        yield _remark(model.remark)
    yield f"url = {_quoted(model.url)}"
    if model.name != last_part(model.url):
        yield f"name = {_quoted(model.name)}"
    yield f"folder = {_quoted(model.folder)}"
    yield f"size_bytes = {model.size_bytes}"
    if model.sha256:
        yield f"sha256 = {_quoted(model.sha256)}"


def _quoted(value: str) -> str:
    """A basic string: JSON's escapes are TOML's, but for DEL and for halves of surrogate pairs."""
    whole = value.encode(errors="replace").decode()
    return json.dumps(whole, ensure_ascii=False).replace("\x7f", "\\u007f")


def _remark(words: str) -> str:
    """A comment of one line, whatever the words are."""
    return "# " + "".join(c if c.isprintable() else " " for c in words)
