"""Compositions of circles: broken rings, petals, arches, a halftone."""

import math
from collections.abc import Iterator

from .dice import Dice
from .plate import Box, Plate, Point
from .sheet import Sheet


def rings(sheet: Sheet, dice: Dice) -> Iterator[Plate]:
    """Broken rings that widen outwards, after the Zurich concert posters of the fifties."""
    box = sheet.art
    centre = box.at(dice.pick((0.33, 0.5, 0.67)), dice.pick((0.4, 0.5, 0.6)))
    plates = sheet.plates()
    ratio, step = dice.pick((1.38, 1.5, 1.62)), dice.pick((30.0, 45.0))
    edges = (centre[0] - box.left, box.right - centre[0])
    edges = (*edges, centre[1] - box.top, box.bottom - centre[1])
    # One ring touches the nearest edge, so that none is cut off by a hair.
    radius = min(edges) * ratio ** -dice.whole(4, 5)
    reach, previous = math.hypot(max(edges[:2]), max(edges[2:])), -1
    while radius < reach:
        outer = radius * ratio
        # The last ring reaches the farthest corner: a sliver left over looks like a mistake.
        outer = reach if outer > reach * 0.85 else outer
        index = dice.whole(0, len(plates) - 1)
        index = (index + 1) % len(plates) if index == previous else index
        start, previous = dice.whole(0, 11) * step, index
        for offset, length in _broken(dice, round(360 / step)):
            begin = start + offset * step
            plates[index].sector(centre, radius, outer, begin, begin + length * step)
        radius = outer
    yield from sheet.clipped(plates)


def _broken(dice: Dice, parts: int) -> list[tuple[int, int]]:
    """Where a ring of so many parts is inked: one or two runs, about half of it."""
    first = dice.whole(parts // 4, parts // 2)
    if dice.chance(0.45):
        return [(0, first)]
    gap = dice.whole(1, max(1, parts // 4))
    return [(0, first), (first + gap, max(1, (parts - first - gap) // 2))]


def petals(sheet: Sheet, dice: Dice) -> Iterator[Plate]:
    """Lens shapes turned about one point, one set to an ink; the overlaps make the drawing."""
    box = sheet.art
    centre = box.centre
    reach = box.short * 0.5
    count = dice.pick((6, 8, 9, 12))
    *petalled, heart = sheet.plates()[:3]
    for number, plate in enumerate(petalled):
        turn = 180 / count * number + dice.between(0, 4)
        length = reach * (1 - 0.3 * number)
        for petal in range(count):
            angle = turn + petal * 360 / count
            plate.polygon(_lens(centre, length, length * 1.9 / count, angle))
        plate.disc(centre, reach * 0.17, cut=True)
    heart.disc(centre, reach * 0.13)
    plates = [*petalled, heart]
    yield from sheet.clipped(plates)


def _lens(root: Point, length: float, half_width: float, angle: float) -> list[Point]:
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    sides = [(i / 40, 1.0) for i in range(41)] + [(i / 40, -1.0) for i in range(40, -1, -1)]
    points: list[Point] = []
    for along, side in sides:
        x, y = along * length, side * half_width * math.sin(math.pi * along)
        points.append((root[0] + x * cos - y * sin, root[1] + x * sin + y * cos))
    return points


def arches(sheet: Sheet, dice: Dice) -> Iterator[Plate]:
    """Rows of nested arches laid over one another like scales, each begun with its own ink."""
    box = sheet.art
    columns = dice.pick((2, 3, 3, 4))
    cell = box.width / columns
    rounds = dice.pick((3, 4, 5))
    plates = sheet.plates(opaque=True)
    rows = math.ceil(box.height / (cell / 2)) + 2
    feet = [
        (box.left + (column + (row % 2) / 2) * cell, box.top + row * cell / 2)
        for row in range(rows)
        for column in range(-1, columns + 1)
    ]
    for foot in feet:
        _nest(plates, foot, cell / 2, rounds, dice.whole(0, len(plates) - 1))
    yield from sheet.clipped(plates)


def _nest(plates: list[Plate], foot: Point, radius: float, rounds: int, first: int) -> None:
    """Draw one scale over its neighbours: each ring is cut from the other inks."""
    for plate in plates:
        plate.disc(foot, radius, cut=True)
    for number in range(rounds):
        outer = radius * (1 - number / rounds)
        for index, plate in enumerate(plates):
            inked = number % 2 == 0 and index == (first + number // 2) % len(plates)
            plate.disc(foot, outer, cut=not inked)


def halftone(sheet: Sheet, dice: Dice) -> Iterator[Plate]:
    """One or two spheres out of dots, an ink each, their screens turned against each other."""
    box = sheet.art
    cell = box.short / dice.pick((22, 27, 32))
    plates = sheet.plates()[: dice.pick((2, 3))]
    turn = dice.between(10, 30)
    for number, plate in enumerate(plates):
        light = box.at(dice.between(0.15, 0.85), dice.between(0.15, 0.85))
        reach = box.short * dice.between(0.55, 0.85)
        for x, y in _screen(box, cell, turn + 30 * number):
            tone = max(0.0, 1 - math.hypot(x - light[0], y - light[1]) / reach)
            radius = cell * 0.74 * math.sqrt(tone)
            if radius > cell * 0.09:
                plate.disc((x, y), radius)
    yield from sheet.clipped(plates)


def _screen(box: Box, cell: float, angle: float) -> Iterator[Point]:
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    (x0, y0), reach = box.centre, math.hypot(box.width, box.height) / 2
    half = math.ceil(reach / cell)
    for row in range(-half, half + 1):
        for column in range(-half, half + 1):
            x, y = column * cell, row * cell
            yield x0 + x * cos - y * sin, y0 + x * sin + y * cos
