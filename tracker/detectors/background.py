"""Detection of moving objects by background subtraction: for static cameras, without a trained model.

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
from flatsort.tracker.detectors.silhouettes import PerspectiveEstimator, SilhouetteBoxes
from flatsort.tracker.registry import PartConfig, require
from flatsort.tracker.types import Detections, Float, Frame, Image

FOREGROUND = 255
"""Value of a moving pixel in OpenCV's mask; that of shadows is another one."""

BACKGROUND_RATIO = 0.7
"""Share of the history for which a pixel must have had a colour to make this colour background."""

REFIT = 20
"""Frames between two fits of the perspective."""


@dataclass(frozen=True)
class BackgroundConfig(PartConfig):
    """Thresholds of the background subtraction, and size of the objects."""

    name: str = "background"
    threshold: float = 12.0
    """A pixel is moving from this squared distance to the background on, in units of the pixel's own variance."""
    history: int = 1000
    """Frames of the background model; an object that stands still for a third of them becomes background."""
    work_size: int = 400
    """The image is reduced by an integer factor so that its longer side comes near this many pixels."""
    min_height: float = 0.03
    """Minimum height of an object as a share of the image height, 0..1."""
    min_score: float = 0.28
    """Minimum share of a box that is moving and not covered by a better box, 0..1."""
    perspective: bool = True
    """Learn the size of the objects (people) from their position, to separate groups; false: one box per blob."""

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
    """Boxes of moving objects, by comparison with earlier frames; a frame that is not later than the last one restarts.

    Parameters
    ----------
    config : BackgroundConfig
    """

    class_names: Sequence[str] = ("object",)
    needs_image = True

    def __init__(self, config: BackgroundConfig) -> None:
        self._config = config
        self._last = 0
        self._frames = 0
        self._shape: tuple[int, ...] = ()
        self._box_search: SilhouetteBoxes | None = None

    def detect(self, frame: Frame) -> Detections:
        """Boxes of the moving objects of one frame; none in the first frame, or where the image is missing.

        All scores are 1, since the share of a box that is moving does not tell how likely it is an object.
        """
        if frame.image is None:
            return Detections.empty()
        if frame.index <= self._last or frame.image.shape != self._shape:
            self._start(frame.image)
        self._last = frame.index
        mask = self._mask(frame.image)
        boxes = self._blobs(mask)[0]
        height, width = mask.shape
        self._frames += 1
        if self._config.perspective:
            self._perspective.add(boxes, width, height)
            if self._frames % REFIT == 0 and (perspective := self._perspective.fit()) is not None:
                self._box_search = SilhouetteBoxes(perspective, width, height)
            if self._box_search is not None:
                boxes = self._box_search.boxes(mask, self._config.min_score)[0]
        scale = [frame.image.shape[1] / width, frame.image.shape[0] / height]
        return Detections.of(boxes * np.tile(scale, 2))

    def _start(self, image: Image) -> None:
        config = self._config
        self._shape = image.shape
        # not OpenCV's nearest-neighbour model, which is as good but uses global random numbers
        self._model = cv2.createBackgroundSubtractorMOG2(config.history, config.threshold, True)
        self._model.setBackgroundRatio(BACKGROUND_RATIO)
        self._perspective = PerspectiveEstimator()
        self._box_search = None
        self._frames = 0

    def _mask(self, image: Image) -> Image:
        height, width = image.shape[:2]
        factor = max(1, round(max(height, width) / self._config.work_size))
        size = (max(1, width // factor), max(1, height // factor))
        moving = self._model.apply(cv2.resize(image, size, interpolation=cv2.INTER_AREA)) == FOREGROUND
        mask = moving.astype(np.uint8)
        if self._frames == 0:  # there is no background yet
            mask[:] = 0
        mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
        # taller than wide: it must join legs and heads to bodies, but not people to their neighbours
        return cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((5, 3), np.uint8)).astype(np.uint8, copy=False)

    def _blobs(self, mask: Image) -> tuple[Float, Float]:
        stats = cv2.connectedComponentsWithStats(mask)[2][1:].astype(np.float64)
        filled = stats[:, 4] / (stats[:, 2] * stats[:, 3])
        min_height = self._config.min_height * mask.shape[0]
        ok = (stats[:, 3] >= min_height) & (stats[:, 4] >= 0.5 * min_height**2) & (filled >= self._config.min_score)
        return xywh_to_xyxy(stats[ok, :4]), filled[ok]
