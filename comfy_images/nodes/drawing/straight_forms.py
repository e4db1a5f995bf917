"""Compositions of lines and planes: beams, ribbons, tiles, turning squares, overprints."""

import math
from collections.abc import Callable, Iterator

from .dice import Dice
from .plate import Box, Plate, Point, arc
from .sheet import Sheet


def beams(sheet: Sheet, dice: Dice) -> Iterator[Plate]:
    """Parallel bars growing thicker, a set to an ink, all at multiples of one angle."""
    box = sheet.art
    plates = sheet.plates()
    base = dice.pick((-45.0, 45.0, -30.0, 30.0))
    turns = dice.pick(((0.0, 0.0, 90.0, 0.0), (0.0, 90.0, 0.0, 90.0), (0.0, 0.0, 0.0, 0.0)))
    reach = math.hypot(box.width, box.height)
    for number, (plate, turn) in enumerate(zip(plates, turns, strict=False)):
        count = dice.pick((5, 7, 9))
        span = reach * dice.between(0.3, 0.55)
        start = (number / len(plates) - 0.5) * reach * 0.9
        for bar in range(count):
            pitch = span / count
            thick = pitch * (bar + 1) / (count + 1.2)
            near = start + bar * pitch
            plate.polygon(_bar(box.centre, base + turn, near, near + thick, reach))
    yield from sheet.clipped(plates)


def _bar(centre: Point, angle: float, near: float, far: float, reach: float) -> list[Point]:
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    corners = ((-reach, near), (reach, near), (reach, far), (-reach, far))
    return [(centre[0] + x * cos - y * sin, centre[1] + x * sin + y * cos) for x, y in corners]


def ribbons(sheet: Sheet, dice: Dice) -> Iterator[Plate]:
    """A bundle of stripes that runs in, turns a quarter circle or two, and runs out."""
    box = sheet.art
    plates = sheet.plates(opaque=True)
    stripes = dice.pick((4, 6, 8))
    band = box.short * dice.between(0.42, 0.58)
    path = _path(box, band, dice)
    for number in range(stripes):
        near = -band / 2 + band * number / stripes
        plate = plates[number % len(plates)]
        outline = _offset(path, near) + _offset(path, near + band / stripes * 0.82)[::-1]
        plate.polygon(outline)
    yield from sheet.clipped(plates)


def _path(box: Box, band: float, dice: Dice) -> list[Point]:
    """The middle line: a straight, an S of two quarter turns, a straight; mirrored by chance."""
    radius = band * dice.between(0.62, 0.8)
    mirror = dice.pick((-1, 1))
    reach = box.width + box.height
    turns = arc((-radius, 0), radius, 90, 0) + arc((radius, 0), radius, 180, 270)
    points = [(-reach, radius), *turns, (reach, -radius)]
    return [(box.centre[0] + mirror * x, box.centre[1] + y) for x, y in points]


def _offset(path: list[Point], distance: float) -> list[Point]:
    """The path moved sideways; its turns are wider than half the band, so it never folds."""
    moved: list[Point] = []
    for index, (x, y) in enumerate(path):
        before, after = path[max(0, index - 1)], path[min(len(path) - 1, index + 1)]
        dx, dy = after[0] - before[0], after[1] - before[1]
        length = math.hypot(dx, dy) or 1.0
        moved.append((x - dy / length * distance, y + dx / length * distance))
    return moved


def tiles(sheet: Sheet, dice: Dice) -> Iterator[Plate]:
    """A grid of quarter circles, halves, discs and triangles, two inks to a tile."""
    box = sheet.art
    across, rows = _grid(box, dice)
    cell, tall = box.width / across, box.height / rows
    plates = sheet.plates(opaque=True)
    for row in range(rows):
        for column in range(across):
            left, top = box.left + column * cell, box.top + row * tall
            tile = Box(left, top, left + cell, top + tall)
            ground, figure = dice.shuffled(range(len(plates) + 1))[:2]
            if ground < len(plates):
                plates[ground].rectangle(tile)
            if figure < len(plates):
                form = dice.pick(_FORMS)(tile, dice)
                for index, plate in enumerate(plates):
                    plate.polygon(form, cut=index != figure)
    yield from sheet.clipped(plates)


