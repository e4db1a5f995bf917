"""Printing plates on paper one by one, with the grain of a stencil press."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops

from .dice import Dice
from .plate import Plate
from .sheet import Sheet

_TILE = 512


class Press:
    """Holds one sheet; `show` is the sheet as printed so far."""

    def __init__(self, sheet: Sheet, dice: Dice) -> None:
        """Slip is how far a plate may sit off its place, in pixels: most posters have a little."""
        self._dice = dice
        self._slip = sheet.short * dice.pick((0.0, 0.0008, 0.0025))
        self._noise = dice.generator.standard_normal((_TILE, _TILE), dtype=np.float32)
        self._image = Image.new("RGB", sheet.size, sheet.palette.paper)

    def show(self) -> Image.Image:
        return self._image.copy()

    def print_plate(self, plate: Plate, *, in_register: bool = False) -> None:
        coverage = self._speckled(plate.coverage())
        if not in_register:
            coverage = self._slipped(coverage)
        ink = Image.new("RGB", self._image.size, plate.ink)
        printed = ink if plate.opaque else ImageChops.multiply(self._image, ink)
        self._image.paste(printed, (0, 0), coverage)

    def finish(self) -> Image.Image:
        """The sheet with the tooth of its paper over everything."""
        tooth = self._grain(strength=3.2)
        pixels = np.asarray(self._image, dtype=np.int16) + tooth[:, :, None]
        return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))

    def _speckled(self, coverage: Image.Image) -> Image.Image:
        """Ink never lies quite even: thin it by the grain, most where the paper's tooth is deep."""
        grain = self._grain(strength=9.0)
        holes = np.abs(grain) + np.where(grain > 22, 46, 0)
        thinned = np.asarray(coverage, dtype=np.int16) - holes.astype(np.int16)
        return Image.fromarray(thinned.clip(0, 255).astype(np.uint8))

    def _slipped(self, coverage: Image.Image) -> Image.Image:
        dx, dy = (round(self._dice.between(-self._slip, self._slip)) for _ in range(2))
        moved = Image.new("L", coverage.size)
        moved.paste(coverage, (dx, dy))
        return moved

    def _grain(self, strength: float) -> NDArray[np.int16]:
        """One tile of noise, laid from a new corner each time, covers sheets of any size."""
        width, height = self._image.size
        shift = (self._dice.whole(0, _TILE - 1), self._dice.whole(0, _TILE - 1))
        tile = (np.roll(self._noise, shift, axis=(0, 1)) * strength).astype(np.int16)
        return np.tile(tile, (height // _TILE + 1, width // _TILE + 1))[:height, :width]
