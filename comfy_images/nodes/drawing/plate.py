"""A printing plate: one ink's coverage, drawn larger than printed so that its edges come out smooth."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on the sheet, in printed pixels."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def short(self) -> float:
        return min(self.width, self.height)

    @property
    def centre(self) -> Point:
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def at(self, x: float, y: float) -> Point:
        """The point at these fractions of the width and the height."""
        return self.left + x * self.width, self.top + y * self.height


def oversampling(width: int, height: int) -> int:
    """Three where it is cheap; two keeps a 4096 x 4096 plate at 64 MiB."""
    return 3 if width * height <= 2_000_000 else 2


class Plate:
    """What one ink prints: white is ink, black is none. Coordinates are printed pixels."""

    def __init__(self, size: tuple[int, int], ink: Colour, *, opaque: bool = False) -> None:
        """An opaque ink hides what lies below, the others multiply with it."""
        self.ink = ink
        self.opaque = opaque
        self._size = size
        self._scale = oversampling(*size)
        self._image = Image.new("L", (size[0] * self._scale, size[1] * self._scale))
        self._draw = ImageDraw.Draw(self._image)

    def polygon(self, points: Iterable[Point], *, cut: bool = False) -> None:
        scaled = [(x * self._scale, y * self._scale) for x, y in points]
        self._draw.polygon(scaled, fill=0 if cut else 255)

    def rectangle(self, box: Box, *, cut: bool = False) -> None:
        corners = ((box.left, box.top), (box.right, box.top))
        self.polygon((*corners, (box.right, box.bottom), (box.left, box.bottom)), cut=cut)

    def disc(self, centre: Point, radius: float, *, cut: bool = False) -> None:
        (x, y), s = centre, self._scale
        bounds = ((x - radius) * s, (y - radius) * s, (x + radius) * s, (y + radius) * s)
        self._draw.ellipse(bounds, fill=0 if cut else 255)

    def sector(self, centre: Point, inner: float, outer: float, start: float, end: float) -> None:
        """A piece of a ring between two angles in degrees, clockwise from three o'clock."""
        self.polygon(arc(centre, outer, start, end) + arc(centre, inner, end, start))

    def enlarged(self, size: float) -> int:
        """The font size whose letters print at that size."""
        return max(1, round(size * self._scale))

    def letters(
        self, baseline: Point, text: str, font: ImageFont.FreeTypeFont, stroke: float
    ) -> None:
        """Letters from their left end; the font is an enlarged one, the stroke adds weight."""
        x, y = baseline[0] * self._scale, baseline[1] * self._scale
        self._draw.text(
            (x, y), text, fill=255, font=font, anchor="ls", stroke_width=stroke * self._scale
        )

    def clip(self, box: Box) -> None:
        """Keep what lies in the box."""
        s = self._scale
        bounds = (
            round(box.left * s),
            round(box.top * s),
            round(box.right * s),
            round(box.bottom * s),
        )
        kept = self._image.crop(bounds)
        self._image.paste(0, (0, 0, *self._image.size))
        self._image.paste(kept, bounds[:2])

    def coverage(self) -> Image.Image:
        """The plate at printed size, as an "L" image."""
        return self._image.reduce(self._scale)


def arc(centre: Point, radius: float, start: float, end: float) -> list[Point]:
    """Points along an arc, close enough together that no corner shows."""
    steps = max(2, math.ceil(abs(end - start) * max(radius, 40) / 170))
    angles = (math.radians(start + (end - start) * i / steps) for i in range(steps + 1))
    return [(centre[0] + radius * math.cos(a), centre[1] + radius * math.sin(a)) for a in angles]
