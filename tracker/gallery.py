"""Latents remembered per track, in bounded memory, and which boxes are fit to be remembered."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracker import boxes as geometry
from tracker.types import Bool, Detections, Float, Float32, Int

KEEP = ("newest", "surest", "average")


@dataclass(frozen=True)
class GalleryConfig:
    """What a track remembers of its looks. Its first latent is always kept, until a clear one replaces it."""

    keep: str = "newest"
    """newest: the latest ``size`` latents (DeepSORT); surest: those of highest score; average: one moving mean."""
    size: int = 100
    """Number of latents a track keeps (DeepSORT: 100); a moving mean is one."""
    momentum: float = 0.9
    """Weight of the old mean in the moving one."""
    max_overlap: float | None = None
    """No latent is taken from a box that overlaps another one by a higher IoU; None: any box teaches."""
    border: float | None = None
    """No latent is taken from a box nearer to the picture's border than this share of its height; None: any."""
    min_score: float | None = None
    """No latent is taken from a detection of a lower score; None: any."""

    def __post_init__(self) -> None:
        if self.keep not in KEEP:
            raise ValueError(f"gallery.keep: expected one of {', '.join(KEEP)}, got {self.keep!r}")
        if self.size < 1:
            raise ValueError(f"gallery.size: expected 1 or more, got {self.size}")
        if not 0 <= self.momentum < 1:
            raise ValueError(f"gallery.momentum: expected a number in [0, 1), got {self.momentum}")
        for key in ("max_overlap", "border", "min_score"):
            if getattr(self, key) is not None and not np.isfinite(getattr(self, key)):
                raise ValueError(f"gallery.{key}: expected a finite number, got {getattr(self, key)}")

    def clear(self, detections: Detections, size: tuple[int, int] | None = None) -> Bool:
        """Which of the detections [n] show their object well enough to be remembered.

        Parameters
        ----------
        detections : Detections
        size : tuple of int, optional
            Width and height of the picture in pixels; without it no box is known to be cut by the border.
        """
        ok = np.ones(len(detections), np.bool_)
        boxes = detections.boxes
        if self.min_score is not None:
            ok &= detections.scores >= self.min_score
        if self.max_overlap is not None and len(boxes) > 1:
            overlap = geometry.iou(boxes, boxes)
            np.fill_diagonal(overlap, 0.0)
            ok &= overlap.max(axis=1) <= self.max_overlap
        if self.border is not None and size is not None:
            margin = self.border * (boxes[:, 3] - boxes[:, 1])
            inside = np.concatenate([boxes[:, :2], np.asarray(size) - boxes[:, 2:]], axis=1)
            ok &= inside.min(axis=1) >= margin
        return ok


class Gallery:
    """The latents of t tracks; the rows are those of the tracker's other arrays."""

    def __init__(self, config: GalleryConfig) -> None:
        self.config = config
        self._size = 1 if config.keep == "average" else config.size
        self._ring = np.empty((0, self._size, 0), np.float32)
        self._scores = np.empty((0, self._size))
        self._count = np.empty(0, np.int64)  # latents ever taken; 0 where the only one is not clear

    def start(self, latents: Float32, scores: Float, clear: Bool) -> None:
        """Append one track a latent [n d].

        Raises
        ------
        ValueError
            If the latents have another length than those remembered.
        """
        n, d = latents.shape
        if not len(self._ring):
            self._ring = np.empty((0, self._size, d), np.float32)
        self._check(latents)
        fresh = np.zeros((n, self._size, d), np.float32)
        fresh[:, 0] = latents
        surest = np.zeros((n, self._size))
        surest[:, 0] = scores
        self._ring = np.concatenate([self._ring, fresh])
        self._scores = np.concatenate([self._scores, surest])
        self._count = np.concatenate([self._count, clear.astype(np.int64)])

    def add(self, rows: Int, latents: Float32, scores: Float, clear: Bool) -> None:
        """Let each of the tracks ``rows`` remember one more latent, where it is ``clear``."""
        self._check(latents)
        rows, latents, scores = rows[clear], latents[clear], scores[clear]
        if not len(rows):
            return
        count, keep = self._count[rows], self.config.keep
        if keep == "average":
            weight = np.where(count > 0, self.config.momentum, 0.0).astype(np.float32)[:, None]
            self._ring[rows, 0] = weight * self._ring[rows, 0] + (1 - weight) * latents
        else:
            place = count % self._size
            if keep == "surest":
                full = count >= self._size
                place = np.where(full, self._scores[rows].argmin(axis=1), place)
                better = ~full | (scores > self._scores[rows, place])
                rows, latents, scores, place = rows[better], latents[better], scores[better], place[better]
            self._ring[rows, place] = latents
            self._scores[rows, place] = scores
        self._count[rows] += 1

    def keep(self, rows: Int) -> None:
        """Drop all other tracks."""
        self._ring, self._scores, self._count = self._ring[rows], self._scores[rows], self._count[rows]

    def distance(self, latents: Float32) -> Float:
        """Smallest Euclidean distance [t n] of each track's latents to each of ``latents`` [n d]."""
        self._check(latents)
        from scipy.spatial.distance import cdist

        used = np.arange(self._size) < np.maximum(self._count, 1)[:, None]
        all_pairs = cdist(self._ring[used], latents)
        starts = np.concatenate([[0], np.cumsum(used.sum(axis=1))[:-1]])
        nearest: Float = np.minimum.reduceat(all_pairs, starts, axis=0)
        return nearest

    def _check(self, latents: Float32) -> None:
        if len(self._ring) and latents.shape[1] != self._ring.shape[2]:
            raise ValueError(f"latents: expected {self._ring.shape[2]} numbers a box as before, got {latents.shape[1]}")
