"""Which texts are keys of objects?"""

import re
from typing import Final

MAX_KEY_LENGTH: Final = 1_024
"""S3's limit."""

_KEY: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")


def checked_key(key: str) -> str:
    """The key, in the one form that is safe as a path and needs no quoting in a URL.

    Raises:
        ValueError: for anything that is not one of our keys.
    """
    if len(key) > MAX_KEY_LENGTH or not _KEY.fullmatch(key):
        raise ValueError(f"not a storage key: {key[:MAX_KEY_LENGTH]!r}")
    return key
