"""From a prompt and a seed to a printed poster."""

from collections.abc import Callable, Iterator
from typing import Final

from PIL import Image

from .dice import Dice
from .palettes import PALETTES
from .plate import Plate
from .press import Press
from .round_forms import arches, halftone, petals, rings
from .sheet import Sheet, lay_out
from .straight_forms import beams, overprint, ribbons, tiles, turning_squares
from .type_plate import set_type

Composition = Callable[[Sheet, Dice], Iterator[Plate]]
Watcher = Callable[[int, int, Image.Image | None], None]

COMPOSITIONS: Final[tuple[Composition, ...]] = (
    rings, tiles, halftone, ribbons, overprint, arches, beams, petals, turning_squares,
)  # fmt: skip


def render(prompt: str, seed: int, width: int, height: int, watch: Watcher) -> Image.Image:
    """The same arguments give the same pixels.

    Neighbouring seeds differ in composition and palette, so a batch of counted seeds shows the
    whole range. `watch` gets the step, the number of steps and, after each of the two to four art
    plates, the sheet so far; what it raises stops the rendering.
    """
    dice = Dice(seed)
    family, lap = seed % len(COMPOSITIONS), seed // len(COMPOSITIONS)
    palette = PALETTES[(seed * 5 + lap) % len(PALETTES)]
    sheet = lay_out(width, height, palette, dice)
    press = Press(sheet, dice)
    art = list(COMPOSITIONS[family](sheet, dice))
    steps = len(art) + 2
    for number, plate in enumerate(art, start=1):
        press.print_plate(plate)
        watch(number, steps, press.show())
    press.print_plate(set_type(sheet, prompt, seed, dice), in_register=True)
    watch(len(art) + 1, steps, None)
    poster = press.finish()
    watch(steps, steps, None)
    return poster
