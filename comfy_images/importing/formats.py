"""Each format that is imported, from its parsed JSON or YAML to a draft."""

from typing import Any, Final

from comfy_images.importing.draft import (
    Draft,
    DraftModel,
    DraftPack,
    NotKnownError,
    is_true,
    items,
    mapping,
    text,
    whole,
)
from comfy_images.manifest.models import last_part

REGISTRY: Final = "https://registry.comfy.org/nodes"
_FOLDERS: Final = {
    "checkpoint": "checkpoints",
    "lora": "loras",
    "lycoris": "loras",
    "vae": "vae",
    "controlnet": "controlnet",
    "embedding": "embeddings",
    "textual_inversion": "embeddings",
    "upscaler": "upscale_models",
    "clip": "text_encoders",
    "text_encoder": "text_encoders",
    "clip_vision": "clip_vision",
    "unet": "diffusion_models",
    "diffuser": "diffusion_models",
    "diffusion_model": "diffusion_models",
}
"""comfy-lock.yaml's `type`, where it names no path."""


def draft_of(data: Any, requirements: str = "") -> Draft:
    """What a file of another tool says.

    Args:
        data: its JSON or YAML
        requirements: the requirements.txt beside it, which comfy-pack writes

    Raises:
        NotKnownError: it is of no known format.
    """
    values = mapping(data)
    if isinstance(values.get("custom_nodes"), list):
        return _comfy_pack(values, requirements)
    if {"git_custom_nodes", "cnr_custom_nodes", "file_custom_nodes"} & set(values):
        draft = Draft("a ComfyUI-Manager snapshot")
        _snapshot(values, draft)
        return draft
    if isinstance(values.get("custom_nodes"), dict) or isinstance(values.get("models"), list):
        return _comfy_lock(values)
    raise NotKnownError(
        "This is neither a ComfyUI-Manager snapshot (git_custom_nodes), nor comfy-cli's "
        "comfy-lock.yaml (custom_nodes, models), nor comfy-pack's snapshot.json or .cpack.zip."
    )


def _snapshot(values: dict[str, Any], draft: Draft) -> None:
    draft.commit = text(values.get("comfyui"))
    for url, entry in mapping(values.get("git_custom_nodes")).items():
        pack = mapping(entry)
        draft.add_pack(url, text(pack.get("hash")), disabled=is_true(pack.get("disabled")))
    for name, version in mapping(values.get("cnr_custom_nodes")).items():
        remark = f"{name} {version} of the Comfy Registry, whose page names its repository: "
        draft.packs.append(DraftPack("", "", name, f"{remark}{REGISTRY}/{name}"))
    for entry in items(values.get("file_custom_nodes")):
        name = text(mapping(entry).get("filename"))
        draft.notes.append(f"The file {name!r} in custom_nodes comes from nowhere: left out.")
    for name, value in mapping(values.get("pips")).items():
        draft.add_pin(_pin(name, text(value)))


def _pin(name: str, value: str) -> str:
    """The Manager writes {"a==1": ""} and {"b": URL}; others write {"a": "1"}."""
    if not value:
        return name
    return f"{name} @ {value}" if "://" in value else f"{name}=={value}"


def _comfy_lock(values: dict[str, Any]) -> Draft:
    draft = Draft("comfy-cli's comfy-lock.yaml")
    _snapshot(mapping(values.get("custom_nodes")), draft)
    for entry in items(values.get("models")):
        model = mapping(entry)
        paths = [_path_of(item) for item in items(model.get("paths"))]
        name, url = text(model.get("model")), text(model.get("url"))
        kind = text(model.get("type")).lower()
        folder, file = _folder_and_file(paths[0] if paths else "", name or last_part(url))
        for more in paths[1:]:
            draft.notes.append(f"{name or file} lies at {more!r} too: link it there.")
        draft.models.append(
            DraftModel(
                name=file,
                folder=folder or _FOLDERS.get(kind, ""),
                url=url,
                sha256=_sha256(model),
                remark="comfy-lock.yaml states no size: `curl -sIL URL` tells its Content-Length",
            )
        )
    return draft


def _path_of(entry: Any) -> str:
    return entry if isinstance(entry, str) else text(mapping(entry).get("path"))


def _sha256(model: dict[str, Any]) -> str:
    for entry in map(mapping, items(model.get("hashes"))):
        if text(entry.get("type")).upper() == "SHA256":
            return text(entry.get("hash")).lower()
    return ""


def _comfy_pack(values: dict[str, Any], requirements: str) -> Draft:
    draft = Draft("a pack of comfy-pack")
    draft.commit = text(values.get("comfyui"))
    draft.python_version = text(values.get("python"))
    for pack in map(mapping, items(values.get("custom_nodes"))):
        disabled = is_true(pack.get("disabled"))
        draft.add_pack(text(pack.get("url")), text(pack.get("commit_hash")), disabled=disabled)
    for model in map(mapping, items(values.get("models"))):
        _packed_model(model, draft)
    for line in requirements.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            draft.add_pin(line)
    return draft


def _packed_model(model: dict[str, Any], draft: Draft) -> None:
    path = text(model.get("filename"))
    if is_true(model.get("disabled")):
        draft.notes.append(f"The model {path!r} was left out of the pack.")
        return
    source = mapping(model.get("source"))
    url = text(source.get("download_url"))
    folder, name = _folder_and_file(path, "")
    draft.models.append(
        DraftModel(
            name=name,
            folder=folder,
            url=url,
            size_bytes=whole(model.get("size")),
            sha256=text(model.get("sha256")).lower(),
            remark="" if url else "comfy-pack found no source of it",
        )
    )


def _folder_and_file(path: str, name: str) -> tuple[str, str]:
    """From `ComfyUI/models/loras/x.safetensors`: `loras`, `x.safetensors`; a bare folder is one too."""
    parts = [part for part in path.replace("\\", "/").split("/") if part not in ("", ".")]
    if "models" in parts:
        parts = parts[parts.index("models") + 1 :]
    if parts and (not name or parts[-1] == name or "." in parts[-1]):
        name = parts.pop()
    return "/".join(parts), name
