"""All boxes of several pictures as one batch, and back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from flatsort.tracker.crops import crop, cut
from flatsort.tracker.types import Float, Float32, Image


def crops_of(images: Sequence[Image], boxes: Sequence[Float], size: tuple[int, int]) -> Image:
    """Crops uint8 [n height width 3] of the boxes of all images, in order; see `tracker.crops.crop`.

    Parameters
    ----------
    images : sequence of uint8 [h w 3]
    boxes : sequence of float64 [n 4]
        xyxy in pixels, for each image.
    size : tuple of int
        Width and height of the crops in pixels.

    Raises
    ------
    ValueError
        If there are not as many arrays of boxes as images, or an image is none.
    """
    check(images, boxes)
    parts = [crop(image, each, size) for image, each in zip(images, boxes, strict=True) if len(each)]
    return np.concatenate([np.empty((0, size[1], size[0], 3), np.uint8), *parts])


def check(images: Sequence[Image], boxes: Sequence[Float]) -> None:
    """Refuse boxes that do not belong to the images, and what is no image.

    Raises
    ------
    ValueError
        If there are not as many arrays of boxes as images, one is not [n 4], or an image is not uint8 [h w 3].
    """
    if len(images) != len(boxes):
        raise ValueError(f"boxes: expected one array for each of {len(images)} images, got {len(boxes)}")
    for each in boxes:
        if np.ndim(each) != 2 or np.shape(each)[1] != 4:
            raise ValueError(f"boxes: expected shape [n 4] (xyxy) for each image, got {list(np.shape(each))}")
    for image in images:
        cut(image, np.zeros(4))  # refuses what is no image


def by_image(latents: Float32, boxes: Sequence[Float]) -> list[Float32]:
    """Latents [n dim] of all boxes, one array for each image."""
    return np.split(latents, np.cumsum([len(each) for each in boxes])[:-1]) if len(boxes) else []
