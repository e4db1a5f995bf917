"""The environments a submit can route to, with their object_info kept in memory by digest."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from app.workflows.environments.repository import (
    Environment,
    EnvironmentRepository,
    NewEnvironment,
)

FRESH_S: Final = 2.0
"""A registration on another front door is seen after so long."""

ObjectInfo = Mapping[str, Any]


@dataclass(slots=True)
class _Known:
    environment: Environment | None
    object_info: ObjectInfo | None
    checked_at: float


@dataclass(frozen=True, slots=True)
class EnvironmentService:
    """Environments by name. A submit costs a statement only every `FRESH_S`."""

    repository: EnvironmentRepository
    _known: dict[str, _Known] = field(default_factory=dict[str, _Known])

    async def register(self, new: NewEnvironment) -> None:
        """A worker started (or was deployed) and says what it can run."""
        await self.repository.register(new)
        self._known.pop(new.name, None)

    async def get(self, name: str) -> tuple[Environment | None, ObjectInfo | None]:
        """The newest registration of that name and its object_info; None while there is none."""
        known = self._known.get(name)
        if known and time.monotonic() - known.checked_at < FRESH_S:
            return known.environment, known.object_info
        environment = await self.repository.newest(name)
        object_info: ObjectInfo | None = None
        if environment is not None:
            if known and known.environment and known.environment.digest == environment.digest:
                object_info = known.object_info
            else:
                object_info = await self.repository.object_info(name, environment.digest)
        self._known[name] = _Known(environment, object_info, time.monotonic())
        return environment, object_info

    async def all(self) -> list[Environment]:
        """The newest of each name."""
        return await self.repository.all()