def _grid(box: Box, dice: Dice) -> tuple[int, int]:
    """Columns and rows whose tiles are nearly square: a stretched disc shows at once."""
    shapes = [(across, max(1, round(box.height / box.width * across))) for across in range(2, 8)]

    def stretch(shape: tuple[int, int]) -> float:
        return abs(math.log(box.width / shape[0] * shape[1] / box.height))

    best = min(map(stretch, shapes))
    return dice.pick([shape for shape in shapes if stretch(shape) <= best + 0.04])


def _quarter(tile: Box, dice: Dice) -> list[Point]:
    corner = dice.whole(0, 3)
    x, y = ((0, 0), (1, 0), (1, 1), (0, 1))[corner]
    root = tile.at(x, y)
    return [root, *_stretched(tile, root, arc((0, 0), 1, 90 * corner, 90 * corner + 90), 1.0)]


def _half(tile: Box, dice: Dice) -> list[Point]:
    side = dice.whole(0, 3)
    x, y = ((0.5, 0), (1, 0.5), (0.5, 1), (0, 0.5))[side]
    return _stretched(tile, tile.at(x, y), arc((0, 0), 1, 90 * side, 90 * side + 180), 0.5)


def _disc(tile: Box, dice: Dice) -> list[Point]:
    return arc(tile.centre, tile.short * dice.pick((0.5, 0.36, 0.25)), 0, 360)


def _triangle(tile: Box, dice: Dice) -> list[Point]:
    corners = [tile.at(0, 0), tile.at(1, 0), tile.at(1, 1), tile.at(0, 1)]
    missing = dice.whole(0, 3)
    return [corner for index, corner in enumerate(corners) if index != missing]


def _diamond(tile: Box, _dice: Dice) -> list[Point]:
    return [tile.at(0.5, 0), tile.at(1, 0.5), tile.at(0.5, 1), tile.at(0, 0.5)]


def _stretched(tile: Box, root: Point, unit: list[Point], part: float) -> list[Point]:
    return [(root[0] + x * tile.width * part, root[1] + y * tile.height * part) for x, y in unit]


_FORMS: tuple[Callable[[Box, Dice], list[Point]], ...] = (
    _quarter, _quarter, _half, _disc, _triangle, _diamond,
)  # fmt: skip


def turning_squares(sheet: Sheet, dice: Dice) -> Iterator[Plate]:
    """Squares inside squares, each turned a little further: a tunnel of two or three inks."""
    box = sheet.art
    plates = sheet.plates(opaque=True)
    centre = box.at(dice.between(0.42, 0.58), dice.between(0.42, 0.58))
    corners = dice.pick((3, 4, 4, 6))
    turn, shrink = dice.pick((-9.0, 7.0, 11.0, 15.0)), dice.pick((0.84, 0.88))
    radius, angle, number = 2 * math.hypot(box.width, box.height), dice.between(0, 90), 0
    while radius > box.short * 0.03:
        shape = [
            (
                centre[0] + radius * math.cos(math.radians(angle + 360 / corners * corner)),
                centre[1] + radius * math.sin(math.radians(angle + 360 / corners * corner)),
            )
            for corner in range(corners)
        ]
        for index, plate in enumerate(plates):
            plate.polygon(shape, cut=index != number % (len(plates) + 1))
        radius, angle, number = radius * shrink, angle + turn, number + 1
    yield from sheet.clipped(plates)


def overprint(sheet: Sheet, dice: Dice) -> Iterator[Plate]:
    """A few very large plain shapes, each an ink, laid over one another and whole."""
    box = sheet.art
    plates = sheet.plates()
    spots = dice.shuffled(((0.3, 0.36), (0.66, 0.4), (0.46, 0.64), (0.7, 0.68)))
    for plate, (x, y) in zip(plates, spots, strict=False):
        centre = box.at(x, y)
        room = min(
            *(centre[0] - box.left, box.right - centre[0]),
            *(centre[1] - box.top, box.bottom - centre[1]),
        )
        radius = room * dice.between(0.86, 1.0)
        start = dice.whole(0, 7) * 45.0
        sweep = dice.pick((360.0, 360.0, 180.0, 270.0))
        plate.sector(centre, radius * dice.pick((0.0, 0.0, 0.45)), radius, start, start + sweep)
    yield from sheet.clipped(plates)
