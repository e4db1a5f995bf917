"""Settings of the installation that `./dev` runs here: what the commands beside it connect to."""

import json
from pathlib import Path
from typing import Any

from app.config import Settings
from infra.local.private_file import write_private

SERVICES_FILE = "services.json"


def settings_of_running() -> Settings:
    """The environment's settings, filled in from `services.json` of the state folder.

    The supervisor writes there, for its owner alone, how its embedded parts are reached.
    """
    settings = Settings()
    path = settings.state / SERVICES_FILE
    if not path.exists():
        return settings
    known: dict[str, Any] = json.loads(path.read_text())
    return settings.model_copy(
        update={
            "database_url": settings.database_url or known.get("database_url", ""),
            "redis_url": settings.redis_url or known.get("redis_url", ""),
        }
    )


def write_services(state: Path, database_url: str, redis_url: str) -> None:
    """Record how the embedded parts are reached, readable by the owner alone."""
    known = {"database_url": database_url, "redis_url": redis_url}
    write_private(state / SERVICES_FILE, json.dumps(known))
