"""Runs prompts, one after the other: what is kept from the last one, and how each of them ends."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from comfy_images.engine.execution.cache import ResultCache, cache_keys
from comfy_images.engine.execution.prompt_run import PromptRun
from comfy_images.engine.execution.running_node import Interrupt
from comfy_images.engine.execution.schedule import Schedule

if TYPE_CHECKING:
    from comfy_images.engine.execution.reporter import Reporter
    from comfy_images.engine.registry import NodeRegistry


@dataclass(frozen=True, slots=True)
class Executor:
    """Runs prompts one at a time, in the worker thread."""

    registry: NodeRegistry
    interrupt: Interrupt
    cache: ResultCache = field(default_factory=ResultCache)

    async def run(self, reporter: Reporter) -> None:
        """Run the reporter's prompt. A node that fails is an outcome; nothing is raised for it.

        Only exceptions are caught. SystemExit and the like end the worker thread and leave the
        prompt running forever, which is what happens in ComfyUI (sheet §4) and what our probes test.
        """
        reporter.start()
        item = reporter.item
        # IS_CHANGED answers are written into the prompt; queue and history show it as it was sent.
        prompt = copy.deepcopy(item.prompt)
        keys = cache_keys(prompt, self.registry, item.outputs)
        self.cache.keep_only(set(keys.values()))
        cached = [node_id for node_id in prompt if keys.get(node_id) in self.cache.results]
        reporter.cached(cached)
        schedule = Schedule(prompt, self.registry, set(cached))
        schedule.add(item.outputs)
        run = PromptRun(self.registry, self.interrupt, self.cache, reporter, prompt, keys, schedule)
        if await run.to_the_end():
            reporter.success()
            reporter.execution.completed = True
