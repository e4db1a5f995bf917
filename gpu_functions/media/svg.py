"""SVG without metadata: `<metadata>` and comments are cut out, every other byte stays.

ComfyUI's SaveSVGNode writes prompt and workflow into a `<metadata>` of its own.
"""

from xml.parsers import expat

from gpu_functions.media.files import CannotStripError, Sink, Source


def strip_svg(source: Source, sink: Sink) -> None:
    """Cut what is not drawn. Raises CannotStripError."""
    data = source.whole()
    at = 0
    kept = bytearray()
    for start, end in _Cuts.of(data):
        kept += data[at:start]
        at = end
    kept += data[at:]
    if _Cuts.of(bytes(kept)):
        raise CannotStripError("its metadata is written in a way that cannot be cut")
    sink.write(bytes(kept))


class _Cuts:
    """The parts to cut, as expat comes upon them."""

    @classmethod
    def of(cls, data: bytes) -> "list[tuple[int, int]]":
        """From and to, in their order."""
        cuts = cls(data)
        try:
            cuts.parser.Parse(data, True)  # noqa: FBT003 - expat takes no names
        except (expat.ExpatError, ValueError) as error:
            raise CannotStripError("the file is broken: it is no XML in UTF-8") from error
        return cuts.found

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.found: list[tuple[int, int]] = []
        self._open_at: list[int] = []
        parser = self.parser = expat.ParserCreate("utf-8")
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.CommentHandler, parser.EntityDeclHandler = self._comment, self._entity

    def _start(self, name: str, _attributes: "dict[str, str]") -> None:
        if self._open_at or name.rpartition(":")[2] == "metadata":
            self._open_at.append(self.parser.CurrentByteIndex)

    def _end(self, _name: str) -> None:
        if self._open_at:
            begun = self._open_at.pop()
            if not self._open_at:
                self._cut(begun, self.parser.CurrentByteIndex, b">")

    def _comment(self, _text: str) -> None:
        if not self._open_at:
            begun = self.parser.CurrentByteIndex
            self._cut(begun, begun, b"-->")

    def _cut(self, begun: int, seen: int, end: bytes) -> None:
        self.found.append((begun, self.data.index(end, seen) + len(end)))

    def _entity(self, *_declared: object) -> None:
        raise CannotStripError("it declares entities")
