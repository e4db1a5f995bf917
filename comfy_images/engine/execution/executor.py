"""Runs one prompt from its first node to its last, or to the node that failed."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from comfy_images.engine.execution.cache import NodeResult, ResultCache, cache_keys
from comfy_images.engine.execution.call import Arguments, HiddenValues, call_node, gather
from comfy_images.engine.execution.failure import error_report
from comfy_images.engine.execution.running_node import Interrupt, RunningNode
from comfy_images.engine.execution.schedule import Schedule
from comfy_images.engine.host import InterruptedExecutionError, hosting

if TYPE_CHECKING:
    from comfy_images.engine.execution.reporter import Reporter
    from comfy_images.engine.graph import Prompt
    from comfy_images.engine.registry import NodeRegistry


@dataclass(frozen=True, slots=True)
class Executor:
    """Runs prompts one at a time, in the worker thread."""

    registry: NodeRegistry
    interrupt: Interrupt
    cache: ResultCache = field(default_factory=ResultCache)

    def run(self, reporter: Reporter) -> None:
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
        schedule = Schedule.of(prompt, self.registry, item.outputs, frozenset(cached))
        run = _PromptRun(self, reporter, prompt, keys, schedule)
        if run.to_the_end():
            reporter.success()
            reporter.execution.completed = True


@dataclass(frozen=True, slots=True)
class _PromptRun:
    executor: Executor
    reporter: Reporter
    prompt: Prompt
    keys: dict[str, str]
    schedule: Schedule
    executed: list[str] = field(default_factory=list[str])

    def to_the_end(self) -> bool:
        """Run what is scheduled; False if a node failed or was interrupted."""
        while (node_id := self.schedule.next()) is not None:
            known = self.executor.cache.results.get(self.keys[node_id])
            if known is not None:
                self.reporter.node_was_cached(node_id, known)
            elif not self._run_node(node_id):
                return False
            self.schedule.done(node_id)
        return True

    def _run_node(self, node_id: str) -> bool:
        self.reporter.node_started(node_id)
        arguments: Arguments = {}
        try:
            arguments = self._arguments(node_id)
            result = self._call(node_id, arguments)
            self.reporter.node_finished(node_id, result)
        except InterruptedExecutionError:
            data = self._about(node_id)
            self.reporter.message("execution_interrupted", data, broadcast=True)
            return False
        except Exception as error:  # noqa: BLE001 - whatever a node raises is the prompt's outcome
            data = self._about(node_id) | error_report(error, arguments)
            data["current_outputs"] = list(self.keys)
            self.reporter.message("execution_error", data)
            return False
        self.executor.cache.results[self.keys[node_id]] = result
        self.executed.append(node_id)
        return True

    def _arguments(self, node_id: str) -> Arguments:
        node = self.prompt[node_id]
        pnginfo = self.reporter.item.extra_data.get("extra_pnginfo")
        hidden = HiddenValues(self.prompt, pnginfo, node_id)
        return gather(node, self.executor.registry[node["class_type"]], self._result_of, hidden)

    def _result_of(self, node_id: str) -> NodeResult:
        return self.executor.cache.results[self.keys[node_id]]

    def _call(self, node_id: str, arguments: Arguments) -> NodeResult:
        node_type = self.executor.registry[self.prompt[node_id]["class_type"]]
        host = RunningNode(node_id, self.reporter, self.executor.interrupt)
        with hosting(host):
            return call_node(node_type, arguments, host.check_interrupt)

    def _about(self, node_id: str) -> dict[str, object]:
        return {
            "prompt_id": self.reporter.item.prompt_id,
            "node_id": node_id,
            "node_type": self.prompt[node_id]["class_type"],
            "executed": list(self.executed),
        }
