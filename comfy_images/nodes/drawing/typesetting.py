"""Breaking and sizing copy: the largest size that fits, in lines as even as they can be."""

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from .lettering import em_width, is_sign

_LONGEST_WORD: Final = 24
_SPACE: Final = em_width("n n") - em_width("nn")


@dataclass(frozen=True, slots=True)
class Word:
    """A piece of copy that is never broken; `spaced` when a space comes before it."""

    text: str
    spaced: bool = True


@dataclass(frozen=True, slots=True)
class Block:
    """Lines at one size, in pixels."""

    lines: tuple[str, ...]
    size: float
    leading: float

    @property
    def height(self) -> float:
        return len(self.lines) * self.leading


def words_of(copy: str) -> list[Word]:
    """Words at spaces; signs (CJK, emoji) stand alone; a word of more than 24 letters is divided."""
    words: list[Word] = []
    for chunk in copy.split():
        parts = [part for run in _runs(chunk) for part in _divided(run)]
        words.extend(Word(part, spaced=index == 0) for index, part in enumerate(parts))
    return words


def _runs(chunk: str) -> list[str]:
    """The chunk as single signs and the letters between them."""
    runs: list[str] = []
    after_sign = True
    for character in chunk:
        accent = bool(runs and unicodedata.combining(character))
        if accent or not (is_sign(character) or after_sign):
            runs[-1] += character
        else:
            runs.append(character)
            after_sign = is_sign(character)
    return runs


def _divided(run: str) -> list[str]:
    """Pieces of even length, with hyphens: without a dictionary no better place is known."""
    count = math.ceil(len(run) / _LONGEST_WORD)
    length = math.ceil(len(run) / count)
    parts = [run[start : start + length] for start in range(0, len(run), length)]
    return [*(f"{part}-" for part in parts[:-1]), parts[-1]]


def fit(
    copy: str, width: float, height: float, *, largest: float, smallest: float, lead: float
) -> Block:
    """The block at the largest size that fits; at the smallest, what does not fit is cut with "…"."""
    words = words_of(copy)
    low, high = smallest, largest
    if _fits(words, width, height, high, lead):
        low = high
    while high - low > 0.5:
        middle = (low + high) / 2
        if _fits(words, width, height, middle, lead):
            low = middle
        else:
            high = middle
    lines = _greedy(words, width / low)
    room = max(1, int(height / (low * lead)))
    if len(lines) > room:
        cut = [*lines[: room - 1], _shortened(lines[room - 1], width / low)]
        return Block(tuple(map(_join, cut)), low, low * lead)
    even = _even(words, width / low, len(lines))
    return Block(tuple(map(_join, even)), low, low * lead)


def _fits(words: Sequence[Word], width: float, height: float, size: float, lead: float) -> bool:
    ems = width / size
    if any(em_width(word.text) > ems for word in words):
        return False
    return len(_greedy(words, ems)) * size * lead <= height


def _advance(word: Word) -> float:
    return em_width(word.text) + (_SPACE if word.spaced else 0.0)


def _greedy(words: Sequence[Word], ems: float) -> list[list[Word]]:
    lines: list[list[Word]] = []
    used = 0.0
    for word in words:
        if lines and used + _advance(word) <= ems:
            lines[-1].append(word)
            used += _advance(word)
        else:
            lines.append([word])
            used = em_width(word.text)
    return lines


def _even(words: Sequence[Word], ems: float, count: int) -> list[list[Word]]:
    """As many lines as before, in the narrowest measure that still gives that many."""
    low, high = ems * 0.4, ems
    while high - low > 0.05:
        middle = (low + high) / 2
        narrow = any(em_width(word.text) > middle for word in words)
        if narrow or len(_greedy(words, middle)) > count:
            low = middle
        else:
            high = middle
    return _greedy(words, high)


def _shortened(line: list[Word], ems: float) -> list[Word]:
    kept = list(line)
    while len(kept) > 1 and sum(map(_advance, kept)) + em_width("…") > ems:
        kept.pop()
    return [*kept, Word("…", spaced=False)]


def _join(line: Sequence[Word]) -> str:
    return "".join(
        (" " if word.spaced and index else "") + word.text for index, word in enumerate(line)
    )
