"""What a submit asks to be run, as a graph: one that was sent, or a named workflow with its inputs."""

import asyncio
from dataclasses import dataclass
from uuid import UUID

import orjson

from app.config import Settings
from app.jobs.models import JsonObject
from app.jobs.schemas import JobRequest
from app.workflows.bindings.bind import InvalidInputsError, bind
from app.workflows.bindings.models import Fault
from app.workflows.convert.document import is_ui
from app.workflows.environments.repository import Environment
from app.workflows.environments.service import EnvironmentService, ObjectInfo
from app.workflows.graph import Graph, NodeErrors
from app.workflows.intake import to_graph
from app.workflows.registry.models import Pinned
from app.workflows.registry.names import Reference
from app.workflows.registry.service import PinService


@dataclass(frozen=True, slots=True)
class Asked:
    """A graph to run, and where."""

    graph: Graph
    environment_name: str
    environment: Environment | None
    object_info: ObjectInfo | None
    version: Pinned | None = None
    inputs: JsonObject | None = None

    def name_inputs(self, errors: NodeErrors) -> None:
        """Say of every problem which of the caller's inputs it came from."""
        if self.version is None:
            return
        names = {
            (target.node_id, target.input): each.name
            for each in self.version.content.bindings.inputs
            for target in each.targets
        }
        for node_id, problems in errors.items():
            for problem in problems:
                if name := names.get((node_id, problem["field"])):
                    problem["input"] = name


@dataclass(frozen=True, slots=True)
class AskedService:
    """Reads requests."""

    pins: PinService
    environments: EnvironmentService
    settings: Settings

    async def read(self, workspace_id: UUID, request: JobRequest) -> Asked:
        """The graph of a request.

        Raises:
            NotFoundError: there is no such workflow or version
            AppError: 409 `workflow_archived`, 422 `invalid_workflow`, `invalid_inputs`,
                `workflow_format_ui`.
        """
        if isinstance(request.workflow, str):
            return await self._named(workspace_id, request, request.workflow)
        name = request.environment
        environment, object_info = await self.environments.get(name)
        graph = await self._graph(request.workflow, object_info)
        return Asked(graph, name, environment, object_info)

    async def _graph(self, document: Graph, object_info: ObjectInfo | None) -> Graph:
        most = self.settings.max_nodes
        if not is_ui(document):
            return to_graph(document, object_info, most)
        # Large files take a while to convert; nobody else waits for them.
        return await asyncio.to_thread(to_graph, document, object_info, most)

    async def _named(self, workspace_id: UUID, request: JobRequest, text: str) -> Asked:
        wanted = Reference.parse(text)
        assert wanted is not None, "the schema takes no other"
        version = await self.pins.pin(workspace_id, wanted)
        name = request.named_environment or version.content.environment
        environment, object_info = await self.environments.get(name)
        bound = bind(version.content.graph, version.content.bindings, request.inputs or {})
        self._check_size(bound.values)
        return Asked(bound.graph, name, environment, object_info, version, bound.values)

    def _check_size(self, values: JsonObject) -> None:
        """They are shown wherever the job is."""
        size_bytes, most = len(orjson.dumps(values)), self.settings.max_inputs_bytes
        if size_bytes > most:
            message = f"With their defaults they have {size_bytes} bytes; at most {most} are taken."
            raise InvalidInputsError([Fault(name="inputs", code="too_large", message=message)])
