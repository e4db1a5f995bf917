"""What the executor is made of: nothing that a GPU container would have to install for it."""

import subprocess
import sys
from pathlib import Path

FORBIDDEN = (
    "torch", "numpy", "PIL", "boto3", "botocore", "fastapi", "starlette", "uvicorn", "celery", "redis",
    "psycopg", "typer", "rich", "click", "opentelemetry", "aiohttp", "modal", "app", "storage", "infra",
)  # fmt: skip


def modules_after(statement: str) -> set[str]:
    """Packages that a fresh interpreter has imported by then."""
    program = (
        f"import sys; {statement}; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    )
    output = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    return set(output.stdout.split())


def test_the_executor_imports_nothing_heavy() -> None:
    assert not modules_after("import gpu_functions.executor") & set(FORBIDDEN)
