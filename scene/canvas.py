"""Camera, sprites and drawing functions of the demonstration scene."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from flatsort.tracker.types import Bool, Float, Image

Colour = tuple[int, int, int]
"""Red, green, blue, 0..255."""

SUN = (0.75, -0.55)
"""Length of a shadow, to the right and away from the camera, in metres per metre of height."""
EYE = 4.0
"""Height of the camera above the ground in metres."""
WALL = 30.0
"""Distance of the houses from the camera in metres."""
FINE = 2
"""Factor of antialiasing: everything is drawn this many times larger and reduced by averaging."""


@dataclass(frozen=True)
class View:
    """A level camera above flat ground.

    Attributes
    ----------
    width, height : int
        Size of the image in pixels.
    """

    width: int
    height: int

    def scale(self, away: float) -> float:
        """Pixels per metre at a distance of ``away`` metres."""
        return 1.45 * self.height / away

    def project(self, points: Float) -> Float:
        """Pixels [... 2] of points [... 3] in metres: right of the camera, away from it, above the ground."""
        scale = 1.45 * self.height / np.maximum(points[..., 1], 0.5)
        right = 0.5 * self.width + scale * points[..., 0]
        down = 0.2 * self.height + scale * (EYE - points[..., 2])
        return np.stack([right, down], axis=-1)

    def ground(self, right: Float, down: Float) -> tuple[Float, Float]:
        """Position of the ground, in metres to the right and away, at pixels below the horizon."""
        away = 1.45 * self.height * EYE / (down - 0.2 * self.height)
        return (right - 0.5 * self.width) * away / (1.45 * self.height), away


@dataclass(frozen=True, eq=False)
class Sprite:
    """An image with premultiplied transparency, and its position.

    Attributes
    ----------
    pixels : uint8 [h w 4]
        Colour times coverage, and coverage.
    left, top : int
        Position in the image; parts may lie outside.
    """

    pixels: Image
    left: int
    top: int

    def window(self, width: int, height: int) -> tuple[slice, slice, Image]:
        """Rows and columns of the image that the sprite covers, and its pixels there."""
        y0, x0 = max(self.top, 0), max(self.left, 0)
        y1 = max(min(self.top + self.pixels.shape[0], height), y0)
        x1 = max(min(self.left + self.pixels.shape[1], width), x0)
        part = self.pixels[y0 - self.top : y1 - self.top, x0 - self.left : x1 - self.left]
        return slice(y0, y1), slice(x0, x1), part

    def paint(self, canvas: Image) -> None:
        """Draw the sprite onto an image, in place."""
        rows, columns, part = self.window(canvas.shape[1], canvas.shape[0])
        if part.size:
            under = canvas[rows, columns]
            rest = cv2.cvtColor(255 - part[..., 3], cv2.COLOR_GRAY2RGB)
            canvas[rows, columns] = cv2.add(cv2.multiply(under, rest, scale=1 / 255), part[..., :3])

    def covers(self, width: int, height: int) -> tuple[slice, slice, Bool]:
        """Rows and columns of the image and, in them, a mask of the pixels that are mostly covered."""
        rows, columns, part = self.window(width, height)
        return rows, columns, part[..., 3] > 127


def polygon(canvas: Image, points: Float, colour: tuple[int, ...]) -> None:
    """Fill a polygon [k 2] (pixels, centres at whole numbers) that is convex or monotone in y."""
    cv2.fillConvexPoly(canvas, np.round(points * 16).astype(np.int32), colour, cv2.LINE_AA, 4)


def shrink(canvas: Image) -> Image:
    """Reduce an image by averaging squares of `FINE` × `FINE` pixels."""
    size = (canvas.shape[1] // FINE, canvas.shape[0] // FINE)
    return cv2.resize(canvas, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


@lru_cache(4096)
def tint(colour: Colour, factor: float) -> Colour:
    """The colour, brighter or darker by a factor."""
    red, green, blue = colour
    return min(255, round(red * factor)), min(255, round(green * factor)), min(255, round(blue * factor))
