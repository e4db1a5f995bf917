"""Contents of versions kept in memory: they never change, so a submit need not read them again."""

from collections import OrderedDict
from dataclasses import dataclass, field
from uuid import UUID

import orjson

from app.workflows.registry.models import Content

Key = tuple[UUID, str]
"""A workspace and the name of a workflow of it."""


@dataclass(frozen=True, slots=True)
class _Kept:
    key: Key
    content: Content
    size_bytes: int


@dataclass(slots=True)
class KeptContents:
    """The contents that were used last, as many as fit; by the id of their version."""

    max_bytes: int
    """Of their JSON; in memory they are several times as large."""
    _kept: "OrderedDict[UUID, _Kept]" = field(default_factory=OrderedDict[UUID, _Kept])
    _ids: dict[Key, set[UUID]] = field(default_factory=dict[Key, set[UUID]])
    _size_bytes: int = 0

    def of(self, key: Key) -> dict[UUID, Content]:
        """What is known of a workflow; the caller's to keep, whatever is dropped meanwhile."""
        return {i: self._kept[i].content for i in self._ids.get(key, ())}

    def used(self, key: Key, version_id: UUID, content: Content) -> None:
        """Keep a content, or know that it was used again; drops those unused for longest."""
        if version_id in self._kept:
            self._kept.move_to_end(version_id)
            return
        size_bytes = _size_bytes(content)
        if size_bytes > self.max_bytes:
            return
        self._kept[version_id] = _Kept(key, content, size_bytes)
        self._ids.setdefault(key, set()).add(version_id)
        self._size_bytes += size_bytes
        while self._size_bytes > self.max_bytes:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        version_id, dropped = self._kept.popitem(last=False)
        self._size_bytes -= dropped.size_bytes
        ids = self._ids[dropped.key]
        ids.discard(version_id)
        if not ids:
            del self._ids[dropped.key]


def _size_bytes(content: Content) -> int:
    bindings = content.bindings.model_dump_json()
    return len(orjson.dumps(content.graph)) + len(bindings)
