"""Tiny models, and images with boxes, for tests."""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np

from flatsort.embedding.distance_calibration import DistanceCalibration
from flatsort.embedding.model import MODELS, LatentModel, ModelConfig, build
from flatsort.embedding.nets import NetConfig
from flatsort.tracker.types import Float, Image

NET = NetConfig(width=8, stem=2, halvings=1, hidden=[8])


def model(name: str = "ae", shape: tuple[int, ...] = (3, 16, 8), seed: int = 0) -> LatentModel:
    """An untrained model."""
    config = cast("type[ModelConfig]", MODELS.config(name))
    return build(config(shape=list(shape), dim=4, net=NET), seed)


def calibration(threshold: float) -> DistanceCalibration:
    """One that gives about this threshold at every false-match rate that a thousand pairs tell."""
    return DistanceCalibration.from_distances([threshold / 2], np.full(1000, threshold))


def images_and_boxes() -> tuple[list[Image], list[Float]]:
    """Two frames with three boxes and one box."""
    generator = np.random.default_rng(1)
    coarse = [generator.integers(0, 256, (height // 10, width // 10, 3)) for height, width in ((60, 80), (50, 40))]
    images = [cv2.resize(each.astype(np.uint8), None, fx=10, fy=10).astype(np.uint8) for each in coarse]
    return images, [np.array([[3.0, 4, 30, 50], [20, 5, 44, 58], [0, 0, 80, 60]]), np.array([[5.0, 5, 25, 45]])]
