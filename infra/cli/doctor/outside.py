"""What we meet outside: ComfyUI, and the address under which others reach us."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

import httpx
from pydantic import ValidationError

from app.config import Settings
from gpu_functions.isolation.user import IsolationError, comfy_user
from gpu_functions.settings import WorkerSettings
from infra.cli.doctor.rows import Row, fail, ok, warn
from infra.cli.plain import plain_line
from infra.comfyui.choice import choose
from infra.comfyui.installed import REMEDY, BrokenInstallationError, Installation

ANSWER_S: Final = 5.0
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


async def comfyui(state: Path, environ: Mapping[str, str] = os.environ) -> Row:
    """What a worker started with these variables on this state folder would use."""
    try:
        choice = choose(environ, state)
        worker = WorkerSettings.from_environment(choice.environment(environ))
    except BrokenInstallationError as error:
        found, _, _ = str(error).partition(REMEDY)
        return fail("ComfyUI", plain_line(found), REMEDY)
    except ValidationError as error:
        return fail("ComfyUI", plain_line(error), "Correct that variable.")
    if worker.comfyui_url:
        return await _running(worker.comfyui_url)
    if choice.installed is not None:
        return ok("ComfyUI", _installed(choice.installed))
    if worker.comfyui_dir is not None:
        return _checkout(worker.comfyui_dir, worker.interpreter)
    found = "none is configured: the embedded engine is used; ./dev comfy installs a real one"
    return ok("ComfyUI", found)


def _installed(installed: Installation) -> str:
    arguments = f" {' '.join(installed.arguments)}" if installed.arguments else ""
    return f"{installed.version}{arguments}, installed in {installed.directory} by ./dev comfy"


async def _running(url: str) -> Row:
    try:
        async with httpx.AsyncClient(timeout=ANSWER_S, trust_env=False) as http:
            reply = await http.get(f"{url.rstrip('/')}/system_stats")
            reply.raise_for_status()
            system = cast("dict[str, Any]", reply.json())["system"]
    except (httpx.HTTPError, ValueError, KeyError) as error:
        found = f"COMFYUI_URL {url}: {plain_line(error) or type(error).__name__}"
        return fail("ComfyUI", found, "Start it, or correct COMFYUI_URL.")
    return ok("ComfyUI", f"{plain_line(system.get('comfyui_version', '?'))} runs at {url}")


def _checkout(folder: Path, interpreter: Path) -> Row:
    if not (folder / "main.py").is_file():
        found = f"COMFYUI_DIR {folder} holds no main.py"
        return fail("ComfyUI", found, "Let COMFYUI_DIR be the folder of a ComfyUI checkout.")
    if not os.access(interpreter, os.X_OK):
        return fail("ComfyUI", f"{interpreter} cannot be executed", "Correct COMFYUI_PYTHON.")
    return ok("ComfyUI", f"{folder}, started by {interpreter}")


def comfy_user_row(state: Path, environ: Mapping[str, str] = os.environ) -> Row:
    """Whose rights nodes have, and whom they therefore serve."""
    try:
        choice = choose(environ, state)
        worker = WorkerSettings.from_environment(choice.environment(environ))
        user = comfy_user(worker.comfy_user) if worker.comfy_user else None
    except (BrokenInstallationError, ValidationError):
        return ok("COMFY_USER", "see ComfyUI")
    except IsolationError as error:
        found, _, remedy = str(error).partition(". ")
        return fail("COMFY_USER", f"{found}.", remedy or "docs/isolation.md")
    if user is not None:
        return ok("COMFY_USER", f"nodes run as {user} and serve every workspace")
    if choice.place is None:
        return ok("COMFY_USER", "not set: the engine's own nodes serve every workspace")
    if worker.comfyui_shared:
        found = "not set: you vouch for the nodes of every workspace (COMFYUI_SHARED)"
        return ok("COMFY_USER", found)
    return ok("COMFY_USER", "not set: nodes run with your rights and serve your workspace alone")


async def public_url(settings: Settings) -> Row:
    """Under which address callers elsewhere and Modal reach us."""
    if not settings.public_url:
        if settings.host not in LOOPBACK:
            found = f"not set, and we listen on {settings.host}"
            return fail("PUBLIC_URL", found, "Set it to the address callers use.")
        return ok("PUBLIC_URL", "not set: for this machine only; Modal needs one")
    url = settings.public_url.rstrip("/")
    try:
        async with httpx.AsyncClient(timeout=ANSWER_S) as http:
            reply = await http.get(f"{url}/healthz")
    except httpx.HTTPError as error:
        found = f"{url}: {plain_line(error) or type(error).__name__}"
        return warn("PUBLIC_URL", found, "Not reachable from here; is the tunnel or proxy up?")
    if reply.status_code != 200:
        found = f"{url}/healthz answers {reply.status_code}"
        return fail("PUBLIC_URL", found, "Let the proxy pass everything on, /healthz too.")
    return ok("PUBLIC_URL", f"{url} answers")
