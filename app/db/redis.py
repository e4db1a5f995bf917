"""One Redis client and every name it uses. Redis carries hints only: losing it loses no truth."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

from redis.asyncio import BlockingConnectionPool, Redis, UnixDomainSocketConnection
from redis.asyncio.connection import AbstractConnection, Connection

HINTS_CHANNEL: Final = "cb:hints"
LATEST_EXPIRES_S: Final = 3_600
TIMEOUT_S: Final = 0.5


def latest_key(job_id: UUID) -> str:
    """Hash with the newest `progress` and `preview` of a job, for late joiners on any front door."""
    return f"cb:latest:{job_id}"


@asynccontextmanager
async def open_redis(url: str) -> AsyncGenerator[Redis | None]:
    """A client, or None without a URL. Nothing is connected yet, so we start while Redis is away."""
    if not url:
        yield None
        return
    kind: type[AbstractConnection] = (
        UnixDomainSocketConnection if url.startswith("unix://") else Connection
    )
    pool = BlockingConnectionPool.from_url(
        url,
        connection_class=kind,
        max_connections=16,
        timeout=TIMEOUT_S,
        socket_timeout=TIMEOUT_S,
        socket_connect_timeout=TIMEOUT_S,
        decode_responses=False,
    )
    client = Redis(connection_pool=pool)
    try:
        yield client
    finally:
        await client.aclose()
        await pool.disconnect()
