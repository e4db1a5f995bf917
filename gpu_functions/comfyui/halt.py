"""Stopping a prompt: asked first, verified, and known to have failed when it did not stop."""

import asyncio
from contextlib import suppress

from gpu_functions.comfyui.client import ComfyClient, ComfyUnreachableError

_ASK_EVERY_S = 0.1
_ASK_SELDOM_S = 1.0
_ABSENT_TWICE = 2


async def halt(client: ComfyClient, prompt_id: str, *, grace_s: float) -> bool:
    """Take a prompt out of queue and run; False when it still runs after the grace.

    An interrupt acts at the next step or node, so it is repeated. Absent means gone once it was seen,
    else when it is absent twice: a prompt whose POST was cut off may enter between two looks.
    """
    absent, enough = 0, _ABSENT_TWICE
    pause_s = _ASK_EVERY_S
    with suppress(TimeoutError):
        async with asyncio.timeout(grace_s):
            while True:
                try:
                    if await _ask(client, prompt_id):
                        absent, enough = 0, 1
                    else:
                        absent += 1
                except ComfyUnreachableError:
                    absent = 0
                if absent >= enough:
                    return True
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 1.5, _ASK_SELDOM_S)
    return False


async def _ask(client: ComfyClient, prompt_id: str) -> bool:
    """True while the prompt is still there."""
    cancelled = await client.cancel(prompt_id)
    queue = await client.queue()
    if cancelled:
        return prompt_id in queue
    if prompt_id in queue.pending:
        await client.delete_pending(prompt_id)
    if prompt_id in queue.running:
        # Only then: an old ComfyUI ignores the id and would interrupt whoever runs.
        await client.interrupt(prompt_id)
    return prompt_id in queue
