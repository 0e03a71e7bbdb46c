"""Which detections need a latent of their own, and which follow one of the frame before without doubt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from flatsort.tracker.boxes import iou, valid
from flatsort.tracker.types import Bool, Detections, Float, Float32, Int

SAME = 0.6
"""IoU from which on two boxes of successive frames, which touch nothing else, show one object."""


@dataclass(frozen=True)
class EmbedConfig:
    """How often detections are embedded."""

    every: int | str = 1
    """1: every box of every frame. N: a box that follows one of the frame before without doubt (an IoU of 0.6 or more,
    and no other box touches either) keeps its latent for up to N frames. auto: N of half a second."""
    batch: int = 8
    """Frames in a call of the embedder, where the source is a file."""
    components: int = 0
    """Numbers at the beginning of a latent that are compared, for embedders that order them (pca_ae). 0: all."""

    def __post_init__(self) -> None:
        if self.every != "auto" and (isinstance(self.every, str) or self.every < 1):
            raise ValueError(f"embed.every: expected auto or a number of frames from 1 on, got {self.every!r}")
        if self.batch < 1:
            raise ValueError(f"embed.batch: expected 1 or more frames, got {self.batch}")
        if self.components < 0:
            raise ValueError(f"embed.components: expected 0 (all) or more numbers, got {self.components}")

    def longest(self, fps: float) -> int:
        """Frames that a latent is kept at most, in a source of ``fps`` frames a second."""
        return max(1, round(fps / 2)) if isinstance(self.every, str) else self.every

    def dim(self, whole: int) -> int:
        """Numbers that are compared of latents with ``whole`` numbers.

        Raises
        ------
        ValueError
            If there are fewer than wanted.
        """
        if self.components > whole:
            raise ValueError(f"embed.components: expected at most the embedder's {whole}, got {self.components}")
        return self.components or whole


class LatentReuse:
    """Follows detections from frame to frame by their boxes alone, before anything is tracked.

    Parameters
    ----------
    longest : int
        Frames after which a box gets a latent of its own again; 1: always.
    """

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._boxes = np.empty((0, 4))
        self._ages = np.empty(0, np.int64)
        self._latents: Float32 = np.empty((0, 0), np.float32)

    def origins(self, detections: Detections) -> Int:
        """Row in the frame before whose latent each detection [n] takes over, −1 where it needs its own; in order."""
        boxes, before = detections.boxes, self._boxes
        origin = np.full(len(boxes), -1)
        ages = np.zeros(len(boxes), np.int64)
        if self._longest > 1 and len(boxes) and len(before) and valid(boxes).all():
            overlap = iou(before, boxes)
            rows, cols = np.nonzero(_alone(before, overlap)[:, None] & _alone(boxes, overlap.T) & (overlap >= SAME))
            young = self._ages[rows] + 1 < self._longest
            origin[cols[young]] = rows[young]
            ages[cols[young]] = self._ages[rows[young]] + 1
        self._boxes, self._ages = boxes[:], ages
        if not valid(boxes).all():
            self._boxes, self._ages = np.empty((0, 4)), np.empty(0, np.int64)
        return origin

    def fill(self, origin: Int, own: Float32) -> Float32:
        """Latents [n d] of a frame: its ``own`` ones [k d] and those taken over from the frame filled before."""
        latents = np.empty((len(origin), own.shape[1]), np.float32)
        carried = origin >= 0
        latents[~carried] = own
        if carried.any():
            latents[carried] = self._latents[origin[carried]]
        self._latents = latents
        return latents


def _alone(boxes: Float, overlap: Float) -> Bool:
    """Which boxes [n] touch no other of their frame and but one of the other frame."""
    touching = iou(boxes, boxes) > 0
    alone: Bool = (touching.sum(axis=1) == 1) & ((overlap > 0).sum(axis=1) == 1)
    return alone
