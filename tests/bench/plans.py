"""A database that looks at the plan of every statement before it runs it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, LiteralString, cast

from app.db.postgres import Database, Params, Row

Plan = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Explaining(Database):
    """Remembers what would read the whole table of jobs."""

    seen: list[str] = field(default_factory=list[str])
    """Statements that were planned."""
    whole_reads: list[str] = field(default_factory=list[str])
    """Those of them that read all jobs, with their plan."""

    async def one(self, sql: LiteralString, params: Params | None = None) -> Row | None:
        await self._explain(sql, params)
        return await Database.one(self, sql, params)

    async def all(self, sql: LiteralString, params: Params | None = None) -> list[Row]:
        await self._explain(sql, params)
        return await Database.all(self, sql, params)

    async def _explain(self, sql: LiteralString, params: Params | None) -> None:
        row = await Database.one(self, "explain (format json) " + sql, params)
        assert row is not None
        self.seen.append(sql)
        [explained] = row["QUERY PLAN"]
        if any(_reads_all_jobs(node) for node in _nodes(explained["Plan"])):
            self.whole_reads.append(f"{sql}\n{json.dumps(explained['Plan'], indent=1)}")


def _nodes(plan: Plan) -> Iterator[Plan]:
    yield plan
    for child in cast("list[Plan]", plan.get("Plans", [])):
        yield from _nodes(child)


def _reads_all_jobs(node: Plan) -> bool:
    return node["Node Type"] == "Seq Scan" and node.get("Relation Name") == "jobs"
