"""`comfyburst keys`: make, list and revoke API keys, straight in the database."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Column, Table

from app.config import Settings
from app.db.postgres import open_database
from app.db.redis import open_redis
from app.errors import AppError
from app.events.feed import announce_keys_changed
from app.identity.models import ApiKey
from app.identity.repository import IdentityRepository
from app.identity.service import IdentityService
from infra.local.running import settings_of_running

keys = typer.Typer(no_args_is_help=True, help="Make, list and revoke API keys.")
T = TypeVar("T")

Workspace = Annotated[str, typer.Option("--workspace", "-w", help="Its name: a-z, 0-9 and '-'.")]


@keys.command()
def create(
    workspace: Workspace = "local",
    name: Annotated[str, typer.Option(help="What the key is for.")] = "made by the command line",
) -> None:
    """Make a key, and its workspace where it does not exist. The key is shown once."""

    async def work(identity: IdentityService, _settings: Settings) -> str:
        key, _ = await identity.create_key(workspace, name)
        return key

    typer.echo(_run(work))


@keys.command("list")
def list_keys(
    workspace: Annotated[
        str | None, typer.Option("--workspace", "-w", help="Only this workspace's.")
    ] = None,
) -> None:
    """List keys: whose, what for, last four characters, last use."""

    async def work(identity: IdentityService, _settings: Settings) -> list[ApiKey]:
        return await identity.repository.list_keys(workspace)

    table = Table(
        Column("id", no_wrap=True, min_width=36),
        "workspace",
        "name",
        "ends in",
        "made",
        "last used",
        "state",
    )
    for key in _run(work):
        table.add_row(
            str(key.id),
            key.workspace,
            key.name,
            key.last_four,
            f"{key.created_at:%Y-%m-%d %H:%M}",
            f"{key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never",
            "revoked" if key.revoked_at else "good",
        )
    Console().print(table)


@keys.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="As `keys list` shows it.")],
) -> None:
    """Revoke a key: refused within a second everywhere, its open streams end."""
    try:
        wanted = UUID(key_id)
    except ValueError as error:
        raise typer.BadParameter("an id looks like 0192e4a0-…; see `keys list`") from error

    async def work(identity: IdentityService, settings: Settings) -> bool:
        known = await identity.repository.revoke(wanted)
        async with open_redis(settings.redis_url) as redis:
            await announce_keys_changed(redis)
        return known

    if not _run(work):
        raise typer.BadParameter("there is no key with this id; see `keys list`")
    typer.echo(f"revoked {wanted}")


def _run(work: Callable[[IdentityService, Settings], Awaitable[T]]) -> T:
    async def run() -> T:
        settings = settings_of_running()
        async with open_database(settings.database_url, size=2) as database:
            identity = IdentityService(IdentityRepository(database), lambda: False)
            return await work(identity, settings)

    try:
        return asyncio.run(run())
    except AppError as error:
        typer.secho(error.message, fg="red", err=True)
        raise typer.Exit(1) from error
