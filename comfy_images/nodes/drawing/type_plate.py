"""The plate that carries the type: title, text and caption."""

import re
from typing import Final

from .dice import Dice
from .lettering import (
    CAP_HEIGHT,
    SIGN_WIDTH,
    clean,
    draw_text,
    em_width,
    is_sign,
    left_bearing,
)
from .plate import Box, Plate
from .sheet import Sheet
from .typesetting import Block, fit

_TITLE_LENGTH: Final = 44
_CLAUSE_LENGTH: Final = 56
_CLAUSE: Final = re.compile(r"[,.;:!?()|]\s|\s-\s|[\u3002\u3001\uff0c\uff01\uff1f\uff1b\uff1a]")
_DANGLING: Final = re.compile(r"\s(?:an?|and|as|at|by|for|from|in|of|on|or|the|to|with)$", re.I)
"""Words that lead on to the next one, so a title must not end with them."""


def set_type(sheet: Sheet, prompt: str, seed: int, dice: Dice) -> Plate:
    plate = Plate(sheet.size, sheet.palette.text, opaque=True)
    title, body = split_copy(clean(prompt) or "Untitled")
    title = _cased(title, dice)
    weight = dice.pick((0.012, 0.024, 0.03))
    title_box, body_box = _boxes(sheet, with_body=bool(body))
    block = fit(
        title,
        title_box.width,
        title_box.height,
        largest=sheet.short * 0.27,
        smallest=max(5.0, sheet.short * 0.03),
        lead=SIGN_WIDTH if _is_of_signs(title) else 1.0,
    )
    at_foot = sheet.type_at_foot and not body
    _place(plate, block, title_box, weight, at_foot=at_foot)
    if body:
        small = max(6.0, sheet.short * 0.019)
        text = fit(
            body, body_box.width, body_box.height, largest=small * 1.25, smallest=small, lead=1.32
        )
        _place(plate, text, body_box, 0.004, at_foot=body_box.top > title_box.bottom)
    _caption(plate, sheet, seed)
    return plate


def split_copy(copy: str) -> tuple[str, str]:
    """A title short enough to be set large, and the rest as running text.

    Copy of signs is all title: small signs are noise, large ones are a pattern.
    """
    if len(copy) <= _TITLE_LENGTH or _is_of_signs(copy):
        return copy, ""
    clause = _CLAUSE.search(copy)
    if clause and 3 <= clause.start() <= _CLAUSE_LENGTH:
        return copy[: clause.start()].strip(), copy[clause.end() :].strip()
    cut = copy.rfind(" ", 0, 30)
    cut = cut if cut > 0 else 24
    while (dangling := _DANGLING.search(copy, 0, cut)) and dangling.start() > 0:
        cut = dangling.start()
    return copy[:cut].strip(), copy[cut:].strip()


def _is_of_signs(copy: str) -> bool:
    return sum(map(is_sign, copy)) * 2 > len(copy)


def _cased(title: str, dice: Dice) -> str:
    case = dice.pick(("typed", "typed", "lower", "upper"))
    if case == "upper" and len(title) <= 16:
        return title.upper()
    return title.lower() if case == "lower" else title


def _boxes(sheet: Sheet, *, with_body: bool) -> tuple[Box, Box]:
    box = sheet.type_box
    if not with_body:
        return box, box
    if box.width > box.height * 1.3:
        left, right = box.at(0.62, 0)[0], box.at(0.68, 0)[0]
        return Box(box.left, box.top, left, box.bottom), Box(right, box.top, box.right, box.bottom)
    above, below = box.at(0, 0.56)[1], box.at(0, 0.62)[1]
    return Box(box.left, box.top, box.right, above), Box(box.left, below, box.right, box.bottom)


def _place(plate: Plate, block: Block, box: Box, weight: float, *, at_foot: bool) -> None:
    """Hang the first line's capitals from the box's top, or stand the last line on its foot."""
    first = box.top + block.size * CAP_HEIGHT
    if at_foot:
        descender = block.size * 0.12  # half of one: the other half may hang into the gap
        first = box.bottom - descender - block.leading * (len(block.lines) - 1)
    for number, line in enumerate(block.lines):
        optical = box.left - block.size * (left_bearing(line) - weight)
        draw_text(plate, (optical, first + number * block.leading), line, block.size, weight)


def _caption(plate: Plate, sheet: Sheet, seed: int) -> None:
    """A hairline, and below it seed, palette and size; left out where nobody could read it."""
    size = sheet.short * 0.0165
    if size < 5:
        return
    box = sheet.caption
    hairline = max(1.0, sheet.short / 700)
    plate.rectangle(Box(box.left, box.top, box.right, box.top + hairline))
    ends = (f"Seed {seed}", f"{sheet.width} x {sheet.height}")
    draw_text(plate, (box.left, box.bottom), ends[0], size, 0.008)
    draw_text(plate, (box.right - em_width(ends[1]) * size, box.bottom), ends[1], size, 0.008)
    middle = sheet.palette.name
    if box.width > sheet.short * 0.7:
        draw_text(plate, (box.at(0.5, 0)[0], box.bottom), middle, size, 0.008)
