"""Curated palettes: a paper, a text ink that reads on it and on the other inks, and those inks."""

from dataclasses import dataclass
from typing import Final

from .plate import Colour


@dataclass(frozen=True, slots=True)
class Palette:
    """Light papers are overprinted (inks multiply); dark ones take opaque inks."""

    name: str
    paper: Colour
    text: Colour
    inks: tuple[Colour, ...]

    @property
    def opaque(self) -> bool:
        return sum(self.paper) < 3 * 128


def _colour(code: str) -> Colour:
    return int(code[0:2], 16), int(code[2:4], 16), int(code[4:6], 16)


def _palette(name: str, paper: str, text: str, inks: str) -> Palette:
    return Palette(name, _colour(paper), _colour(text), tuple(map(_colour, inks.split())))


PALETTES: Final = (
    _palette("zurich", "f3efe6", "171614", "e4321b 171614 f2b705"),
    _palette("riso summer", "f7f1e3", "22306e", "ff6a5a 3a5bd0 ffc833"),
    _palette("night shift", "14171f", "f4ead7", "ff5a36 f4ead7 2f6fed e8b4a0"),
    _palette("basel", "ebe7dc", "12261f", "0b7a5b f2a900 e4572e"),
    _palette("fluorescent", "f6f3ec", "1b1b3a", "ff4f8b 00a3c7 ffe14d"),
    _palette("terracotta", "f1e4d3", "3a1d14", "c8553d e9a23b 588b8b 8f2d56"),
    _palette("ulm", "e9e9e4", "16181c", "2b4c9b d7263d 9fb3c8"),
    _palette("deep green", "10312b", "f2e8cf", "f2a541 f2e8cf e4572e 7fb69c"),
    _palette("mint and plum", "e6f0e6", "33143a", "7b2d6b 35a37f f58f6c"),
    _palette("olympic", "f5f2ea", "1d2440", "1f8bc9 f4a12a 62ae4a e85c41"),
    _palette("cobalt", "1a2fae", "f6f1e4", "f6f1e4 ff6b4a ffd23f 7fa4ff"),
    _palette("blush", "f6d9d0", "2a1a3e", "e63f32 3b3fae f7a531"),
    _palette("saffron", "f5b82e", "1c1b1a", "e2402b 1c1b1a fbe7b8"),
)
