"""One prompt from its first node to its last, or to the node that failed.

A node may take several turns: it asks for a lazy input, becomes a subgraph, or awaits something
while others run. Each time it leaves what it has in `begun` and is scheduled again.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from comfy_images.engine.execution.call import (
    Answer,
    Arguments,
    HiddenValues,
    call_node,
    gather,
    inputs_wanted,
    merged,
)
from comfy_images.engine.execution.failure import error_report
from comfy_images.engine.execution.running_node import Interrupt, RunningNode
from comfy_images.engine.graph import is_link
from comfy_images.engine.host import InterruptedExecutionError

if TYPE_CHECKING:
    from comfy_images.engine.execution.cache import NodeResult, ResultCache
    from comfy_images.engine.execution.reporter import Reporter
    from comfy_images.engine.execution.schedule import Schedule
    from comfy_images.engine.graph import Prompt
    from comfy_images.engine.node_type import NodeType
    from comfy_images.engine.registry import NodeRegistry
    from comfy_images.engine.subgraph import ExecutionBlocker


@dataclass(frozen=True, slots=True)
class PromptRun:
    """`prompt` gains the inner nodes, and `keys` their places among the results."""

    registry: NodeRegistry
    interrupt: Interrupt
    cache: ResultCache
    reporter: Reporter
    prompt: Prompt
    keys: dict[str, str]
    schedule: Schedule
    executed: list[str] = field(default_factory=list[str])
    arguments: dict[str, Arguments] = field(default_factory=dict[str, Arguments])
    returned: dict[str, list[Any]] = field(default_factory=dict[str, list[Any]])
    answers: dict[str, Answer] = field(default_factory=dict[str, Answer])

    async def to_the_end(self) -> bool:
        """Run what is scheduled; False if a node failed or was interrupted."""
        try:
            while (node_id := await self._next()) is not None:
                if not await self._take(node_id):
                    return False
        finally:
            for task in self._tasks():
                task.cancel()
        self.schedule.raise_if_stuck()
        return True

    async def _next(self) -> str | None:
        """A node that can go on; waits for awaiting ones if there is no other."""
        while (node_id := self.schedule.next()) is None and self.returned:
            await asyncio.wait(self._tasks(), return_when=asyncio.FIRST_COMPLETED)
            for awaiting, returned in self.returned.items():
                if _all_done(returned):
                    self.schedule.resume(awaiting)
        return node_id

    async def _take(self, node_id: str) -> bool:
        """Let a node take its turn; False if that ends the prompt."""
        try:
            await self._turn(node_id)
        except InterruptedExecutionError:
            data = self._about(node_id)
            self.reporter.message("execution_interrupted", data, broadcast=True)
            return False
        except Exception as error:  # noqa: BLE001 - whatever a node raises is the prompt's outcome
            data = self._about(node_id) | error_report(error, self.arguments.get(node_id, {}))
            data["current_outputs"] = list(self.keys)
            self.reporter.message("execution_error", data)
            return False
        return True

    async def _turn(self, node_id: str) -> None:
        known = self._result_of(node_id)
        if known is not None:
            self.reporter.node_was_cached(node_id, known)
            self.schedule.done(node_id)
        elif node_id in self.answers:
            self._end(node_id, self.answers.pop(node_id).resolved(self._known_result_of))
        elif node_id in self.returned:
            await self._answer(node_id, self.returned.pop(node_id))
        else:
            await self._begin(node_id)

    async def _begin(self, node_id: str) -> None:
        self.reporter.node_started(node_id)
        node_type = self._type_of(node_id)
        arguments = self.arguments[node_id] = self._gather(node_id, node_type)
        missing = self._missing_lazy_inputs(node_id, node_type)
        wanted = inputs_wanted(node_type, arguments, list(missing))
        if wanted:
            self.schedule.require(node_id, [missing[name] for name in missing if name in wanted])
            return
        for name in missing:
            arguments[name] = [None]
        returned = await call_node(
            node_type,
            arguments,
            lambda index: RunningNode(node_id, index, self.reporter, self.interrupt),
            lambda blocker: self._tell_why(node_id, blocker),
        )
        if not _all_done(returned):
            await asyncio.sleep(0)  # one that awaits nothing is over at once, as in ComfyUI
        if _all_done(returned):
            await self._answer(node_id, returned)
        else:
            self.returned[node_id] = returned

    async def _answer(self, node_id: str, returned: list[Any]) -> None:
        """A node has returned: values, or nodes that stand for them."""
        answer = merged(self._type_of(node_id), [await _value(one) for one in returned])
        if not answer.inner:
            self._end(node_id, answer.resolved(self._known_result_of))
            return
        self.answers[node_id] = answer
        for inner_id, node in answer.inner.items():
            self.prompt[inner_id] = node
            self.keys[inner_id] = f"{self.keys[node_id]}/{inner_id}"
            self.reporter.board.family.adopt(node_id, inner_id)
        self.schedule.add(n for n in answer.inner if self._type_of(n).is_output)
        self.schedule.require(node_id, answer.inner_links())

    def _end(self, node_id: str, result: NodeResult) -> None:
        self.reporter.node_finished(node_id, result)
        self.cache.results[self.keys[node_id]] = result
        self.executed.append(node_id)
        self.arguments.pop(node_id, None)
        self.schedule.done(node_id)

    def _gather(self, node_id: str, node_type: NodeType) -> Arguments:
        pnginfo = self.reporter.item.extra_data.get("extra_pnginfo")
        hidden = HiddenValues(self.prompt, pnginfo, node_id)
        return gather(self.prompt[node_id], node_type, self._result_of, hidden)

    def _missing_lazy_inputs(self, node_id: str, node_type: NodeType) -> dict[str, str]:
        """The lazy inputs whose source has not run, with that source."""
        inputs = self.prompt[node_id]["inputs"]
        return {
            name: inputs[name][0]
            for name in node_type.lazy_names
            if is_link(inputs.get(name)) and self._result_of(inputs[name][0]) is None
        }

    def _tell_why(self, node_id: str, blocker: ExecutionBlocker) -> None:
        if blocker.message is not None:
            class_type = self.prompt[node_id]["class_type"]
            self.reporter.blocked(node_id, class_type, list(self.executed), blocker.message)

    def _type_of(self, node_id: str) -> NodeType:
        return self.registry[self.prompt[node_id]["class_type"]]

    def _result_of(self, node_id: str) -> NodeResult | None:
        return self.cache.results.get(self.keys.get(node_id, ""))

    def _known_result_of(self, node_id: str) -> NodeResult:
        return self.cache.results[self.keys[node_id]]

    def _tasks(self) -> list[asyncio.Task[Any]]:
        awaiting = (one for returned in self.returned.values() for one in returned)
        return [one for one in awaiting if isinstance(one, asyncio.Task)]

    def _about(self, node_id: str) -> dict[str, object]:
        """Which node an ending names: of a subgraph the one that the client knows."""
        real = self.reporter.board.family.real(node_id)
        return {
            "prompt_id": self.reporter.item.prompt_id,
            "node_id": real,
            "node_type": self.prompt[real]["class_type"],
            "executed": list(self.executed),
        }


def _all_done(returned: list[Any]) -> bool:
    return all(one.done() for one in returned if isinstance(one, asyncio.Task))


async def _value(one: Any) -> Any:
    return await cast("asyncio.Task[Any]", one) if isinstance(one, asyncio.Task) else one
