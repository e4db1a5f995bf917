"""What `./dev` says when it is ready: where it is, and two lines that make a first picture."""

import os
import shlex
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
_POSTER: Final = "comfy_images/catalog/poster.json"


def greeting(url: str, comfyui: str, state: Path, seconds: float) -> str:
    """The READY block."""
    key = f"$(cat {_quoted(state / 'api_key')})"
    poster = _quoted(ROOT / _POSTER)
    command = _quoted(ROOT / ".venv/bin/comfyburst")
    auth = f'-H "Authorization: Bearer {key}"'
    submit = (
        f"curl -s {auth} -H 'Content-Type: application/json' -H 'Prefer: wait=25' "
        f"""{url}/api/v2/jobs -d "{{\\"workflow\\": $(cat {poster})}}" """
    )
    picture = (
        'python3 -c \'import json, sys; print(json.load(sys.stdin)["outputs"][0]["url"])\' '
        "| xargs curl -s -o poster.png && echo poster.png"
    )
    return "\n".join(
        [
            "",
            f"  READY {url}  ({seconds:.1f} s)",
            "",
            *_who_works(comfyui),
            "",
            "  A first picture, by the command line:",
            f"    {command} run {poster} -i 1.prompt='Hello, world' -o outputs",
            "",
            "  and by the API:",
            f"    {submit.strip()} | {picture}",
            "",
            f"  Your API key is in {_quoted(state / 'api_key')}; logs are in {_quoted(state / 'logs')}.",
            "  Nodes run with your rights. Ctrl-C stops everything.",
            "",
        ]
    )


def _who_works(comfyui: str) -> list[str]:
    if os.environ.get("COMFYUI_URL"):
        return [f"  Work is done by ComfyUI {comfyui} at {os.environ['COMFYUI_URL']}."]
    if os.environ.get("COMFYUI_DIR"):
        return [f"  Work is done by ComfyUI {comfyui} of {os.environ['COMFYUI_DIR']}."]
    return [
        f"  Work is done by the embedded engine ({comfyui}). It is not ComfyUI: it knows a few image",
        "  nodes and the poster. For real workflows start ./dev with COMFYUI_DIR=/path/to/ComfyUI,",
        "  or with COMFYUI_URL=http://127.0.0.1:8188 where one already runs.",
    ]


def _quoted(path: Path) -> str:
    try:
        return shlex.quote(str(path.relative_to(Path.cwd())))
    except ValueError:
        return shlex.quote(str(path))
