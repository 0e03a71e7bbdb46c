"""The appearance threshold: the latent distance up to which two boxes may show one object, estimated without labels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from flatsort.tracker.boxes import iou
from flatsort.tracker.distances import pairwise
from flatsort.tracker.state import restore
from flatsort.tracker.types import Detections, Float

DUPLICATE = 0.5
"""Two boxes of one frame with a higher IoU may be one object that was detected twice; they are no pair."""
MEMORY = 20_000
"""Number of the newest pairs that are kept."""
MAX_BOXES = 64
"""Boxes of a frame whose pairs are used; from more boxes, this many evenly spaced ones are taken."""
PRIOR_PAIRS = 300
"""Number of pairs that the prior threshold (of the checkpoint) counts as."""
GROWTH = 1.1
"""The quantile is computed again when the number of pairs has grown by this factor."""


@dataclass(frozen=True)
class AppearanceConfig:
    """The appearance threshold: latent distances of stages are in units of it."""

    threshold: float | int | str = "auto"
    """A distance, or auto: the distance below which a share of ``false_match_rate`` of all pairs of boxes of one frame
    fall. Two boxes of one frame show two different objects."""
    false_match_rate: float = 0.01
    """Share of the pairs of one frame, 0..1, that lie below the automatic threshold."""
    prior: float | None = None
    """The threshold before the first frame; None: the one in the checkpoint of the embedder, where it has one."""
    bits: bool = False
    """Whether latents are codes of −1 and 1, which the galleries then store and compare as bits: the same distances and
    tracks with a 64th of the memory. Embedders with such codes (``lbae``) set it."""

    def __post_init__(self) -> None:
        if isinstance(self.threshold, str) and self.threshold != "auto":
            raise ValueError(f"appearance.threshold: expected auto or a distance, got {self.threshold!r}")
        if not 0 < self.false_match_rate < 1:
            raise ValueError(
                f"appearance.false_match_rate: expected a share between 0 and 1, got {self.false_match_rate}"
            )
        for key in ("threshold", "prior"):
            value = getattr(self, key)
            if isinstance(value, (int, float)) and not 0 < value < math.inf:
                raise ValueError(f"appearance.{key}: expected a positive distance, got {value}")


class AppearanceThreshold:
    """The current appearance threshold: the fixed one, or a quantile of the latent distances within frames so far.

    Attributes
    ----------
    value : float
        The threshold; infinite while it is not known.
    """

    REMEMBERED: ClassVar[tuple[str, ...]] = ("_pairs", "_count", "_count_at_update", "value")

    def __init__(self, config: AppearanceConfig) -> None:
        self._config = config
        self._pairs = np.zeros(MEMORY)
        self._count = self._count_at_update = 0
        fixed = None if isinstance(config.threshold, str) else float(config.threshold)
        self._auto = fixed is None
        self.value = fixed if fixed is not None else config.prior or math.inf

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take the state of another one; it is checked.

        Raises
        ------
        ValueError
            If the numbers do not fit each other.
        """
        restore(self, "threshold", state)
        if self._pairs.shape != (MEMORY,) or not 0 <= self._count_at_update <= self._count or not self.value > 0:
            expected = f"{MEMORY} distances, their number and a positive threshold"
            raise ValueError(f"state: threshold: expected {expected}, got {self._count} and {self.value}")

    def units(self, distance: Float) -> Float:
        """Distances in units of the threshold; while it is not known, every distance above 0 counts as 1."""
        return distance / self.value if self.value < math.inf else np.sign(distance)

    def update(self, detections: Detections) -> None:
        """Add the detections of a frame: pairs of boxes that overlap little show different objects."""
        if not self._auto or detections.latents is None or len(detections) < 2:
            return
        boxes, latents = detections.boxes, detections.latents
        if len(boxes) > MAX_BOXES:
            chosen = np.linspace(0, len(boxes) - 1, MAX_BOXES).astype(np.int64)
            boxes, latents = boxes[chosen], latents[chosen]
        distances = pairwise(latents, self._config.bits)[np.triu(iou(boxes, boxes) <= DUPLICATE, 1)]
        if not len(distances):
            return
        places = np.arange(self._count, self._count + len(distances)) % MEMORY
        self._pairs[places] = distances
        self._count += len(distances)
        if self._count >= self._count_at_update * GROWTH or self._count - self._count_at_update >= MEMORY // 10:
            self._count_at_update = self._count
            self.value = self._estimate(self._pairs[: self._count])

    def _estimate(self, pairs: Float) -> float:
        quantile = float(np.quantile(pairs, self._config.false_match_rate))
        weight = PRIOR_PAIRS / (PRIOR_PAIRS + self._count) if self._config.prior else 0.0
        return max(weight * (self._config.prior or 0.0) + (1 - weight) * quantile, float(np.finfo(np.float32).tiny))
