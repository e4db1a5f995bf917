"""The table of goals at the end of a bench run: what was measured, its floor of the same run, the verdict.

A goal belongs to an idle machine and is only printed; what a test asserts is a ratio, more generous.
"""

import os
from dataclasses import dataclass, field
from typing import Final

_HEAD: Final = ("goal", "what", "measured", "floor", "ratio", "wanted", "")


@dataclass(frozen=True, slots=True)
class Figure:
    """One row."""

    goal: str
    """As in the issue, `G1`; empty for a cost that has no goal."""
    what: str
    measured: str
    floor: str = ""
    ratio: float | None = None
    wanted: str = ""
    met: bool | None = None

    @property
    def cells(self) -> tuple[str, ...]:
        """For people."""
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        verdict = "" if self.met is None else "pass" if self.met else "MISS"
        return (self.goal, self.what, self.measured, self.floor, ratio, self.wanted, verdict)


@dataclass(frozen=True, slots=True)
class Goals:
    """What this run has measured so far."""

    figures: list[Figure] = field(default_factory=list[Figure])

    def add(
        self,
        goal: str,
        what: str,
        measured: str,
        *,
        floor: str = "",
        ratio: float | None = None,
        wanted: str = "",
        met: bool | None = None,
    ) -> None:
        """One more row."""
        self.figures.append(Figure(goal, what, measured, floor, ratio, wanted, met))

    def lines(self) -> list[str]:
        """The table, in the order of the goals, and under which load it was taken."""
        figures = sorted(self.figures, key=lambda figure: (not figure.goal, _number(figure.goal)))
        rows = [_HEAD, *(figure.cells for figure in figures)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
        lines = [
            " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        lines.insert(1, "-|-".join("-" * width for width in widths))
        load = ", ".join(f"{average:.1f}" for average in os.getloadavg())
        return [*lines, f"load of the last 1, 5, 15 minutes: {load} on {os.cpu_count()} cores"]


def _number(goal: str) -> int:
    return int(goal.removeprefix("G") or 0)
