"""Crops of several images as one batch, and its latents split by image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from flatsort.tracker.crops import crop, cut
from flatsort.tracker.types import Float, Float32, Image


def crop_images(images: Sequence[Image], boxes: Sequence[Float], size: tuple[int, int]) -> Image:
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
        As `check_images_and_boxes`.
    """
    check_images_and_boxes(images, boxes)
    parts = [crop(image, each, size) for image, each in zip(images, boxes, strict=True) if len(each)]
    return np.concatenate([np.empty((0, size[1], size[0], 3), np.uint8), *parts])


def check_images_and_boxes(images: Sequence[Image], boxes: Sequence[Float]) -> None:
    """Check that there are boxes [n 4] for each image and that images are uint8 [h w 3].

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
        cut(image, np.zeros(4))  # raises where it is not uint8 [h w 3]


def split_by_image(latents: Float32, boxes: Sequence[Float]) -> list[Float32]:
    """Latents [n dim] of the boxes of all images, split into one array for each image."""
    return np.split(latents, np.cumsum([len(each) for each in boxes])[:-1]) if len(boxes) else []
