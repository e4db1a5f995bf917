"""What an installation needs before its first request: migrations, the local workspace, a key, a token."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from app.config import Settings
from app.db.migrate import migrate
from app.db.postgres import open_database
from app.identity.keys import hash_key, is_well_formed
from app.identity.repository import IdentityRepository
from app.identity.service import IdentityService
from app.jobs.tokens import Tokens, WorkerGrant
from app.secret import Keyring
from infra.local.private_file import write_private


@dataclass(frozen=True, slots=True)
class Provisioned:
    """What the supervisor hands on."""

    api_key: str
    workspace_id: UUID
    mint_worker_token: Callable[[], str]
    """For each start of the worker its own: see WorkerGrant.worker_id."""
    migrated: list[str]


async def provision(settings: Settings, *, any_workspace: bool = False) -> Provisioned:
    """Migrate, and make the local workspace and its key where they are missing.

    Args:
        settings: with `database_url`
        any_workspace: the worker's nodes are vouched for (the engine's own, or
            COMFYUI_SHARED) or confined (COMFY_USER): it may then serve every workspace

    Raises:
        psycopg.Error: the database cannot be reached or migrated.
    """
    migrated = await migrate(settings.database_url)
    async with open_database(settings.database_url, size=2) as database:
        identity = IdentityService(IdentityRepository(database), lambda: False)
        workspace_id, _ = await identity.repository.ensure_workspace(settings.local_workspace)
        key = await _kept_key(identity, settings)
    tokens = Tokens(Keyring.load(settings))
    workspaces = None if any_workspace else [workspace_id]

    def mint() -> str:
        return tokens.worker(WorkerGrant(workspaces=workspaces, environments=["local"], slots=1))

    return Provisioned(key, workspace_id, mint, migrated)


async def _kept_key(identity: IdentityService, settings: Settings) -> str:
    """The key in the state folder while the database knows it, else a fresh one."""
    path = settings.state / "api_key"
    if path.exists():
        key = path.read_text().strip()
        if is_well_formed(key) and await identity.repository.principal(hash_key(key)):
            return key
    key, _ = await identity.create_key(settings.local_workspace, "made by ./dev")
    write_private(path, key)
    return key
