"""Crops of boxes, the same for training and for tracking."""

from __future__ import annotations

import cv2
import numpy as np

from flatsort.tracker.types import Float, Image, Int


def crop(image: Image, boxes: Float, size: tuple[int, int] = (32, 64)) -> Image:
    """Cut boxes out of an image and resize them to one size.

    Parameters
    ----------
    image : uint8 [h w 3]
        RGB; not changed.
    boxes : float64 [n 4]
        xyxy, pixels. What lies outside of the image is cut off; see `cut`.
    size : tuple of int
        Width and height of the crops in pixels. The aspect ratio of a box is not kept.

    Returns
    -------
    uint8 [n height width 3]
        Crops are shrunk by averaging over areas and enlarged by linear interpolation, each axis on its own.

    Raises
    ------
    ValueError
        If the image has no pixel or is not uint8 [h w 3].
    """
    width, height = size
    out = np.empty((len(boxes), height, width, 3), np.uint8)
    for row, (left, top, right, bottom) in enumerate(_pixels_of(image, boxes).tolist()):
        patch = image[top:bottom, left:right]
        # OpenCV averages areas only if both axes shrink, so that shrinking and enlarging are separate steps
        shrunk = (min(width, right - left), min(height, bottom - top))
        if shrunk != (right - left, bottom - top):
            patch = cv2.resize(patch, shrunk, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        if shrunk != size:
            patch = cv2.resize(patch, size, interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
        out[row] = patch
    return out


def cut(image: Image, box: Float) -> Image:
    """Cut one box [4] (xyxy, pixels) out of an image, as a view of it, uint8 [h w 3] with at least one pixel.

    Every pixel that the box touches belongs to it. What lies outside of the image is cut off; of a box that lies
    outside as a whole, or has no area, the nearest pixels remain; a coordinate that is not finite counts as 0.

    Raises
    ------
    ValueError
        If the image has no pixel or is not uint8 [h w 3].
    """
    left, top, right, bottom = _pixels_of(image, np.asarray(box, np.float64)[None])[0].tolist()
    return image[top:bottom, left:right]


def pixel_ranges(boxes: Float, width: int, height: int) -> Int:
    """Half-open pixel ranges [n 4] of boxes [n 4] in an image of this size, none of them empty; see `cut`."""
    image_size = np.array([width, height])
    finite = np.nan_to_num(boxes, nan=0.0, posinf=0.0, neginf=0.0)
    low = np.clip(np.floor(finite[:, :2]), 0, image_size - 1)
    high = np.clip(np.ceil(finite[:, 2:]), low + 1, image_size)
    return np.concatenate([low, high], axis=1).astype(np.int64)


def _pixels_of(image: Image, boxes: Float) -> Int:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise ValueError(f"image: expected uint8 [h w 3] with pixels, got {image.dtype} {list(image.shape)}")
    return pixel_ranges(boxes, image.shape[1], image.shape[0])
