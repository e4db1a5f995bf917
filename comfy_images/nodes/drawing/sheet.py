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

    Art bleeds off three edges or stands inside the margin; both are decided by the dice.
    """
    margin = min(width, height) * 0.06
    caption_height = min(width, height) * 0.03
    caption = Box(margin, height - margin - caption_height, width - margin, height - margin)
    bleed = 0.0 if dice.chance(0.6) else margin
    type_first = dice.chance(0.5)
    if width > height * 1.25:
        split = round(width * dice.pick((0.4, 0.46)))
        inner = Box(margin, margin, split - margin, caption.top - margin)
        art = Box(split, bleed, width - bleed, height - bleed)
        if not type_first:
            art = Box(bleed, bleed, width - split, height - bleed)
            inner = Box(width - split + margin, margin, width - margin, inner.bottom)
            caption = Box(inner.left, caption.top, caption.right, caption.bottom)
        else:
            caption = Box(caption.left, caption.top, split - margin, caption.bottom)
        return Sheet(width, height, palette, art, inner, caption, type_at_foot=dice.chance(0.5))
    part = dice.pick((0.32, 0.37))
    if type_first:
        edge = round(height * part)
        foot = caption.top - margin * 0.7
        art = Box(bleed, edge, width - bleed, foot)
        inner = Box(margin, margin, width - margin, edge - margin * 0.7)
        return Sheet(width, height, palette, art, inner, caption, type_at_foot=False)
    edge = round(height * (1 - part) - caption_height)
    art = Box(bleed, bleed, width - bleed, edge)
    inner = Box(margin, edge + margin * 0.7, width - margin, caption.top - margin * 0.7)
    return Sheet(width, height, palette, art, inner, caption, type_at_foot=False)
