"""Camera motion between consecutive frames, as an affine map of pixel coordinates.

References
----------
Evangelidis, Psarakis: Parametric image alignment using enhanced correlation coefficient maximization, PAMI 2008.
Shi, Tomasi: Good features to track, CVPR 1994. Bouguet: Pyramidal implementation of Lucas–Kanade, 2000.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from flatsort.tracker.boxes import valid
from flatsort.tracker.state import restore
from flatsort.tracker.types import Float, Image

log = logging.getLogger(__name__)

METHODS = ("none", "ecc", "sparse_flow")
ECC_MODELS = ("translation", "euclidean", "affine")

_ITERATIONS = 60
"""Maximum number of ECC iterations; they stop earlier when the correlation changes by less than `_TOLERANCE`."""
_TOLERANCE = 1e-5
_MIN_CORRELATION = 0.5
"""Minimum correlation of the aligned images; below it ECC has failed."""
_CORNERS = 400
_MIN_INLIERS = 12
"""Minimum number of corners that follow the camera; fewer could agree by chance."""
_MIN_INLIER_SHARE = 0.3
"""Minimum share of the corners that follow the camera."""
_MAX_ERROR = 1.0
"""Pixels of the reduced image by which a corner may deviate from the common motion."""


@dataclass(frozen=True)
class CameraConfig:
    """How the motion of the camera is estimated.

    Attributes
    ----------
    method : str
        none: the camera is static; ecc: align all pixels; sparse_flow: follow corners (faster, tolerates larger motion
        and more moving objects).
    side : int
        Images are first reduced to this many pixels on the longer side.
    ecc_model : str
        translation, euclidean (with rotation) or affine. sparse_flow always estimates translation, rotation and scale.
    """

    method: str = "none"
    side: int = 320
    ecc_model: str = "affine"

    def __post_init__(self) -> None:
        for name, known in (("method", METHODS), ("ecc_model", ECC_MODELS)):
            if getattr(self, name) not in known:
                raise ValueError(f"camera.{name}: expected one of {', '.join(known)}, got {getattr(self, name)!r}")
        if self.side < 32:
            raise ValueError(f"camera.side: expected at least 32 pixels, got {self.side}")


class CameraMotion:
    """Estimates the camera motion from each image to the next; keeps one reduced image.

    Attributes
    ----------
    failures : int
        Number of frames so far for which the estimation failed and gave the identity. The first one is logged.
    """

    REMEMBERED: ClassVar[tuple[str, ...]] = ("failures", "_previous", "_mask", "_size")

    def __init__(self, config: CameraConfig | None = None) -> None:
        self.config = config or CameraConfig()
        self.failures = 0
        self.reset()

    def reset(self) -> None:
        """Forget the previous image: the next one is the first of a sequence."""
        self._previous: Image | None = None
        self._mask: Image | None = None
        self._size: tuple[int, ...] = ()

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take the state of another one; it is checked.

        Raises
        ------
        ValueError
            If the numbers do not fit each other.
        """
        restore(self, "camera", state)
        images = [image for image in (self._previous, self._mask) if image is not None]
        known = len(self._size) == 2 and min(self._size) > 0
        kinds = [(image.dtype.name, image.shape[::-1]) for image in images]
        if images and (not known or kinds != [("uint8", self._reduced_size(*self._size))] * 2):
            raise ValueError(f"state: camera: expected a grey image and its mask of {self._size}, got {kinds}")

    def estimate(self, image: Image | None, boxes: Float | None = None) -> Float:
        """Affine map [2 3] from the previous image's pixel coordinates to this one's.

        Parameters
        ----------
        image : uint8 [h w 3] or None
            None (a frame that could not be read) counts as a failure; the next image is compared with the last one.
        boxes : [n 4], optional
            xyxy of objects that may move by themselves; their pixels are masked. Boxes that are not
            `tracker.boxes.valid` are ignored.

        Returns
        -------
        float64 [2 3]
            The identity for the first image and after a failure.
        """
        if self.config.method == "none":
            return np.eye(2, 3)
        if image is None:
            return self._failed("the image is missing")
        grey, mask = self._reduce(image, boxes)
        previous, previous_mask, size = self._previous, self._mask, self._size
        self._previous, self._mask, self._size = grey, mask, image.shape[:2]
        if previous is None or previous_mask is None:
            return np.eye(2, 3)
        if size != image.shape[:2]:
            return self._failed(f"the size changed from {size[1]}x{size[0]} to {image.shape[1]}x{image.shape[0]}")
        if self.config.method == "ecc":
            # masked in both images: otherwise an object in one would be compared with the background in the other
            affine = _ecc(previous, grey, np.minimum(previous_mask, mask), self.config.ecc_model)
        else:
            affine = _sparse_flow(previous, grey, previous_mask)
        if affine is None or not _plausible(affine, grey):
            return self._failed("the images could not be aligned")
        return _enlarge(affine, grey, image)

    def _reduce(self, image: Image, boxes: Float | None) -> tuple[Image, Image]:
        """Grey image of the configured size, and a mask that is 0 on the boxes and 255 elsewhere."""
        import cv2

        height, width = image.shape[:2]
        size = self._reduced_size(height, width)
        grey = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA)
        mask = np.full(grey.shape, 255, np.uint8)
        factor = np.array([size[0] / width, size[1] / height] * 2)
        bounds = np.array([size[0], size[1]] * 2)
        known = np.empty((0, 4)) if boxes is None else boxes[valid(boxes)]
        for left, top, right, bottom in np.clip(known * factor, 0, bounds):
            mask[int(top) : int(np.ceil(bottom)), int(left) : int(np.ceil(right))] = 0
        return grey.astype(np.uint8, copy=False), mask

    def _reduced_size(self, height: int, width: int) -> tuple[int, int]:
        """Width and height of the reduced image."""
        scale = min(1.0, self.config.side / max(height, width))
        return max(round(width * scale), 1), max(round(height * scale), 1)

    def _failed(self, why: str) -> Float:
        self.failures += 1
        if self.failures == 1:
            log.warning(
                "camera motion: %s; the camera is taken as static in this frame, as after every later failure", why
            )
        return np.eye(2, 3)


