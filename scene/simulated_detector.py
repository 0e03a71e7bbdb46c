"""Config and ground truth of the demonstration scene, and a simulated detector with misses, noise and false alarms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from flatsort.scene.canvas import View
from flatsort.tracker.types import Detections, Float, Int


@dataclass(frozen=True)
class SceneConfig:
    """Contents and quality of the rendered video, and errors of the simulated detector.

    Attributes
    ----------
    people : int
        Number of people who walk through the scene, 0 to 60.
    frames : int
        Number of frames.
    fps : float
        Frames per second.
    width, height : int
        Pixels, at least 64.
    seed : int
        Random seed of everything but the detector's errors.
    noise : float
        Standard deviation of the sensor noise in grey levels.
    flicker : float
        Relative standard deviation of the brightness between frames.
    shadow : float
        Darkness of the people's shadows, 0 to 1.
    box_noise : float
        Standard deviation of a detected edge, as a share of the person's height; up to twice that for occluded people.
    miss : float
        Share of fully visible people that the detector misses.
    hidden : float
        Visibility below which every person is missed; above it the misses fade linearly, down to ``miss`` at
        ``hidden + 0.4``.
    false_rate : float
        Mean number of false detections a frame.
    """

    people: int = 12
    frames: int = 300
    fps: float = 25.0
    width: int = 768
    height: int = 432
    seed: int = 0
    noise: float = 3.0
    flicker: float = 0.012
    shadow: float = 0.42
    box_noise: float = 0.018
    miss: float = 0.04
    hidden: float = 0.25
    false_rate: float = 0.25

    def __post_init__(self) -> None:
        ranges = {"people": (0, 60), "frames": (1, 100_000), "width": (64, 8192), "height": (64, 8192)}
        ranges |= {"noise": (0, 100), "flicker": (0, 1), "shadow": (0, 1), "box_noise": (0, 1), "miss": (0, 1)}
        for name, (low, high) in (ranges | {"hidden": (0, 1), "false_rate": (0, 100)}).items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"scene.{name}: expected {low} to {high}, got {value}")
        if not self.fps > 0:
            raise ValueError(f"scene.fps: expected a positive number, got {self.fps}")


@dataclass(frozen=True, slots=True, eq=False)
class SceneGroundTruth:
    """Ground truth of the scene: one row for each person and frame, sorted by frame, then id.

    Attributes
    ----------
    frames : int64 [n]
        From 1.
    ids : int64 [n]
        From 1.
    boxes : float64 [n 4]
        xyxy, pixels, tight around the figure without its shadow and clipped at the image border.
    visibility : float64 [n]
        Share of the figure's pixels, 0 to 1, that are inside the image and not behind a nearer figure or thing.
    """

    frames: Int
    ids: Int
    boxes: Float
    visibility: Float

    def __len__(self) -> int:
        return len(self.ids)


def detect(
    ground_truth: SceneGroundTruth, config: SceneConfig, generator: np.random.Generator
) -> dict[int, Detections]:
    """Simulated detections by frame, with noisy boxes, misses and false alarms.

    Occluded people are missed more often and get noisier boxes and lower scores.
    """
    fade = np.clip((ground_truth.visibility - config.hidden) / 0.4, 0, 1)
    detected = generator.random(len(ground_truth)) < (1 - config.miss) * fade
    tall = ground_truth.boxes[:, 3] - ground_truth.boxes[:, 1]
    deviation = config.box_noise * tall * (2 - ground_truth.visibility)
    boxes = ground_truth.boxes + deviation[:, None] * generator.standard_normal(ground_truth.boxes.shape)
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 2.0)
    scores = np.clip(
        0.4 + 0.55 * ground_truth.visibility + 0.05 * generator.standard_normal(len(ground_truth)), 0.05, 0.99
    )
    view = View(config.width, config.height)
    detections = {}
    for index in range(1, config.frames + 1):
        rows = (ground_truth.frames == index) & detected
        extra, low = _false_alarms(int(generator.poisson(config.false_rate)), view, generator)
        detections[index] = Detections.of(np.concatenate([boxes[rows], extra]), np.concatenate([scores[rows], low]))
    return detections


def _false_alarms(count: int, view: View, generator: np.random.Generator) -> tuple[Float, Float]:
    """Boxes [k 4] of the size of people at random places on the ground, with low scores [k]."""
    away = generator.uniform(8, 26, count)
    right = generator.uniform(-0.5, 0.5, count) * view.width / view.scale(1.0) * away
    tall = generator.uniform(1.2, 2.1, count)
    half = generator.uniform(0.17, 0.24, count) * tall
    low = view.project(np.stack([right - half, away, tall], axis=1))
    high = view.project(np.stack([right + half, away, 0 * tall], axis=1))
    return np.concatenate([low, high], axis=1), np.clip(generator.normal(0.42, 0.12, count), 0.05, 0.8)
