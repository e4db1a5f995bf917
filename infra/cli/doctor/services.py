"""What runs: the database, Redis, the front door, the environments that have registered."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Final, cast

import httpx
import psycopg
import redis.asyncio as aioredis
from redis.exceptions import RedisError

from app.config import Settings
from app.db.migrate import pending
from infra.cli.doctor.rows import Row, fail, ok, warn
from infra.cli.plain import plain_line
from infra.cli.worker import front_door_url

OLDEST_POSTGRES: Final = 160_000
ANSWER_S: Final = 3.0
START: Final = "Start ./dev."


async def database(settings: Settings) -> list[Row]:
    """Whether it is reachable, new enough and migrated."""
    if not settings.database_url:
        remedy = f"{START} It brings one along; or set DATABASE_URL."
        return [warn("Database", "none runs here", remedy)]
    try:
        connecting = psycopg.AsyncConnection.connect(
            settings.database_url, autocommit=True, connect_timeout=int(ANSWER_S)
        )
        async with await connecting as connection:
            version = connection.info.server_version
            missing = await pending(connection)
    except psycopg.Error as error:
        remedy = "Is it running, and is DATABASE_URL right?"
        return [fail("Database", plain_line(error), remedy)]
    return [_version(version), _migrations(missing)]


def _version(version: int) -> Row:
    found = f"Postgres {version // 10_000}.{version % 10_000}"
    if version < OLDEST_POSTGRES:
        return fail("Database", found, "Use Postgres 16 or newer.")
    return ok("Database", found)


def _migrations(missing: list[str]) -> Row:
    if missing:
        return fail("Migrations", f"missing: {', '.join(missing)}", "comfyburst migrate")
    return ok("Migrations", "all applied")


async def redis(settings: Settings) -> Row:
    """Whether it answers."""
    if not settings.redis_url:
        remedy = f"{START} Or set REDIS_URL; without it news arrive by asking, about 5 s late."
        return warn("Redis", "none runs here", remedy)
    client = aioredis.from_url(
        settings.redis_url, socket_connect_timeout=ANSWER_S, socket_timeout=ANSWER_S
    )
    try:
        known = cast("dict[str, Any]", await client.info("server"))
    except (RedisError, OSError) as error:
        remedy = "Is it running, and is REDIS_URL right? Jobs go on without it, only slower."
        return fail("Redis", plain_line(error), remedy)
    finally:
        await client.aclose()
    if "valkey_version" in known:
        return ok("Redis", f"Valkey {known['valkey_version']}")
    return ok("Redis", f"Redis {known.get('redis_version', 'of an unknown version')}")


async def front_door(settings: Settings) -> list[Row]:
    """Whether it is ready, and who does its work."""
    url = settings.internal_url or front_door_url(settings)
    try:
        async with httpx.AsyncClient(timeout=ANSWER_S, trust_env=False) as http:
            reply = await http.get(f"{url}/readyz")
    except httpx.HTTPError:
        return [warn("Front door", f"nothing answers at {url}", START)]
    return judge_front_door(url, reply)


def judge_front_door(url: str, reply: httpx.Response) -> list[Row]:
    """What its `/readyz` says."""
    try:
        body: Any = reply.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        remedy = "Choose another port: COMFYBURST_PORT, or --port."
        return [fail("Front door", f"something else answers at {url}", remedy)]
    known = cast("dict[str, Any]", body)
    if reply.status_code != HTTPStatus.OK:
        reason = known.get("error", {}).get("message", f"HTTP {reply.status_code}")
        return [fail("Front door", f"{url}: {plain_line(reason)}", "See its log lines.")]
    return [ok("Front door", f"ready at {url}"), *_environments(known.get("environments", []))]


def _environments(environments: list[dict[str, Any]]) -> Iterator[Row]:
    if not environments:
        remedy = "Start a worker: comfyburst worker. Jobs wait in the queue until then."
        yield warn("Environments", "none has registered", remedy)
    for known in environments:
        name = f"Environment {plain_line(known['name'])}"
        version = plain_line(known["comfyui_version"])
        if known["is_engine"]:
            remedy = (
                "It knows a few image nodes. For real workflows: ./dev comfy, COMFYUI_DIR or "
                "COMFYUI_URL."
            )
            yield warn(name, f"the embedded engine ({version})", remedy)
        else:
            yield ok(name, f"ComfyUI {version}, {plain_line(known['backend'])}")
