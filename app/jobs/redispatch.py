"""Wakes backends that have ready rows: what a lost bell or a passed back-off left behind."""

from collections.abc import Callable
from dataclasses import dataclass

from app.jobs.repository.ready import ReadyRepository


@dataclass(frozen=True, slots=True)
class Redispatch:
    """A duty: rings at most once in `every_s` for each backend."""

    repository: ReadyRepository
    wake: Callable[[str], None]
    every_s: float = 3.0
    name: str = "redispatch"

    async def run(self, holder: str) -> None:
        """Ring for whoever has work."""
        del holder
        for backend in await self.repository.backends():
            self.wake(backend)
