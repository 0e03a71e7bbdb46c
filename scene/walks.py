"""Paths of the people of the demonstration scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from flatsort.scene.canvas import View
from flatsort.scene.people import CYCLE, Pose
from flatsort.tracker.types import Bool, Float

NEAR, FAR = 4.2, 24.8
"""Metres from the camera between which people are drawn."""
APART = 0.75
"""Metres that people keep from each other and from things."""


@dataclass(frozen=True, eq=False)
class Walk:
    """The path of one person, one row for each frame.

    Attributes
    ----------
    places : float64 [f 2]
        Position in metres to the right and away.
    headings, phases, strides : float64 [f]
        As in `Pose`.
    """

    places: Float
    headings: Float
    phases: Float
    strides: Float

    def pose(self, row: int) -> Pose:
        """Pose of the person in the frame of this row."""
        right, away = self.places[row].tolist()
        return Pose(right, away, float(self.headings[row]), float(self.phases[row]), float(self.strides[row]))

    def visible(self, view: View) -> Bool:
        """Frames [f] in which the person may be in the image."""
        right, away = self.places.T
        reach = 0.5 * view.width / view.scale(1.0) * away + 1.2
        within: Bool = (np.abs(right) < reach) & (away > NEAR) & (away < FAR)
        return within


def walks(
    people: int, frames: int, fps: float, view: View, obstacles: Sequence[tuple[float, float]], seed: Sequence[int]
) -> list[Walk]:
    """Paths of all people, crossing the image at different times; every fifth person accompanies the one before.

    Parameters
    ----------
    obstacles : sequence of (right, away)
        Things to walk around, in metres.
    seed : sequence of int
        A path depends on the seed, the person's number and the paths of the people before.
    """
    paths: list[Walk] = []
    posts = [np.broadcast_to(np.array(place), (frames, 2)) for place in obstacles]
    for number in range(people):
        generator = np.random.default_rng([*seed, number])
        best, best_gap = None, -1.0
        for _ in range(40):
            walk = _beside(paths[-1], generator) if number % 5 == 4 else _alone(frames, fps, view, generator)
            gap = _gap(walk, [other.places for other in paths] + posts, view)
            if gap > best_gap:
                best, best_gap = walk, gap
            if gap > APART:
                break
        if best is not None:
            paths.append(best)
    return paths


def _gap(walk: Walk, others: Sequence[Float], view: View) -> float:
    """Smallest distance in metres to any of the others while in the image; −1 for a path behind the bollards."""
    visible = walk.visible(view)
    if not visible.any() or walk.places[:, 1].max() > FAR:
        return -1.0
    gaps = [np.linalg.norm(walk.places[visible] - other[visible], axis=1).min() for other in others]
    return float(min(gaps, default=np.inf))


def _alone(frames: int, fps: float, view: View, generator: np.random.Generator) -> Walk:
    """Path through a random visible place at a random time, mostly sideways, sometimes with a pause."""
    middle = int(generator.uniform(0.05, 0.95) * frames)
    away = float(np.exp(generator.uniform(np.log(7.8), np.log(20.0))))
    right = generator.uniform(-0.4, 0.4) * view.width / view.scale(1.0) * away
    along = generator.choice([0.0, np.pi, 0.5 * np.pi, -0.5 * np.pi], p=[0.36, 0.36, 0.12, 0.16])
    heading = along + generator.normal(0, 0.22)
    time = (np.arange(frames) - middle) / fps
    headings = heading + generator.normal(0, 0.05) * time + 0.12 * np.sin(0.5 * time + generator.uniform(0, 6))
    speed = np.full(frames, float(np.clip(generator.normal(1.3, 0.17), 0.9, 1.7)))
    if generator.random() < 0.35:
        start = middle - int(generator.uniform(0, 1.5) * fps)
        speed[max(start, 0) : max(start + int(generator.uniform(1.5, 3.5) * fps), 0)] = 0.0
    return _walk(np.array([right, away]), middle, speed, headings, fps, generator)


def _beside(other: Walk, generator: np.random.Generator) -> Walk:
    """Path beside another person, half a step behind."""
    side = generator.choice([-1.0, 1.0]) * generator.uniform(0.8, 0.95)
    across = np.stack([np.sin(other.headings), -np.cos(other.headings)], axis=1)
    along = np.stack([np.cos(other.headings), np.sin(other.headings)], axis=1)
    places = other.places + side * across - generator.uniform(0, 0.25) * along
    return Walk(places, other.headings, other.phases + generator.uniform(0, 6), other.strides)


def _walk(place: Float, row: int, speed: Float, headings: Float, fps: float, generator: np.random.Generator) -> Walk:
    """Path with this speed [f] (m/s) and heading [f] that is at ``place`` in frame ``row``."""
    half = int(0.3 * fps)
    soft = np.hanning(2 * half + 3)[1:-1]
    smooth = np.convolve(np.pad(speed, half, mode="edge"), soft / soft.sum(), mode="valid")
    step = (smooth / fps)[:, None] * np.stack([np.cos(headings), np.sin(headings)], axis=1)
    places = np.cumsum(step, axis=0)
    phases = np.cumsum(smooth / fps) * 2 * np.pi / (CYCLE * 1.74) + generator.uniform(0, 2 * np.pi)
    return Walk(places - places[row] + place, headings, phases, smooth / max(float(speed.max()), 1e-9))
