"""Signs and accents drawn from plain geometry, for characters the face lacks."""

import hashlib
import math
from itertools import pairwise
from typing import Final

from .plate import Box, Plate, Point, arc

_UNIT: Final = 0.13
"""Half the width of an accent, and below half its stroke, in ems."""
_HALF_STROKE: Final = 0.045
_BELOW: Final = frozenset("\u0327\u0328")
_ACCENTS: Final[dict[str, list[list[Point]]]] = {
    "\u0300": [[(0.5, 0.5), (-0.8, -0.6)]],
    "\u0301": [[(-0.5, 0.5), (0.8, -0.6)]],
    "\u0302": [[(-1.0, 0.55), (0.0, -0.55), (1.0, 0.55)]],
    "\u0303": [[(t / 4, -0.35 * math.sin(t * math.pi / 4)) for t in range(-4, 5)]],
    "\u0304": [[(-1.0, 0.0), (1.0, 0.0)]],
    "\u0306": [arc((0.0, -0.4), 0.9, 15, 165)],
    "\u0307": [[(0.0, 0.0)]],
    "\u0308": [[(-1.0, 0.0)], [(1.0, 0.0)]],
    "\u030a": [arc((0.0, -0.1), 0.7, 0, 360)],
    "\u030b": [[(-1.0, 0.5), (-0.2, -0.6)], [(0.4, 0.5), (1.2, -0.6)]],
    "\u030c": [[(-1.0, -0.55), (0.0, 0.55), (1.0, -0.55)]],
    "\u0327": [[(0.0, -0.6), (0.3, 0.1), (-0.5, 0.5)]],
    "\u0328": [[(0.6, -0.8), (0.1, 0.1), (0.7, 0.5)]],
}
"""Combining marks as strokes, in units; one point is a dot."""


def draw_sign(plate: Plate, character: str, foot: Point, side: float) -> None:
    """A square sign of four quarters, each one of five forms, chosen by the character's digest."""
    digest = hashlib.sha256(character.encode()).digest()
    half = side / 2
    for quarter in range(4):
        left, top = foot[0] + half * (quarter % 2), foot[1] - side + half * (quarter // 2)
        box = Box(left, top, left + half, top + half)
        _quarter(plate, box, digest[quarter] % 5, digest[quarter + 4] % 4)


def _quarter(plate: Plate, box: Box, form: int, corner: int) -> None:
    x, y = ((0, 0), (1, 0), (1, 1), (0, 1))[corner]
    root = box.at(x, y)
    match form:
        case 0:
            plate.rectangle(box)
        case 1:
            plate.polygon([root, *arc(root, box.width, 90 * corner, 90 * corner + 90)])
        case 2:
            plate.polygon([root, box.at(1 - x, y), box.at(x, 1 - y)])
        case 3:
            plate.disc(box.centre, box.width * 0.38)
        case _:
            plate.sector(root, box.width * 0.55, box.width, 90 * corner, 90 * corner + 90)


def draw_accent(plate: Plate, accent: str, base: Point, size: float, *, tall: bool) -> None:
    """An accent over a letter that stands on `base`; unknown ones are left out."""
    x, unit = base[0], size * _UNIT
    y = base[1] + (unit if accent in _BELOW else -size * (0.84 if tall else 0.66))
    strokes = _ACCENTS.get(accent, [])
    for stroke in strokes:
        _stroke(plate, [(x + dx * unit, y + dy * unit) for dx, dy in stroke], size * _HALF_STROKE)


def _stroke(plate: Plate, points: list[Point], half: float) -> None:
    """A line with round ends and corners; of one point, a dot."""
    for point in points:
        plate.disc(point, half if len(points) > 1 else half * 1.3)
    for (x0, y0), (x1, y1) in pairwise(points):
        length = math.hypot(x1 - x0, y1 - y0) or 1.0
        nx, ny = (y0 - y1) / length * half, (x1 - x0) / length * half
        corners = ((x0 + nx, y0 + ny), (x1 + nx, y1 + ny), (x1 - nx, y1 - ny), (x0 - nx, y0 - ny))
        plate.polygon(corners)
