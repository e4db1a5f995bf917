"""What becomes of every template of the wheel: `python -m tests.app.workflows.convert.report`.

Converted or refused and why, which classes are missing most, and how long a conversion takes. The
templates are those of the newest ComfyUI, so many need nodes that the captured object_info lacks.
"""

import argparse
import gzip
import json
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from app.workflows.convert.convert import Converted, convert
from app.workflows.convert.document import is_ui
from app.workflows.convert.refusal import ConversionRefusedError

DATA = Path(__file__).parent / "data"
MOST = 15


@dataclass(slots=True)
class Report:
    """Counts over all templates."""

    converted: dict[str, Converted] = field(default_factory=dict[str, Converted])
    refused: dict[str, ConversionRefusedError] = field(
        default_factory=dict[str, ConversionRefusedError]
    )
    others: list[str] = field(default_factory=list[str])
    """Files of the wheel that are no workflows: its index."""
    took_ms: list[float] = field(default_factory=list[float])
    """Of those that were converted."""

    def reasons(self) -> dict[str, int]:
        """How many were refused for each reason."""
        return dict(Counter(error.code for error in self.refused.values()).most_common())

    def missing(self) -> dict[str, int]:
        """How many templates need each absent class, the most needed first."""
        needed = Counter(
            each["class_type"]
            for error in self.refused.values()
            for each in error.details.get("missing", [])
        )
        return dict(needed.most_common())


def templates() -> Iterator[tuple[str, Any]]:
    """Every JSON of the wheel by its file's name."""
    folder = files("comfyui_workflow_templates_json") / "templates"
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith(".json"):
            yield entry.name, json.loads(entry.read_text(encoding="utf-8"))


@cache
def object_info() -> Mapping[str, Any]:
    """Of a real ComfyUI 0.8.0 with its own nodes alone."""
    return json.loads(gzip.decompress((DATA / "object_info-0.8.0.json.gz").read_bytes()))


def report(known: Mapping[str, Any]) -> Report:
    """Convert everything."""
    made = Report()
    for name, ui in templates():
        if not is_ui(ui):
            made.others.append(name)
            continue
        began = time.perf_counter()
        try:
            made.converted[name] = convert(ui, known)
            made.took_ms.append((time.perf_counter() - began) * 1000)
        except ConversionRefusedError as error:
            made.refused[name] = error
    return made


def main() -> None:
    """Print it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--object-info", type=Path, help="as /object_info answers; default: 0.8.0")
    options = parser.parse_args()
    known = json.loads(options.object_info.read_text()) if options.object_info else object_info()
    made = report(known)
    took = sorted(made.took_ms)
    summary = {
        "workflows": len(made.converted) + len(made.refused),
        "converted": len(made.converted),
        "refused": made.reasons(),
        "not workflows": made.others,
        "classes missing": len(made.missing()),
        "missing most": dict(list(made.missing().items())[:MOST]),
        "notes": dict(
            Counter(note.code for each in made.converted.values() for note in each.notes)
        ),
        "ms": {
            "p50": round(statistics.median(took), 2),
            "p95": round(took[int(len(took) * 0.95)], 2),
            "max": round(took[-1], 2),
        },
    }
    sys.stdout.write(json.dumps(summary, indent=2) + "\n")


if __name__ == "__main__":
    main()
