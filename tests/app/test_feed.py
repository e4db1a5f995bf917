"""Hints between front doors of one and of two versions."""

import asyncio

import orjson

from app.db.redis import HINTS_CHANNEL, open_redis
from app.events.feed import Feed, announce_keys_changed
from app.events.hub import EventHub


async def test_hints_of_the_version_before_are_passed_over(redis_url: str) -> None:
    """Said one by one, without a list: nothing is known from them, and nothing ends."""
    heard = asyncio.Event()
    async with open_redis(redis_url) as redis:
        assert redis is not None
        running = asyncio.create_task(Feed(EventHub(), redis, heard.set).run())
        older = {"m": "older", "j": "not read", "w": "not read", "s": 3}
        async with asyncio.timeout(20):
            while not heard.is_set():  # until it listens
                await announce_keys_changed(redis)
                await asyncio.sleep(0.05)
            heard.clear()
            await redis.publish(HINTS_CHANNEL, orjson.dumps(older))
            await announce_keys_changed(redis)
            await asyncio.wait(
                {asyncio.create_task(heard.wait()), running}, return_when="FIRST_COMPLETED"
            )
        assert not running.done()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
