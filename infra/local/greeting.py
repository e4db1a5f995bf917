"""What `./dev` says when it is ready: where it is, who does the work, and two ways to a first picture."""

import os
import shlex
from pathlib import Path
from typing import Final

from infra.comfyui.choice import Choice

ROOT: Final = Path(__file__).resolve().parents[2]
POSTER: Final = ROOT / "comfy_images" / "catalog" / "poster.json"
_FIRST_OUTPUT: Final = (
    """python3 -c 'import json, sys; print(json.load(sys.stdin)["outputs"][0]["url"])'"""
)


def greeting(url: str, comfyui: str, state: Path, seconds: float, choice: Choice) -> str:
    """The READY block. Its commands are whole: they work in any folder of another terminal."""
    key_file, poster = shlex.quote(str(state / "api_key")), shlex.quote(str(POSTER))
    return "\n".join(
        [
            "",
            f"  READY {url}  ({seconds:.1f} s)",
            "",
            *_who_works(comfyui, choice, _command(state)),
            _whose_rights(choice),
            "",
            "  A first picture, by the command line:",
            "",
            f"    {_command(state)} run {poster} -i 1.prompt='Hello, world' -o outputs",
            "",
            "  and by the API:",
            "",
            f'    curl -s -H "Authorization: Bearer $(cat {key_file})" -H "Prefer: wait=25" \\',
            f'      -H "Content-Type: application/json" -d "{{\\"workflow\\": $(cat {poster})}}" \\',
            f"      {url}/api/v2/jobs \\",
            f"      | {_FIRST_OUTPUT} \\",
            "      | xargs curl -s -o poster.png",
            "",
            f"  Logs are in {state / 'logs'}. Ctrl-C stops everything.",
            "",
        ]
    )


def _who_works(comfyui: str, choice: Choice, command: str) -> list[str]:
    if choice.installed is not None:
        return [
            f"  Work is done by the ComfyUI {comfyui} that `comfy` installed in {choice.place}.",
            f"  Its models belong into {choice.installed.models}. Without it: {command} up --engine",
        ]
    if choice.place is not None:
        return [f"  Work is done by ComfyUI {comfyui} at {choice.place}."]
    return [
        f"  Work is done by the embedded engine ({comfyui}). It is not ComfyUI: it knows image nodes",
        f"  that need no model. For real workflows stop this and run {command} comfy: it installs a",
        "  ComfyUI here. Or use yours: COMFYUI_DIR=/path/to/ComfyUI, or one that already runs:",
        "  COMFYUI_URL=http://127.0.0.1:8188.",
    ]


def _whose_rights(choice: Choice) -> str:
    user = choice.environment(os.environ).get("COMFY_USER")
    if user:
        return f"  Nodes run as the user {user} and serve every workspace (docs/isolation.md)."
    return "  Nodes run with your rights."


def _command(state: Path) -> str:
    """`./dev` in a checkout, the installed command elsewhere; with the state where it is not the usual."""
    script = ROOT / "dev"
    command = shlex.quote(str(script)) if script.exists() else "comfyburst"
    if script.exists() and state == ROOT / ".comfyburst":
        return command
    return f"COMFYBURST_STATE={shlex.quote(str(state))} {command}"
