"""Text from elsewhere, made safe for a terminal: nothing in it moves the cursor, hides or reorders."""

import unicodedata
from typing import Final

# Cc: control characters; Cf: invisible format characters, the bidirectional overrides among them.
_HARMFUL: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_LAYOUT: Final = frozenset({"\n", "\t"})


def plain(text: object) -> str:
    """Without control and format characters; line breaks and tabs stay."""
    return "".join(c for c in str(text) if c in _LAYOUT or unicodedata.category(c) not in _HARMFUL)


def plain_line(text: object) -> str:
    """The same, on one line."""
    return " ".join(plain(text).split())
