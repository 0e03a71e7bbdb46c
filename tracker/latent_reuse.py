"""Latent reuse: detections that clearly continue a detection of the frame before keep its latent.

The decision uses the boxes of two successive frames only, not the tracks, so that frames can be embedded in batches
ahead of the tracker.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from flatsort.tracker.boxes import iou, valid
from flatsort.tracker.types import Bool, Detections, Float, Float32, Int

MIN_IOU = 0.6
"""Two boxes of successive frames with at least this IoU, neither touching another box, show the same object."""


@dataclass(frozen=True)
class EmbedConfig:
    """How often, and how many frames at a time, detections are embedded."""

    every: int | str = 1
    """1: every box of every frame. N: a box that clearly continues a box of the frame before (IoU of at least 0.6, and
    neither touches another box) keeps its latent for up to N frames. auto: N is half a second."""
    batch: int = 8
    """Frames in one call of the embedder, where the source is a file."""
    components: int = 0
    """Use the first numbers of each latent only, for embedders that sort them by importance (pca_ae). 0: all."""

    def __post_init__(self) -> None:
        if self.every != "auto" and (isinstance(self.every, str) or self.every < 1):
            raise ValueError(f"embed.every: expected auto or a number of frames from 1 on, got {self.every!r}")
        if self.batch < 1:
            raise ValueError(f"embed.batch: expected 1 or more frames, got {self.batch}")
        if self.components < 0:
            raise ValueError(f"embed.components: expected 0 (all) or more numbers, got {self.components}")

    def max_reuse(self, fps: float) -> int:
        """Maximum number of frames that share a latent, in a source of ``fps`` frames per second."""
        return max(1, round(fps / 2)) if isinstance(self.every, str) else self.every

    def dim(self, full: int) -> int:
        """Numbers that are used of latents of length ``full``.

        Raises
        ------
        ValueError
            If ``components`` is larger.
        """
        if self.components > full:
            raise ValueError(f"embed.components: expected at most the embedder's {full}, got {self.components}")
        return self.components or full


class LatentReuse:
    """Decides for each detection whether it reuses the latent of a detection of the frame before.

    Parameters
    ----------
    max_frames : int
        Maximum number of successive frames that share a latent; 1: nothing is reused.
    """

    def __init__(self, max_frames: int) -> None:
        self._max_frames = max_frames
        self._boxes = np.empty((0, 4))
        self._ages = np.empty(0, np.int64)
        self._latents: Float32 = np.empty((0, 0), np.float32)

    def origins(self, detections: Detections) -> Int:
        """Row in the frame before whose latent each detection [n] reuses; −1 where it has to be embedded.

        Frames must come in their order.
        """
        boxes, previous = detections.boxes, self._boxes
        origin = np.full(len(boxes), -1)
        ages = np.zeros(len(boxes), np.int64)
        if self._max_frames > 1 and len(boxes) and len(previous) and valid(boxes).all():
            overlap = iou(previous, boxes)
            rows, cols = np.nonzero(
                _isolated(previous, overlap)[:, None] & _isolated(boxes, overlap.T) & (overlap >= MIN_IOU)
            )
            fresh = self._ages[rows] + 1 < self._max_frames
            origin[cols[fresh]] = rows[fresh]
            ages[cols[fresh]] = self._ages[rows[fresh]] + 1
        self._boxes, self._ages = boxes[:], ages
        if not valid(boxes).all():
            self._boxes, self._ages = np.empty((0, 4)), np.empty(0, np.int64)
        return origin

    def fill(self, origin: Int, new: Float32) -> Float32:
        """Latents [n d] of a frame: the ``new`` ones [k d] where ``origin`` is −1, and those of the frame before."""
        latents = np.empty((len(origin), new.shape[1]), np.float32)
        reused = origin >= 0
        latents[~reused] = new
        if reused.any():
            latents[reused] = self._latents[origin[reused]]
        self._latents = latents
        return latents


def _isolated(boxes: Float, overlap: Float) -> Bool:
    """Which boxes [n] touch no other box of their frame and exactly one of the other frame."""
    touching = iou(boxes, boxes) > 0
    isolated: Bool = (touching.sum(axis=1) == 1) & ((overlap > 0).sum(axis=1) == 1)
    return isolated
