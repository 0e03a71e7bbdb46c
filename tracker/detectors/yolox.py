"""Pre- and postprocessing of YOLOX: letterbox, tiles, grid decoding and non-maximum suppression.

References
----------
Ge et al., "YOLOX: Exceeding YOLO Series in 2021", arXiv:2107.08430, section 2.1 (decoupled head, no anchors).
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from flatsort.tracker.boxes import xyxy_to_xywh
from flatsort.tracker.types import Bool, Detections, Float, Float32, Image

GREY = 114
"""Value of the border that YOLOX was trained with."""

CUT = 0.03
"""A box that comes nearer to a tile's border than this share of its longer side counts as cut by it."""

_STRIDES = ((8, 16, 32), (8, 16, 32, 64))

Window = tuple[int, int, int, int]
"""Part of an image: left, top, right, bottom in pixels."""


def letterbox(image: Image, size: tuple[int, int]) -> tuple[Image, float]:
    """The image scaled into the top left corner of a grey canvas, and the scale.

    Parameters
    ----------
    image : uint8 [h w 3]
    size : (int, int)
        Width and height of the canvas in pixels.
    """
    height, width = image.shape[:2]
    scale = min(size[0] / width, size[1] / height)
    inner = (max(1, int(width * scale)), max(1, int(height * scale)))
    canvas = np.full((size[1], size[0], 3), GREY, np.uint8)
    cv2.resize(image, inner, dst=canvas[: inner[1], : inner[0]], interpolation=cv2.INTER_LINEAR)
    return canvas, scale


def grid(size: tuple[int, int], anchors: int) -> tuple[Float32, Float32] | None:
    """Cell [anchors 2] and stride [anchors 1] of each row of the head; None if no known strides give this many rows.

    Parameters
    ----------
    size : (int, int)
        Width and height of the input in pixels.
    anchors : int
        Number of rows of the head's output.
    """
    for strides in _STRIDES:
        shapes = [(size[1] // s, size[0] // s) for s in strides]
        if sum(h * w for h, w in shapes) == anchors:
            cells = [np.indices(shape)[::-1].reshape(2, -1).T for shape in shapes]
            steps = np.repeat(strides, [h * w for h, w in shapes])
            return np.concatenate(cells).astype(np.float32), steps[:, None].astype(np.float32)
    return None


def is_decoded(head: Float32, cells: Float32, strides: Float32) -> bool:
    """Whether the boxes of a head [anchors 5+c] are in pixels, and not relative to their cells.

    Box centres are near their cells, so that coordinates of the two kinds differ by about an image's width.
    """
    as_pixels = np.abs(head[:, :2] - (cells + 0.5) * strides)
    as_offsets = np.abs(head[:, :2] - 0.5)
    return bool(np.median(as_pixels) < np.median(as_offsets))


def decode(raw: Float32, cells: Float32, strides: Float32) -> Float32:
    """Centre and size [n 4] in pixels, from rows of the head [n 5+c], their cells [n 2] and strides [n 1]."""
    with np.errstate(over="ignore"):  # a box that overflows is dropped later as invalid
        return np.concatenate([raw[:, :2] + cells, np.exp(raw[:, 2:4])], axis=1) * strides


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
    """
    whole = (0, 0, width, height)
    if tiles == (1, 1):
        return [whole]
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


def suppress(parts: Sequence[Detections], max_overlap: float) -> Detections:
    """Non-maximum suppression: drop boxes that overlap a better one of their class by an IoU above ``max_overlap``."""
    boxes = np.concatenate([p.boxes for p in parts])
    scores = np.concatenate([p.scores for p in parts])
    labels = np.concatenate([p.classes for p in parts])
    if len(boxes) == 0:
        return Detections.empty()
    xywh = xyxy_to_xywh(boxes).tolist()
    kept = cv2.dnn.NMSBoxesBatched(xywh, scores.tolist(), labels.tolist(), 0.0, max_overlap)
    rows = np.asarray(kept, dtype=np.int64).reshape(-1)
    return Detections(boxes[rows], scores[rows], labels[rows])


def _spans(length: int, count: int, overlap: float) -> list[tuple[int, int]]:
    side = length / (count - (count - 1) * overlap)
    starts = [i * side * (1 - overlap) for i in range(count)]
    return [(round(start), min(length, round(start + side))) for start in starts]