def _ecc(previous: Image, grey: Image, mask: Image, model: str) -> Float | None:
    """Affine map [2 3] that aligns all unmasked pixels, or None."""
    import cv2

    kinds = (cv2.MOTION_TRANSLATION, cv2.MOTION_EUCLIDEAN, cv2.MOTION_AFFINE)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, _ITERATIONS, _TOLERANCE)
    if previous.std() < 1 or grey.std() < 1:
        return None
    try:
        start = np.eye(2, 3, dtype=np.float32)
        kind = kinds[ECC_MODELS.index(model)]
        correlation, affine = cv2.findTransformECC(previous, grey, start, kind, criteria, mask, 5)
    except cv2.error:  # it did not converge
        return None
    return np.asarray(affine, np.float64) if correlation >= _MIN_CORRELATION else None


def _sparse_flow(previous: Image, grey: Image, mask: Image) -> Float | None:
    """Similarity transform [2 3] that most corners of the unmasked pixels follow, or None."""
    import cv2

    corners = cv2.goodFeaturesToTrack(previous, _CORNERS, 0.005, 7, mask=mask)
    if corners is None or len(corners) < _MIN_INLIERS:
        return None
    followed, status, _ = cv2.calcOpticalFlowPyrLK(previous, grey, corners, np.empty_like(corners), winSize=(15, 15))
    tracked = status.ravel() == 1
    if np.count_nonzero(tracked) < _MIN_INLIERS:
        return None
    affine, inliers = cv2.estimateAffinePartial2D(
        corners[tracked], followed[tracked], method=cv2.RANSAC, ransacReprojThreshold=_MAX_ERROR
    )
    if affine is None or np.count_nonzero(inliers) < max(_MIN_INLIERS, _MIN_INLIER_SHARE * len(corners)):
        return None
    return np.asarray(affine, np.float64)


def _plausible(affine: Float, grey: Image) -> bool:
    """Whether the map is finite, changes areas by less than a factor of 2 and keeps most of the image in view."""
    if not np.isfinite(affine).all():
        return False
    height, width = grey.shape
    shift = affine @ np.array([0.5 * width, 0.5 * height, 1.0]) - 0.5 * np.array([width, height])
    area = float(np.linalg.det(affine[:, :2]))
    return 0.5 < area < 2.0 and bool((np.abs(shift) < 0.6 * np.array([width, height])).all())


def _enlarge(affine: Float, grey: Image, image: Image) -> Float:
    """Convert the map between reduced images to the full images; coordinates are those of pixel centres."""
    scale = np.array([image.shape[1] / grey.shape[1], image.shape[0] / grey.shape[0]])
    offset = 0.5 * scale - 0.5
    linear = scale[:, None] * affine[:, :2] / scale
    shift = scale * affine[:, 2] + offset - linear @ offset
    return np.concatenate([linear, shift[:, None]], axis=1)
