"""`python -m tests.conformance.table` writes docs/conformance.md: which test holds which promise of v2.

A test says in its docstring which promise it holds, as `v2.7`; one that is held by nothing is an
error of `test_table.py`.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
PAGE: Final = ROOT / "docs" / "conformance.md"

PROMISES: Final = {
    1: "The second run uploads nothing",
    2: "Hashes with a raw colon and with `%3A`",
    3: "A wrong `expected_hash` is 409 and keeps nothing",
    4: "Tags, any file name, a body of unknown length",
    5: "1 GB in and out with flat memory; an answer within 30 s of the last byte",
    6: "The same bytes under two names; bytes that are an output too",
    7: "One job per idempotency key, also after a 429 and at once",
    8: "A full queue is retried to one job",
    9: "An answer lost after the commit leaves one job to find",
    10: "A front door that ends and comes back during `wait()`",
    11: "Partner keys are seen by their run alone",
    12: "Graphs that cannot run are refused before they are queued",
    13: "Files that are not there are named; handles work at any depth",
    14: "A job can be read in every state",
    15: "Outputs of every kind can be read; none is dropped",
    16: "`wait()` ends with the job, on one request per hold",
    17: "`wait(timeout)` ends near its limit",
    18: "Events: the state first, every output before the end",
    19: "U+2028, U+0085 and emoji survive the stream",
    20: "A stream that is cut, silent or ends early: the client recovers",
    21: "Previews of garbage, unknown events and log lines do no harm",
    22: "Ranges; redirects without the key; download addresses",
    23: "Under a path prefix, and behind TLS",
    24: "Every refusal is the envelope, on every route",
    25: "Cancel, in every state and in a race",
    26: "Lists: pages, labels, cursors",
    27: "`comfy deploy run`, twice, with a file",
    28: "After its retention a job is gone; files of live jobs are held",
}
_REFERENCE: Final = re.compile(r"\bv2\.(\d{1,2})\b")


def held() -> dict[int, list[str]]:
    """The tests of every promise, as `file::test`."""
    found: dict[int, list[str]] = {number: [] for number in PROMISES}
    for path in sorted(ROOT.glob("tests/**/test_*.py")):
        for name, docstring in _tests(path):
            for number in dict.fromkeys(map(int, _REFERENCE.findall(docstring))):
                found[number].append(f"{path.relative_to(ROOT)}::{name}")
    return found


def _tests(path: Path) -> Iterator[tuple[str, str]]:
    module = ast.parse(path.read_text())
    for node in module.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name[:5] == "test_":
            yield node.name, ast.get_docstring(node) or ""


def page() -> str:
    """The whole page."""
    lines = [
        "# Conformance with Comfy API v2",
        "",
        "Written by `python -m tests.conformance.table` from the docstrings of the tests. The official",
        "clients are driven unmodified: the Python SDK in both its flavours, the TypeScript SDK, `comfy deploy`.",
        "",
    ]
    for number, tests in held().items():
        lines += [f"## {number}. {PROMISES[number]}", ""]
        lines += [f"- `{test}`" for test in tests] + [""]
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page())
