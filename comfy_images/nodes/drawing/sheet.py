"""A sheet before printing: its size, palette, and where art and type go."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .dice import Dice
from .palettes import Palette
from .plate import Box, Plate


@dataclass(frozen=True, slots=True)
class Sheet:
    """The boxes never overlap, so type stays readable whatever the art does."""

    width: int
    height: int
    palette: Palette
    art: Box
    type_box: Box
    caption: Box
    type_at_foot: bool

    @property
    def size(self) -> tuple[int, int]:
        return self.width, self.height

    @property
    def short(self) -> int:
        return min(self.width, self.height)

    def plates(self, *, opaque: bool = False) -> list[Plate]:
        """One empty plate an ink. Inks on a dark paper are always opaque."""
        opaque = opaque or self.palette.opaque
        return [Plate(self.size, ink, opaque=opaque) for ink in self.palette.inks]

    def clipped(self, plates: Sequence[Plate]) -> Iterator[Plate]:
        for plate in plates:
            plate.clip(self.art)
            yield plate


def lay_out(width: int, height: int, palette: Palette, dice: Dice) -> Sheet:
    """Landscape sheets set type beside the art, others above or below it.

    Art bleeds off the sheet's edges or stands inside the margin; both are decided by the dice.
    """
    margin = min(width, height) * 0.06
    page = Box(margin, margin, width - margin, height - margin)
    frame = Box(0, 0, width, height) if dice.chance(0.6) else page
    type_first = dice.chance(0.5)
    if width > height * 1.25:
        part = width * dice.pick((0.4, 0.46))
        boxes = _side_by_side(page, frame, part, margin, type_first=type_first)
        return Sheet(width, height, palette, *boxes, type_at_foot=dice.chance(0.5))
    part = height * dice.pick((0.32, 0.37))
    boxes = _stacked(page, frame, part, margin, type_first=type_first)
    return Sheet(width, height, palette, *boxes, type_at_foot=False)


def _side_by_side(
    page: Box, frame: Box, part: float, margin: float, *, type_first: bool
) -> tuple[Box, Box, Box]:
    """Art, type and caption; the caption stands under the type."""
    if type_first:
        split = round(part)
        art = Box(split, frame.top, frame.right, frame.bottom)
        left, right = page.left, split - margin
    else:
        split = round(page.right + margin - part)
        art = Box(frame.left, frame.top, split, frame.bottom)
        left, right = split + margin, page.right
    caption = Box(left, page.bottom - margin / 2, right, page.bottom)
    return art, Box(left, page.top, right, caption.top - margin), caption


def _stacked(
    page: Box, frame: Box, part: float, margin: float, *, type_first: bool
) -> tuple[Box, Box, Box]:
    """Art, type and caption; the caption runs along the foot of the page."""
    caption = Box(page.left, page.bottom - margin / 2, page.right, page.bottom)
    gap = margin * 0.7
    if type_first:
        edge = round(part)
        art = Box(frame.left, edge, frame.right, caption.top - gap)
        return art, Box(page.left, page.top, page.right, edge - gap), caption
    edge = round(caption.top + margin - part)
    art = Box(frame.left, frame.top, frame.right, edge)
    return art, Box(page.left, edge + gap, page.right, caption.top - gap), caption
