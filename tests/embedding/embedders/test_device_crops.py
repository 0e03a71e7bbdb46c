"""Crops cut on a device agree with those of OpenCV, here on the CPU as the device."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from flatsort.embedding.embedders.device_crops import crop_on_device
from flatsort.scene import Scene, SceneConfig
from flatsort.tracker.crops import crop
from flatsort.tracker.types import Float, Image

MEAN, WORST = 1.0, 2.5
"""Levels of 255 by which crops may differ in the mean over all of them, and over any one."""


@pytest.fixture(scope="module")
def street() -> tuple[Image, Float]:
    scene = Scene(SceneConfig(frames=3, people=30, width=960, height=540))
    return scene.image(2), scene.detections()[2].boxes


def levels(image: Image, boxes: Float, size: tuple[int, int]) -> Float:
    """Mean absolute difference of each crop."""
    here = crop_on_device([torch.from_numpy(image)], [boxes], size).permute(0, 2, 3, 1).numpy() * 255
    return np.asarray(np.abs(here - crop(image, boxes, size)).mean(axis=(1, 2, 3)), np.float64)


@pytest.mark.parametrize("size", [(32, 64), (64, 128), (8, 16), (128, 256)])
@pytest.mark.parametrize("scale", [1.0, 0.3, 2.5])
def test_they_agree_with_opencv(street: tuple[Image, Float], size: tuple[int, int], scale: float) -> None:
    image, boxes = street
    centre, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) * scale / 2
    off = levels(image, np.concatenate([centre - half, centre + half], axis=1), size)
    assert len(off) > 10
    assert off.mean() < MEAN
    assert off.max() < WORST


def test_large_boxes_are_averaged_and_not_sampled() -> None:
    stripes = np.zeros((640, 320, 3), np.uint8)
    stripes[::2] = 255
    whole = crop_on_device([torch.from_numpy(stripes)], [np.array([[0.0, 0, 320, 640]])], (8, 16))
    np.testing.assert_allclose(whole.numpy(), 0.5, atol=0.02)


def test_frames_of_several_sizes_keep_their_order(street: tuple[Image, Float]) -> None:
    image, boxes = street
    images = [image, np.ascontiguousarray(image[:300]), image[::-1].copy(), np.ascontiguousarray(image[:300, 50:])]
    places = [boxes[:3], boxes[:0], boxes[3:5], boxes[:2]]
    got = crop_on_device([torch.from_numpy(i) for i in images], places, (16, 32)).numpy()
    alone = [crop_on_device([torch.from_numpy(i)], [b], (16, 32)).numpy() for i, b in zip(images, places, strict=True)]
    np.testing.assert_array_equal(got, np.concatenate(alone))


def test_unusual_boxes_give_what_opencv_gives(street: tuple[Image, Float]) -> None:
    image, _ = street
    unusual = np.array([[np.nan, 5, 60, 80], [-np.inf] * 2 + [np.inf] * 2, [9999, 9999, 10000, 10000], [7, 7, 7, 7]])
    assert levels(image, unusual, (16, 32)).max() < WORST


def test_no_boxes() -> None:
    frame = torch.zeros(10, 10, 3, dtype=torch.uint8)
    assert crop_on_device([frame], [np.empty((0, 4))], (4, 8)).shape == (0, 3, 8, 4)
    assert crop_on_device([], [], (4, 8)).shape == (0, 3, 8, 4)
