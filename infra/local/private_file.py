"""Files that hold a key or a URL with a password: whole or not there, readable by their owner alone."""

import os
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Write a file in one step, mode 0600."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    temporary.replace(path)
