"""Boxes of objects of similar size on a ground plane, from the silhouettes of a background subtraction.

For a level camera, the height of such objects (people, cars) in the image is a linear function of the row of their
feet. This line is estimated from the silhouettes themselves. Then boxes of the expected size are placed greedily over
the silhouettes, best first, which separates merged silhouettes and joins broken ones.

References
----------
Hoiem et al., "Putting objects in perspective", CVPR 2006, equation 5 (height against foot line on a ground plane).
Fleuret et al., "Multicamera people tracking with a probabilistic occupancy map", PAMI 2008 (explaining silhouettes by
rectangles of a known size).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from flatsort.tracker.types import Bool, Float, Float32, Image, Int

TOLERANCE = 0.15
"""Relative deviation of a height from the line up to which it is an inlier."""

MIN_INLIER_SHARE = 0.3
"""Minimum share of the silhouettes that must be inliers."""

MIN_SILHOUETTES = 60
"""Number of silhouettes from which on a line is fitted."""

EMPTY = 0.2
"""Cost of a pixel of a box outside of the silhouettes; a pixel inside gains 1 − EMPTY."""

STEP = 2
"""Step between the positions that are tried, in pixels."""

MIN_HEIGHT = 4.0
"""Height of the smallest boxes that are tried, in pixels."""

MAX_BOXES = 100
"""Maximum number of boxes in an image."""


@dataclass(frozen=True, slots=True)
class Perspective:
    """Size of an object as a function of the row of its feet.

    Attributes
    ----------
    offset, slope : float
        Height = offset + slope · foot, in pixels.
    aspect : float
        Width / height.
    shortest, tallest : float
        Range of the heights of objects, in pixels.
    """

    offset: float
    slope: float
    aspect: float
    shortest: float
    tallest: float


class PerspectiveEstimator:
    """Estimates the perspective from the silhouettes of successive frames.

    Parameters
    ----------
    memory : int
        Number of the latest silhouettes that are used.
    """

    def __init__(self, memory: int = 1000) -> None:
        self._memory = memory
        self._silhouettes = np.empty((0, 3))
        self._generator = np.random.default_rng(0)

    def add(self, boxes: Float, width: int, height: int) -> None:
        """Add those of the boxes [n 4] (xyxy) that are upright and completely inside the image."""
        x0, y0, x1, y1 = boxes.T
        whole = (x0 > 1) & (y0 > 1) & (x1 < width - 1) & (y1 < height - 1) & (y1 - y0 > 1.2 * (x1 - x0))
        new = np.stack([y1, y1 - y0, x1 - x0], axis=1)[whole]
        self._silhouettes = np.concatenate([self._silhouettes, new])[-self._memory :]

    def fit(self) -> Perspective | None:
        """Fit the line with the most inliers (RANSAC, then least squares); None if there are too few."""
        foot, tall, wide = self._silhouettes.T
        if len(foot) < MIN_SILHOUETTES:
            return None
        i, j = self._generator.integers(0, len(foot), (2, 200))
        run = foot[i] - foot[j]
        apart = np.abs(run) > 0.1 * np.ptp(foot)
        slope = np.divide(tall[i] - tall[j], run, out=np.zeros_like(run), where=apart)
        lines = np.stack([tall[i] - slope * foot[i], slope], axis=1)[(slope >= 0) & (slope < 3)]
        misfit = np.stack([_misfit(line, foot, tall) for line in lines])
        best = lines[np.maximum(0, 1 - (misfit / TOLERANCE) ** 2).sum(axis=1).argmax()]
        for _ in range(3):
            near = _misfit(best, foot, tall) < TOLERANCE
            if near.mean() < MIN_INLIER_SHARE or np.ptp(foot[near]) == 0:
                return None
            best = np.polyfit(foot[near], tall[near], 1)[::-1]
        near = _misfit(best, foot, tall) < TOLERANCE
        if near.mean() < MIN_INLIER_SHARE:
            return None
        short, high = np.percentile(tall[near], [10, 90])
        aspect = float(np.median(wide[near] / tall[near]))
        return Perspective(float(best[0]), float(best[1]), aspect, 0.8 * float(short), 1.5 * float(high))


class SilhouetteBoxes:
    """Places boxes over silhouettes.

    Parameters
    ----------
    perspective : Perspective
    width, height : int
        Size of the mask in pixels.
    """

    def __init__(self, perspective: Perspective, width: int, height: int) -> None:
        self._perspective = perspective
        feet = np.arange(0.0, 1.2 * height, STEP)
        tall = perspective.offset + perspective.slope * feet
        ok = (tall > MIN_HEIGHT) & (tall < perspective.tallest)
        self._feet, self._tall = feet[ok], tall[ok]
        self._centres = np.arange(0.0, width, STEP)
        half = 0.5 * perspective.aspect * self._tall[:, None]
        self._top, self._bottom = _to_pixels(self._feet - self._tall, height), _to_pixels(self._feet, height)
        self._left, self._right = _to_pixels(self._centres - half, width), _to_pixels(self._centres + half, width)
        self._area = (self._tall * 2 * half[:, 0])[:, None]

    def boxes(self, mask: Image, min_score: float) -> tuple[Float, Float]:
        """Boxes [n 4] (xyxy, pixels of the mask) and scores [n] that cover the silhouettes of a mask, best first.

        Parameters
        ----------
        mask : uint8 [h w]
            1 on a silhouette, 0 elsewhere.
        min_score : float
            Minimum share of a box that is silhouette and not covered by a better box, 0..1.
        """
        height, width = mask.shape
        rest = mask.astype(np.float32) - np.float32(EMPTY)
        boxes: list[list[float]] = []
        gain = self._gain(rest, slice(None))
        while gain.size and len(boxes) < MAX_BOXES:
            i, j = np.unravel_index(gain.argmax(), gain.shape)
            score = float(gain[i, j]) + EMPTY
            if score < min_score:
                break
            box = self._refine(rest > 0, float(self._centres[j]), float(self._feet[i]))
            boxes.append([*box, min(score, 1.0)])
            x0, y0, x1, y1 = np.clip(np.round(box), 0, [width, height, width, height]).astype(int)
            # covered pixels, and those of the tried position, count neither for nor against the next boxes
            rest[y0:y1, x0:x1] = 0
            rest[self._top[i] : self._bottom[i], self._left[i, j] : self._right[i, j]] = 0
            reach = int(self._perspective.aspect * self._perspective.tallest / STEP) + 2
            near = slice(max(0, int(j) - reach), int(j) + reach)
            gain[:, near] = self._gain(rest, near)
        table = np.array(boxes, dtype=np.float64).reshape(-1, 5)
        # small boxes cover noise and distant things, which larger boxes would cover otherwise; they are no result
        table = table[table[:, 3] - table[:, 1] >= self._perspective.shortest]
        return table[:, :4], table[:, 4]

    def _gain(self, rest: Float32, columns: slice) -> Float:
        total = cv2.integral(rest)
        left, right = self._left[:, columns], self._right[:, columns]
        top, bottom = self._top[:, None], self._bottom[:, None]
        gain: Float = (total[bottom, right] - total[bottom, left] - total[top, right] + total[top, left]) / self._area
        return gain

    def _refine(self, left_over: Bool, centre: float, foot: float) -> tuple[float, float, float, float]:
        """Centre a box on the silhouette around it, vertically only if that has about the expected height."""
        height, width = left_over.shape
        for _ in range(2):
            tall = self._height(foot)
            half = 0.5 * self._perspective.aspect * tall
            x0, x1 = _to_pixels(np.array([centre - half, centre + half + 1]), width)
            y0, y1 = _to_pixels(np.array([foot - 1.25 * tall, foot + 0.25 * tall]), height)
            window = left_over[y0:y1, x0:x1]
            if window.size == 0:
                break
            top, bottom = _best_run(window.mean(axis=1) > 0.12, foot - tall - y0, foot - y0, 0.06 * tall)
            if 0.7 * tall < bottom - top < 1.25 * tall:
                foot = y0 + 0.5 * (top + bottom + tall)
                tall = self._height(foot)
            rows = slice(max(0, round(foot - tall)), max(1, round(foot)))
            columns = left_over[rows, x0:x1].sum(axis=0)
            if columns.any():
                centre = 0.5 * (centre + x0 + 0.5 + float(np.average(np.arange(len(columns)), weights=columns)))
        tall = self._height(foot)
        half = 0.5 * self._perspective.aspect * tall
        return centre - half, foot - tall, centre + half, foot

    def _height(self, foot: float) -> float:
        return max(self._perspective.offset + self._perspective.slope * foot, MIN_HEIGHT)


def _misfit(line: Float, foot: Float, tall: Float) -> Float:
    expected = np.maximum(line[0] + line[1] * foot, 1.0)
    misfit: Float = np.abs(tall - expected) / expected
    return misfit


def _to_pixels(positions: Float, size: int) -> Int:
    return np.clip(np.round(positions), 0, size).astype(np.int64)


def _best_run(occupied: Bool, start: float, stop: float, gap: float) -> tuple[int, int]:
    """Start and end of the run of occupied rows, small gaps included, that overlaps most with start..stop."""
    rows = np.flatnonzero(occupied)
    if len(rows) == 0:
        return 0, 0
    breaks = np.flatnonzero(np.diff(rows) > gap + 1)
    begins, ends = np.r_[rows[0], rows[breaks + 1]], np.r_[rows[breaks], rows[-1]] + 1
    best = int(np.argmax(np.minimum(ends, stop) - np.maximum(begins, start)))
    return int(begins[best]), int(ends[best])
