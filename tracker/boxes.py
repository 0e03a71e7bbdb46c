"""Geometry of boxes: the only place that knows another form than xyxy."""

from __future__ import annotations

import numpy as np

from tracker.types import Bool, Float

LARGEST = 1e6
"""Coordinates beyond this many pixels cannot lie in any image."""


def valid(boxes: Float) -> Bool:
    """Which boxes [n 4] are finite, of positive width and height, and within ±`LARGEST` pixels; [n]."""
    ok: Bool = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1]) & (np.abs(boxes) < LARGEST).all(axis=1)
    return ok


def xyxy_to_xywh(boxes: Float) -> Float:
    """Left, top, width, height [n 4] of xyxy boxes."""
    return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)


def xywh_to_xyxy(boxes: Float) -> Float:
    """Corners of boxes [n 4] given as left, top, width, height."""
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)


def xyxy_to_xysr(boxes: Float) -> Float:
    """Centre x, centre y, area and aspect ratio w/h [n 4] of xyxy boxes (the state of SORT)."""
    out = np.empty_like(boxes)
    size = boxes[:, 2:] - boxes[:, :2]
    out[:, :2] = boxes[:, :2] + size * 0.5
    np.multiply(size[:, 0], size[:, 1], out=out[:, 2])
    np.divide(size[:, 0], size[:, 1], out=out[:, 3])
    return out


def xysr_to_xyxy(values: Float) -> Float:
    """Corners [n 4] of boxes given as centre x, centre y, area and aspect ratio; empty where the area is not positive."""
    out = np.empty_like(values)
    half = np.empty((len(values), 2))
    area = np.maximum(values[:, 2], 0.0)
    np.sqrt(area * np.maximum(values[:, 3], 0.0), out=half[:, 0])
    np.divide(area, half[:, 0], out=half[:, 1], where=half[:, 0] > 0)
    half[half[:, 0] <= 0, 1] = 0.0
    half *= 0.5
    np.subtract(values[:, :2], half, out=out[:, :2])
    np.add(values[:, :2], half, out=out[:, 2:])
    return out


def xyxy_to_xyah(boxes: Float) -> Float:
    """Centre x, centre y, aspect ratio w/h and height [n 4] of xyxy boxes (the state of DeepSORT)."""
    out = np.empty_like(boxes)
    size = boxes[:, 2:] - boxes[:, :2]
    out[:, :2] = boxes[:, :2] + size * 0.5
    np.divide(size[:, 0], size[:, 1], out=out[:, 2])
    out[:, 3] = size[:, 1]
    return out


def xyah_to_xyxy(values: Float) -> Float:
    """Corners [n 4] of boxes given as centre x, centre y, aspect ratio and height; empty where a size is not positive."""
    out = np.empty_like(values)
    half = np.maximum(values[:, 2:], 0.0)
    half[:, 0] *= half[:, 1]
    half *= 0.5
    np.subtract(values[:, :2], half, out=out[:, :2])
    np.add(values[:, :2], half, out=out[:, 2:])
    return out


def area(boxes: Float) -> Float:
    """Area [n] of xyxy boxes in square pixels."""
    size = boxes[:, 2:] - boxes[:, :2]
    product: Float = size[:, 0] * size[:, 1]
    return product


def clip(boxes: Float, width: int, height: int) -> Float:
    """Boxes [n 4] cut at the borders of an image."""
    return np.clip(boxes, 0.0, [width, height, width, height])


def iou(a: Float, b: Float) -> Float:
    """Intersection over union of every pair, [n m] in 0..1.

    Parameters
    ----------
    a : [n 4]
    b : [m 4]
        xyxy, pixels. A box without area overlaps nothing.
    """
    lower = np.maximum(a[:, None, :2], b[:, :2])
    upper = np.minimum(a[:, None, 2:], b[:, 2:])
    upper -= lower
    np.maximum(upper, 0.0, out=upper)
    overlap: Float = upper[..., 0] * upper[..., 1]
    union = area(a)[:, None] + area(b)
    union -= overlap
    out = np.zeros_like(overlap)
    np.divide(overlap, union, out=out, where=overlap > 0)
    return out
