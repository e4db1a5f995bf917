"""The parts of one engine process, and what routes need to do their work."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from comfy_images.engine.core import core_types
from comfy_images.engine.execution.executor import Executor
from comfy_images.engine.execution.running_node import Interrupt
from comfy_images.engine.execution.worker import Worker
from comfy_images.engine.folders import Folders
from comfy_images.engine.log_buffer import LogBuffer
from comfy_images.engine.prompt_queue import PromptQueue
from comfy_images.engine.registry import NodeRegistry, module_types, pack_types
from comfy_images.engine.sockets import SocketHub

if TYPE_CHECKING:
    from comfy_images.engine.node_type import JsonObject
    from comfy_images.engine.options import Options


@dataclass(frozen=True, slots=True)
class Engine:
    """Everything a route may use."""

    options: Options
    folders: Folders
    registry: NodeRegistry
    queue: PromptQueue
    hub: SocketHub
    worker: Worker
    interrupt: Interrupt
    logs: LogBuffer = field(default_factory=LogBuffer)
    prompt_numbers: Iterator[int] = field(default_factory=itertools.count)

    def exec_info(self) -> JsonObject:
        return {"exec_info": {"queue_remaining": self.queue.remaining()}}

    def features(self) -> JsonObject:
        """What a client may negotiate (sheet §1)."""
        return {
            "supports_preview_metadata": True,
            "max_upload_size": self.options.max_upload_bytes,
            "extension": {"manager": {"supports_v4": True}},
        }


def build_engine(options: Options) -> Engine:
    """Put the parts together on the running event loop; nothing runs yet."""
    folders = Folders(options.base_directory)
    registry = NodeRegistry(core_types(folders, write_metadata=options.write_metadata))
    registry.types.update(pack_types())
    for name in options.node_modules:
        registry.types.update(module_types(name))
    hub = SocketHub()

    def announce() -> None:
        status = {"status": {"exec_info": {"queue_remaining": queue.remaining()}}}
        hub.publish("status", status, None)

    queue = PromptQueue(on_change=announce)
    interrupt = Interrupt()
    worker = Worker(queue, Executor(registry, interrupt), hub)
    return Engine(options, folders, registry, queue, hub, worker, interrupt)
