"""`openapi.json`, written from the code: the contract that clients are generated from.

`python -m infra.openapi` rewrites the file; `./dev check` compares.
"""

import sys
from pathlib import Path
from typing import Final

from app.config import Settings
from app.main import create_app
from app.openapi.document import text_of

FILE: Final = Path(__file__).resolve().parents[1] / "openapi.json"


def render() -> str:
    """The whole file; no setting changes it."""
    return text_of(create_app(Settings()).openapi())


def drift() -> str:
    """What is wrong with the committed file, empty when nothing is."""
    if not FILE.exists():
        return "There is no openapi.json."
    if FILE.read_text(encoding="utf-8") != render():
        return "openapi.json is not what the code says."
    return ""


def main() -> int:
    """Rewrite the file."""
    FILE.write_text(render(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
