"""`./dev lock`: computes requirements.lock anew, for every platform, keeping the pins that are there."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from infra.checks.lock_file import LOCK, PYPROJECT, header, lock_problems

HELP: Final = """\
./dev lock                          keep pins, add what is new, drop what is gone
./dev lock --upgrade                the newest versions that fit
./dev lock --upgrade-package httpx  one of them
"""
# uv and pip put their users' indexes and folders into what they write: none of that reaches uv here.
_KEPT: Final = (
    *("PATH", "HOME", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "UV_CACHE_DIR"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
    *("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_SYSTEM_CERTS"),
)


def main(arguments: list[str]) -> int:
    """Write the lock, or leave the old one and say why."""
    if {"-h", "--help"} & set(arguments):
        print(HELP, end="")
        return 0
    pyproject = PYPROJECT.read_text()
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "requirements.txt")
        if LOCK.exists():
            output.write_text(LOCK.read_text())
        said = _compile(output, arguments)
        if said is not None:
            print(said, file=sys.stderr)
            return 1
        lock = header(pyproject) + output.read_text()
    if problems := lock_problems(lock, pyproject):
        print("uv wrote a lock that we do not take:", *problems, sep="\n  ", file=sys.stderr)
        return 1
    is_new = not LOCK.exists() or LOCK.read_text() != lock
    LOCK.write_text(lock)
    print("requirements.lock written" if is_new else "requirements.lock was up to date")
    return 0


def _compile(output: Path, arguments: list[str]) -> str | None:
    """Run uv; what it said when it failed."""
    command = [
        *(str(Path(sys.executable).with_name("uv")), "pip", "compile", "--quiet"),
        *("--universal", "--python", sys.executable, "--python-version", "3.11"),
        *("--all-extras", "--group", "dev", "--generate-hashes", "--no-header", "--no-annotate"),
        *("--no-emit-index-url", "--no-emit-find-links", "--output-file", str(output)),
        *(*arguments, str(PYPROJECT)),
    ]
    said = ""
    # Behind a private CA uv needs the system's certificates, and says so only by failing.
    for extra in ({}, {"UV_SYSTEM_CERTS": "1"}):
        done = subprocess.run(  # noqa: S603 - our own uv
            command,
            cwd=PYPROJECT.parent,
            env=_clean_environment(os.environ) | extra,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 0:
            return None
        said = done.stdout + done.stderr
    return said or "uv failed and said nothing"


def _clean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in environment.items() if name in _KEPT}
    return kept | {"UV_NO_CONFIG": "1", "UV_PYTHON_DOWNLOADS": "never"}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
