"""Names to addresses: in threads that are bounded, and that nobody waits for."""

import asyncio
import ipaddress

import pytest

from app.resolver import SystemResolver


async def test_the_systems_resolver_answers_in_a_thread_of_its_own() -> None:
    resolve = SystemResolver()
    found = [ipaddress.ip_address(a) for a in await resolve("localhost", 80)]
    assert found
    assert all(a.is_loopback for a in found)
    for name in ("a" * 70 + ".test", "nothing.invalid"):
        with pytest.raises((OSError, UnicodeError)):
            await resolve(name, 80)


async def test_who_gives_up_a_question_leaves_its_slot_taken_until_it_is_answered() -> None:
    resolve = SystemResolver(asyncio.Semaphore(1))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await resolve("localhost", 80)
    async with asyncio.timeout(5):
        assert await resolve("localhost", 80)
