"""The distance up to which two latents may show one object, found without labels while tracking."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from flatsort.tracker.boxes import iou
from flatsort.tracker.distances import pairwise
from flatsort.tracker.types import Detections, Float

DUPLICATE = 0.5
"""IoU above which two boxes of one frame may be one object that was detected twice."""
MEMORY = 20_000
"""Newest pairs that count."""
MOST = 64
"""Boxes of a frame whose pairs are looked at: of more, evenly chosen ones."""
PRIOR = 300
"""Pairs that the threshold of the checkpoint weighs as much as."""
GROWTH = 1.1
"""The quantile is taken anew once there are this many times the pairs."""


@dataclass(frozen=True)
class AppearanceConfig:
    """The distance up to which two latents may show the same object: the unit of all latent distances."""

    threshold: float | int | str = "auto"
    """A distance, or auto: found so that ``false_match_rate`` of the pairs of boxes of one frame, which show two
    different objects, fall below it."""
    false_match_rate: float = 0.01
    """Share of the pairs of one frame that the automatic threshold may take for the same object."""
    prior: float | None = None
    """The threshold before any pair was seen; None: the one in the checkpoint of the embedder, where it has one."""
    bits: bool = False
    """Whether latents are codes of −1 and 1, which galleries then keep and compare as bits: the same distances and
    tracks from a 64th of the memory. Set by an embedder whose model says so (``lbae``)."""

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
    """The threshold in force: the fixed one, or the quantile of the distances within frames so far."""

    def __init__(self, config: AppearanceConfig) -> None:
        self._config = config
        self._pairs = np.empty(MEMORY)
        self._count = self._known = 0
        fixed = None if isinstance(config.threshold, str) else float(config.threshold)
        self._auto = fixed is None
        self.value = fixed if fixed is not None else config.prior or math.inf

    def units(self, distance: Float) -> Float:
        """Distances in units of the threshold; as long as there is none, whatever differs is at the threshold: 1."""
        return distance / self.value if self.value < math.inf else np.sign(distance)

    def see(self, detections: Detections) -> None:
        """Learn from the detections of a frame: boxes that do not overlap much are different objects."""
        if not self._auto or detections.latents is None or len(detections) < 2:
            return
        boxes, latents = detections.boxes, detections.latents
        if len(boxes) > MOST:
            some = np.linspace(0, len(boxes) - 1, MOST).astype(np.int64)
            boxes, latents = boxes[some], latents[some]
        found = pairwise(latents, self._config.bits)[np.triu(iou(boxes, boxes) <= DUPLICATE, 1)]
        if not len(found):
            return
        places = np.arange(self._count, self._count + len(found)) % MEMORY
        self._pairs[places] = found
        self._count += len(found)
        if self._count >= self._known * GROWTH or self._count - self._known >= MEMORY // 10:
            self._known = self._count
            self.value = self._mixed(self._pairs[: self._count])

    def _mixed(self, pairs: Float) -> float:
        found = float(np.quantile(pairs, self._config.false_match_rate))
        weight = PRIOR / (PRIOR + self._count) if self._config.prior else 0.0
        return max(weight * (self._config.prior or 0.0) + (1 - weight) * found, float(np.finfo(np.float32).tiny))
