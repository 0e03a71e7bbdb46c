"""Pictures as detection networks take them: tiles, letterbox or stretching, order and scale of colours.

References
----------
Ge et al., "YOLOX: Exceeding YOLO Series in 2021", arXiv:2107.08430 (letterbox at the top left, BGR in 0..255).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from flatsort.tracker.types import Bool, Float, Float32, Image

GREY = 114
"""Value of the border beside letterboxed pictures, as in the training of all YOLO families."""

CUT = 0.03
"""A box that comes nearer to a tile's border than this share of its longer side counts as cut by it."""

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and deviation of ImageNet's red, green and blue, of values in 0..1."""

Window = tuple[int, int, int, int]
"""Part of an image: left, top, right, bottom in pixels."""


@dataclass(frozen=True)
class PictureForm:
    """How a network takes its pictures.

    Attributes
    ----------
    fit : str
        "corner": scaled into the top left corner of a grey canvas; "centre": into its middle; "stretch": to its sides.
    bgr : bool
        Whether blue comes first.
    scale : float
        First, divisor of the values 0..255.
    mean, deviation : tuple of float
        Then subtracted from, and divisor of, each channel, in the network's order.
    """

    fit: str = "centre"
    bgr: bool = False
    scale: float = 255.0
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    deviation: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def place(self, image: Image, size: tuple[int, int]) -> tuple[Image, Float, Float]:
        """The image on a canvas, and the scale and shift, [4] each, that take xyxy boxes of the image there.

        Parameters
        ----------
        image : uint8 [h w 3]
        size : (int, int)
            Width and height of the canvas in pixels.
        """
        height, width = image.shape[:2]
        if self.fit == "stretch":
            canvas = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)
            return canvas, np.array([size[0] / width, size[1] / height] * 2), np.zeros(4)
        scale = min(size[0] / width, size[1] / height)
        inner = (max(1, int(width * scale)), max(1, int(height * scale)))
        left, top = ((size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2) if self.fit == "centre" else (0, 0)
        canvas = np.full((size[1], size[0], 3), GREY, np.uint8)
        place = canvas[top : top + inner[1], left : left + inner[0]]
        place[:] = cv2.resize(image, inner, interpolation=cv2.INTER_LINEAR)
        return canvas, np.full(4, scale), np.array([left, top] * 2, np.float64)

    def values(self, canvases: Sequence[Image]) -> Float32:
        """The network's input [n 3 h w] for images uint8 [h w 3] of one size."""
        blob = cv2.dnn.blobFromImages(canvases, swapRB=self.bgr).astype(np.float32, copy=False)
        gain = 1 / (np.array(self.deviation) * self.scale)
        shift = -np.array(self.mean) / self.deviation
        if (gain != 1).any() or shift.any():
            blob *= gain.astype(np.float32)[:, None, None]
            blob += shift.astype(np.float32)[:, None, None]
        return blob


def windows(width: int, height: int, tiles: tuple[int, int], overlap: float) -> list[Window]:
    """The window of the whole image and, where there is more than one, those of its overlapping tiles.

    Parameters
    ----------
    width, height : int
        Size of the image in pixels.
    tiles : (int, int)
        Number of columns and rows.
    overlap : float
        Share of a tile's side that overlaps its neighbour.

    Raises
    ------
    ValueError
        If a tile would be smaller than a pixel.
    """
    whole = (0, 0, width, height)
    if tiles == (1, 1):
        return [whole]
    if any(_side(length, count, overlap) < 1 for length, count in zip((width, height), tiles, strict=True)):
        raise ValueError(
            f"detector.tiles: expected tiles of at least one pixel, got {tiles[0]}x{tiles[1]} "
            f"in a picture of {width}x{height}"
        )
    columns, rows = (_spans(length, count, overlap) for length, count in zip((width, height), tiles, strict=True))
    return [whole] + [(x0, y0, x1, y1) for y0, y1 in rows for x0, x1 in columns]


def uncut(boxes: Float, window: Window, width: int, height: int) -> Bool:
    """Which boxes [n 4] of a window are not cut by those of its sides that lie inside the image; [n].

    The others are detected completely in the overlapping neighbour tile or in the whole image.
    """
    x0, y0, x1, y1 = window
    margin = CUT * max(x1 - x0, y1 - y0)
    ok: Bool = (boxes[:, 0] > x0 + margin) | (x0 == 0)
    ok &= (boxes[:, 1] > y0 + margin) | (y0 == 0)
    ok &= (boxes[:, 2] < x1 - margin) | (x1 == width)
    ok &= (boxes[:, 3] < y1 - margin) | (y1 == height)
    return ok


def _side(length: int, count: int, overlap: float) -> float:
    return length / (count - (count - 1) * overlap)


def _spans(length: int, count: int, overlap: float) -> list[tuple[int, int]]:
    side = _side(length, count, overlap)
    starts = [i * side * (1 - overlap) for i in range(count)]
    # rounding must not leave a tile without a pixel
    return [(round(start), max(round(start) + 1, min(length, round(start + side)))) for start in starts]
