"""Letters of Pillow's embedded face, and what stands in for those it lacks.

That face (Aileron, cut down to 111 characters) has no accents, no CJK and no emoji, and a font file
of our own would weigh megabytes. Accents are drawn from strokes; every other character becomes a
sign built from its code point, so the same character always gets the same sign.
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import dropwhile
from typing import Final

from PIL import ImageFont

from .plate import Plate, Point
from .signs import draw_accent, draw_sign

CAP_HEIGHT: Final = 0.7
"""Of the em, like SIGN_WIDTH; measured on the face."""
SIGN_WIDTH: Final = 0.8
_SIGN_BEARING: Final = 0.05
_REFERENCE: Final = 256
_IN_FACE: Final = frozenset(map(chr, range(32, 127))) | frozenset(
    "©«°±·»“”…™\u00b4\u2018\u2019\u2039\u203a\u2044"
)
_REPLACED: Final = str.maketrans(
    {"\u2012": "-", "\u2013": "-", "—": "-", "\u2212": "-", "\u00d7": "x", "•": "·", "€": "EUR"}
    | {"ß": "ss", "ø": "o", "Ø": "O", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "đ": "d"}
    | {"ł": "l", "Ł": "L", "\u0131": "i", "„": "“", "\u201a": "\u2018"}
)
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Me"})


@dataclass(frozen=True, slots=True)
class Piece:
    """Letters that the face sets together, with their accents, or one sign."""

    letters: str
    accents: tuple[tuple[int, str], ...] = ()
    is_sign: bool = False


def clean(text: str) -> str:
    """The text with spaces for every gap and without what no face can show."""
    text = unicodedata.normalize("NFC", text.translate(_REPLACED))
    kept = (c for c in text if c.isspace() or unicodedata.category(c) not in _INVISIBLE)
    words = "".join(kept).replace("\ufe0f", "").split()
    # An accent with no letter before it has nothing to stand on.
    based = ("".join(dropwhile(unicodedata.combining, word)) for word in words)
    return " ".join(filter(None, based))


def is_sign(character: str) -> bool:
    """Whether it is set as a sign. An accent is not: it belongs to what it stands on."""
    base = unicodedata.normalize("NFD", character)[0]
    return base not in _IN_FACE and not unicodedata.combining(base)


@lru_cache(maxsize=4096)
def pieces(text: str) -> tuple[Piece, ...]:
    return tuple(_pieces(unicodedata.normalize("NFD", text)))


def _pieces(decomposed: str) -> Iterator[Piece]:
    letters, accents = "", list[tuple[int, str]]()
    for character in decomposed:
        if unicodedata.combining(character):
            if letters:
                accents.append((len(letters) - 1, character))
        elif character in _IN_FACE:
            letters += character
        else:
            if letters:
                yield Piece(letters, tuple(accents))
            letters, accents = "", []
            yield Piece(unicodedata.normalize("NFC", character), is_sign=True)
    if letters:
        yield Piece(letters, tuple(accents))


@lru_cache(maxsize=32)
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise TypeError("This Pillow was built without FreeType, which sets the poster's type.")
    return font


@lru_cache(maxsize=4096)
def em_width(text: str) -> float:
    """How wide the text sets, in ems, kerning included."""
    return sum(
        SIGN_WIDTH if piece.is_sign else _font(_REFERENCE).getlength(piece.letters) / _REFERENCE
        for piece in pieces(text)
    )


def left_bearing(text: str) -> float:
    """The blank left of the first character, in ems: lines hung by ink stand in one edge."""
    first = next(iter(pieces(text)), None)
    if first is None or first.is_sign:
        return _SIGN_BEARING
    return _font(_REFERENCE).getbbox(first.letters[0], anchor="ls")[0] / _REFERENCE


def draw_text(plate: Plate, start: Point, text: str, size: float, weight: float) -> None:
    """Set one line from its left end on the baseline; weight is stroke per em."""
    x, y = start
    for piece in pieces(text):
        if piece.is_sign:
            draw_sign(plate, piece.letters, (x + size * _SIGN_BEARING, y), size * CAP_HEIGHT)
            x += size * SIGN_WIDTH
            continue
        plate.letters((x, y), piece.letters, _font(plate.enlarged(size)), size * weight)
        for index, accent in piece.accents:
            before, after = (em_width(piece.letters[:end]) for end in (index, index + 1))
            middle = x + (before + after) / 2 * size
            draw_accent(plate, accent, (middle, y), size, tall=piece.letters[index].isupper())
        x += em_width(piece.letters) * size
