"""Latents remembered per track, in bounded memory, and which boxes are fit to be remembered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flatsort.tracker import boxes as geometry
from flatsort.tracker.distances import form_of
from flatsort.tracker.gaussian_process import weights
from flatsort.tracker.types import Bool, Detections, Float, Float32, Int

KEEP = ("newest", "surest", "average", "regressed")
MEANS = ("average", "regressed")
"""Those that compute with latents, which therefore cannot be kept as bits."""
BLOCK = 2**21
"""Pairs of a remembered latent and a new one that are looked at together, to bound the memory."""


@dataclass(frozen=True)
class GalleryConfig:
    """What a track remembers of its looks. Its first latent is always kept, until a clear one replaces it."""

    keep: str = "newest"
    """newest: the latest ``size`` latents (DeepSORT); surest: those of highest score; average: one moving mean;
    regressed: what a Gaussian process over time expects at this frame from the latest ``size``."""
    size: int = 100
    """Number of latents a track keeps (DeepSORT: 100); a moving mean is one."""
    momentum: float = 0.9
    """Weight of the old mean in the moving one."""
    length: float = 30.0
    """Frames over which a regressed latent stays alike; long after, the mean of what is kept is expected."""
    noise: float = 1.0
    """Variance that a latent has from frame to frame, as a share of that of its slow change, for a regression."""
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
        for key in ("length", "noise"):
            if not 0 < getattr(self, key) < np.inf:
                raise ValueError(f"gallery.{key}: expected a positive number, got {getattr(self, key)}")
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
    """The latents of t tracks; the rows are those of the tracker's other arrays.

    Parameters
    ----------
    config : GalleryConfig
    bits : bool
        Whether latents are codes of −1 and 1, which are kept as bits (`tracker.distances.Codes`).

    Raises
    ------
    ValueError
        If a mean of bits is asked for.
    """

    def __init__(self, config: GalleryConfig, bits: bool = False) -> None:
        if bits and config.keep in MEANS:
            raise ValueError(
                f"gallery.keep: {config.keep} is a mean, which bits have none of; set appearance.bits=false"
            )
        self.config = config
        self._form = form_of(bits)
        self._most = 1 if config.keep == "average" else config.size
        # Room for more than t tracks, and for as many latents each as the longest memory holds, up to the most.
        self._latents: NDArray[Any] = np.empty((0, 1, 0), self._form.dtype)
        self._offsets: NDArray[Any] = np.empty((0, 1), self._form.offset_dtype)  # absent where there is no latent
        self._scores = np.empty((0, 1))
        self._frames = np.empty((0, 1))  # infinite where there is no latent
        self._count = np.empty(0, np.int64)  # latents ever taken [t]; 0 where the only one is not clear
        self._length = 0  # numbers in a latent, once one was seen

    @property
    def nbytes(self) -> int:
        """Bytes that the latents, their lengths, scores and frames take up."""
        return sum(part.nbytes for part in (self._latents, self._offsets, self._scores, self._frames))

    def start(self, latents: Float32, scores: Float, clear: Bool, frame: int = 0) -> None:
        """Append one track a latent [n d] of this frame.

        Raises
        ------
        ValueError
            If the latents have another length than the earlier ones, or bits are expected and there are other numbers.
        """
        kept = self._kept(latents)
        before = len(self._count)
        self._count = np.concatenate([self._count, clear.astype(np.int64)])
        self._make_room(len(self._count), 1, kept.shape[1])
        self._length = latents.shape[1]
        new = slice(before, len(self._count))
        self._offsets[new], self._frames[new], self._frames[new, 0] = self._form.absent, np.inf, frame
        self._latents[new, 0], self._offsets[new, 0], self._scores[new, 0] = kept, self._form.offsets(kept), scores

    def add(self, rows: Int, latents: Float32, scores: Float, clear: Bool, frame: int = 0) -> None:
        """Let each of the tracks ``rows`` remember one more latent, where it is ``clear``; raises as `start`."""
        new = self._kept(latents)[clear]
        rows, scores = rows[clear], scores[clear]
        if not len(rows):
            return
        count, keep = self._count[rows], self.config.keep
        place = count % self._most
        self._make_room(len(self._count), int(place.max()) + 1, new.shape[1])
        if keep == "average":
            weight = np.where(count > 0, self.config.momentum, 0.0)[:, None]
            new = weight * self._latents[rows, 0] + (1 - weight) * new
        elif keep == "surest":
            full = count >= self._most
            place = np.where(full, self._scores[rows].argmin(axis=1), place)
            better = ~full | (scores > self._scores[rows, place])
            rows, new, scores, place = rows[better], new[better], scores[better], place[better]
        self._latents[rows, place] = new
        self._offsets[rows, place] = self._form.offsets(new)
        self._scores[rows, place], self._frames[rows, place] = scores, frame
        self._count[rows] += 1

    def keep(self, rows: Int) -> None:
        """Drop all other tracks."""
        self._count = self._count[rows]
        moved = np.flatnonzero(rows != np.arange(len(rows)))
        if len(moved):  # those that die are often the youngest, and leave the rows before them in place
            there = slice(moved[0], len(rows))
            for part in (self._latents, self._offsets, self._scores, self._frames):
                part[there] = part[rows[there]]

    def distance(self, latents: Float32, frame: int = 0) -> Float:
        """Smallest Euclidean distance [t n] of each track's latents to each of ``latents`` [n d]; raises as `start`.

        It is that of the one latent that is expected at this frame, where latents are regressed.
        Distances below `tracker.distances.SAME` of the length of a latent are 0.
        """
        new = self._kept(latents)
        t, n, (_, k, width) = len(self._count), len(latents), self._latents.shape
        least = np.empty((n, t), self._form.offset_dtype)
        if not t:
            return np.empty((0, n))
        if self.config.keep == "regressed":
            share = weights(self._frames[:t], frame, self.config.length, self.config.noise)
            expected: Float = np.einsum("tk,tkd->td", share, self._latents[:t])
            return self._form.distances(new, self._form.compare(new, expected, self._form.offsets(expected))).T
        remembered, offsets = self._latents[:t].reshape(t * k, width), self._offsets[:t].ravel()
        block = max(BLOCK // (t * k), 1)
        for start in range(0, n, block):
            part = slice(start, start + block)
            compared = self._form.compare(new[part], remembered, offsets)
            compared.reshape(-1, t, k).min(axis=2, out=least[part])
        return self._form.distances(new, least).T

    def _make_room(self, tracks: int, each: int, width: int) -> None:
        """Room for so many tracks and latents each; where there is too little, for twice as many as now."""
        room, k, _ = self._latents.shape
        if tracks <= room and each <= k:
            return
        shape = (max(tracks, 2 * room) if tracks > room else room, min(max(each, 2 * k), self._most) if each > k else k)
        old, form = (self._latents, self._offsets, self._scores, self._frames), self._form
        self._latents, self._scores = np.zeros((*shape, width), form.dtype), np.zeros(shape)
        self._offsets, self._frames = np.full(shape, form.absent, form.offset_dtype), np.full(shape, np.inf)
        if room:
            for before, after in zip(old, (self._latents, self._offsets, self._scores, self._frames), strict=True):
                after[:room, :k] = before

    def _kept(self, latents: Float32) -> NDArray[Any]:
        """Latents in the form that they are kept in, once they are known to fit."""
        known = self._length
        if known and latents.shape[1] != known:
            raise ValueError(f"latents: expected {known} numbers a box as before, got {latents.shape[1]}")
        return self._form.keep(latents)
