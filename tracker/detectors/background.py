"""What moves before a fixed camera, by background subtraction: no weights, any kind of object.

References
----------
Zivkovic, "Improved adaptive Gaussian mixture model for background subtraction", ICPR 2004 (OpenCV's MOG2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from flatsort.tracker.boxes import xywh_to_xyxy
from flatsort.tracker.detectors import DETECTORS
from flatsort.tracker.detectors.silhouettes import Cover, PerspectiveLearner
from flatsort.tracker.registry import PartConfig, require
from flatsort.tracker.types import Detections, Float, Frame, Image

FOREGROUND = 255
"""Value of a moving pixel in OpenCV's mask; shadows have another one."""

BACKGROUND_RATIO = 0.7
"""Share of its time for which a pixel must have shown a colour to make it background."""

RELEARN = 20
"""Frames between two fits of the perspective."""


@dataclass(frozen=True)
class BackgroundConfig(PartConfig):
    """How much a pixel must change, and how large and how solid an object must be."""

    name: str = "background"
    threshold: float = 12.0
    """Squared distance from the background, in units of the pixel's own variance, from which on a pixel is moving."""
    history: int = 1000
    """Frames that the background remembers; what stands still for a third of them becomes part of it."""
    work_size: int = 400
    """The image is shrunk by a whole number so that its longer side comes near this many pixels."""
    min_height: float = 0.03
    """Least height of an object as a share of the image's height, 0..1."""
    min_score: float = 0.28
    """Least share of a box that is moving and in no better box, 0..1."""
    perspective: bool = True
    """Learn the size of alike objects (people) from where they stand, to take groups apart; off: one box a blob."""

    def __post_init__(self) -> None:
        require(
            self,
            "detector",
            ("threshold", self.threshold > 0, "above 0"),
            ("history", self.history >= 1, "1 or more"),
            ("work_size", self.work_size >= 32, "32 or more"),
            ("min_height", 0 < self.min_height < 1, "between 0 and 1"),
            ("min_score", 0 < self.min_score < 1, "between 0 and 1"),
        )


@DETECTORS.register("background", BackgroundConfig)
class BackgroundDetector:
    """Boxes of moving objects. It remembers earlier frames; a frame that is not later than the last one starts anew.

    Parameters
    ----------
    config : BackgroundConfig
    """

    class_names: Sequence[str] = ("object",)
    needs_image = True

    def __init__(self, config: BackgroundConfig) -> None:
        self._config = config
        self._last = 0
        self._seen = 0
        self._shape: tuple[int, ...] = ()
        self._cover: Cover | None = None

    def detect(self, frame: Frame) -> Detections:
        """Find the moving boxes of one frame; none where the image is missing, nor in the very first one.

        All scores are 1: what fills less of its box is not less of an object.
        """
        if frame.image is None:
            return Detections.empty()
        if frame.index <= self._last or frame.image.shape != self._shape:
            self._start(frame.image)
        self._last = frame.index
        mask = self._mask(frame.image)
        boxes = self._blobs(mask)[0]
        height, width = mask.shape
        self._seen += 1
        if self._config.perspective:
            self._learner.add(boxes, width, height)
            if self._seen % RELEARN == 0 and (learnt := self._learner.fit()) is not None:
                self._cover = Cover(learnt, width, height)
            if self._cover is not None:
                boxes = self._cover.boxes(mask, self._config.min_score)[0]
        scale = [frame.image.shape[1] / width, frame.image.shape[0] / height]
        return Detections.of(boxes * np.tile(scale, 2))

    def _start(self, image: Image) -> None:
        config = self._config
        self._shape = image.shape
        # Not the nearest-neighbour model, which is as good but draws from the process's global random numbers.
        self._model = cv2.createBackgroundSubtractorMOG2(config.history, config.threshold, True)
        self._model.setBackgroundRatio(BACKGROUND_RATIO)
        self._learner = PerspectiveLearner()
        self._cover = None
        self._seen = 0

    def _mask(self, image: Image) -> Image:
        height, width = image.shape[:2]
        factor = max(1, round(max(height, width) / self._config.work_size))
        size = (max(1, width // factor), max(1, height // factor))
        moving = self._model.apply(cv2.resize(image, size, interpolation=cv2.INTER_AREA)) == FOREGROUND
        mask = moving.astype(np.uint8)
        if self._seen == 0:  # nothing is background yet
            mask[:] = 0
        mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
        # Taller than wide: legs and heads come off their bodies more often than people part from their neighbours.
        return cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((5, 3), np.uint8)).astype(np.uint8, copy=False)

    def _blobs(self, mask: Image) -> tuple[Float, Float]:
        stats = cv2.connectedComponentsWithStats(mask)[2][1:].astype(np.float64)
        filled = stats[:, 4] / (stats[:, 2] * stats[:, 3])
        least = self._config.min_height * mask.shape[0]
        ok = (stats[:, 3] >= least) & (stats[:, 4] >= 0.5 * least**2) & (filled >= self._config.min_score)
        return xywh_to_xyxy(stats[ok, :4]), filled[ok]
