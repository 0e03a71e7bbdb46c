"""Box geometry: validity, conversions between xyxy and other forms, pairwise intersection over union."""

from __future__ import annotations

import math
from operator import sub

import numpy as np

from flatsort.tracker.types import Bool, Float

LARGEST = 1e6
"""Coordinates beyond ± this many pixels are not valid."""

SMALLEST = 1e-3
"""Boxes narrower or lower than this many pixels count as without area."""

DENSE = 2500
"""Up to this many pairs, the IoU of all is computed; of more, only of those that can overlap along x."""

TINY = 1e-300
"""Added to areas so that 0 / 0 becomes 0."""

_TO_CENTRE = np.array([[0.5, 0, 0.5, 0], [0, 0.5, 0, 0.5], [-1, 0, 1, 0], [0, -1, 0, 1]])
_TO_CORNERS = np.linalg.inv(_TO_CENTRE)


def all_valid(boxes: Float) -> bool:
    """Whether every box is `valid`; faster than `valid` in the usual case."""
    flat = boxes.ravel().tolist()  # plain numbers: for a few boxes quicker than numpy, for a thousand not slower
    return not flat or (
        math.isfinite(sum(flat))
        and -LARGEST < min(flat)
        and max(flat) < LARGEST
        and min(map(sub, flat[2::4], flat[::4])) >= SMALLEST
        and min(map(sub, flat[3::4], flat[1::4])) >= SMALLEST
    )


def valid(boxes: Float) -> Bool:
    """Which boxes [n 4] are finite, within ±`LARGEST` pixels and at least `SMALLEST` pixels wide and high; [n]."""
    inside = np.abs(boxes) < LARGEST  # NaN and infinity compare false
    size = np.where(inside, boxes, 0.0)
    ok: Bool = np.all(inside, axis=1) & np.all(size[:, 2:] - size[:, :2] >= SMALLEST, axis=1)
    return ok


def xyxy_to_xywh(boxes: Float) -> Float:
    """Left, top, width, height [n 4] of xyxy boxes."""
    return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)


def xywh_to_xyxy(boxes: Float) -> Float:
    """Corners of boxes [n 4] given as left, top, width, height."""
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)


def xyxy_to_xysr(boxes: Float) -> Float:
    """Centre x, centre y, area and aspect ratio w/h, [4 n], of xyxy boxes [n 4] (the state of SORT)."""
    out: Float = _TO_CENTRE.dot(boxes.T)
    size = out[2:].copy()
    np.multiply(size[0], size[1], out=out[2])
    np.divide(size[0], size[1], out=out[3])
    return out


def xysr_to_xyxy(values: Float) -> Float:
    """Corners [n 4] of boxes given as [4 n]: centre x, centre y, area and aspect ratio, the last two positive."""
    centred = values.copy()
    np.sqrt(values[2] * values[3], out=centred[2])
    np.divide(values[2], centred[2], out=centred[3])
    corners: Float = _TO_CORNERS.dot(centred)
    return corners.T


def xyxy_to_xyah(boxes: Float) -> Float:
    """Centre x, centre y, aspect ratio w/h and height, [4 n], of xyxy boxes [n 4] (the state of DeepSORT)."""
    out: Float = _TO_CENTRE.dot(boxes.T)
    out[2] /= out[3]
    return out


def xyah_to_xyxy(values: Float) -> Float:
    """Corners [n 4] of boxes given as [4 n]: centre x, centre y, aspect ratio and height; empty if one is negative."""
    centred = values.copy()
    np.maximum(centred[2:], 0.0, out=centred[2:])
    centred[2] *= centred[3]
    corners: Float = _TO_CORNERS.dot(centred)
    return corners.T


def iou(a: Float, b: Float) -> Float:
    """Intersection over union of every pair, [n m] in 0..1.

    Parameters
    ----------
    a : [n 4]
    b : [m 4]
        xyxy, pixels. A box without area overlaps nothing.
    """
    if len(a) * len(b) > DENSE:
        return _iou_of_neighbours(a, b)
    n = len(a)
    xyxy = np.concatenate([a, b]).T.copy()  # one contiguous row for each coordinate
    low, high = xyxy[:2], xyxy[2:]
    size = high - low
    areas = size[0] * size[1]
    areas += TINY
    size = np.minimum(high[:, :n, None], high[:, None, n:])
    size -= np.maximum(low[:, :n, None], low[:, None, n:])
    np.maximum(size, 0.0, out=size)
    overlap: Float = size[0] * size[1]
    union = areas[:n, None] + areas[n:]
    union -= overlap
    overlap /= union
    return overlap


def _iou_of_neighbours(a: Float, b: Float) -> Float:
    """`iou` for many boxes: only pairs that can overlap along x are computed."""
    order = b[:, 0].argsort()
    left = b[order, 0]
    first = np.searchsorted(left, a[:, 0] - (b[:, 2] - b[:, 0]).max(), side="left")
    count = np.maximum(np.searchsorted(left, a[:, 2], side="right") - first, 0)
    rows = np.arange(len(a)).repeat(count)
    cols = order[np.arange(len(rows)) + (first - count.cumsum() + count).repeat(count)]
    one, two = a.T[:, rows], b.T[:, cols]
    size = np.minimum(one[2:], two[2:]) - np.maximum(one[:2], two[:2])
    np.maximum(size, 0.0, out=size)
    overlap = size[0] * size[1]
    union = (one[2] - one[0]) * (one[3] - one[1]) + (two[2] - two[0]) * (two[3] - two[1]) - overlap
    out = np.zeros((len(a), len(b)))
    out[rows, cols] = overlap / (union + TINY)
    return out
