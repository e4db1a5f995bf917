"""`comfyburst migrate`: applies what is missing."""

import asyncio

import psycopg
import typer

from app.db.migrate import migrate
from infra.local.running import settings_of_running

NO_DATABASE = "There is no database: start ./dev, or set DATABASE_URL."


def migrate_and_print() -> int:
    """Apply and say; returns the exit code."""
    database_url = settings_of_running().database_url
    if not database_url:
        typer.echo(NO_DATABASE, err=True)
        return 1
    try:
        applied = asyncio.run(migrate(database_url))
    except psycopg.Error as error:
        typer.echo(f"The database was left as it is: {error}", err=True)
        return 1
    for version in applied:
        typer.echo(f"applied {version}")
    if not applied:
        typer.echo("nothing to apply")
    return 0
