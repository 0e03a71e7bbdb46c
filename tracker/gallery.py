"""Galleries: the latents that each track remembers, in bounded memory, and which detections are clear enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from flatsort.tracker import boxes as geometry
from flatsort.tracker.distances import WORD, storage_for
from flatsort.tracker.state import restore
from flatsort.tracker.types import Bool, Detections, Float, Float32, Int

KEEP = ("newest", "most_confident", "average")
BLOCK = 2**21
"""Pairs of a remembered and a new latent that are compared at a time, to bound the memory."""


@dataclass(frozen=True)
class GalleryConfig:
    """Which latents a track remembers. Its first latent is always kept, until one of a clear detection replaces it."""

    keep: str = "newest"
    """newest: the latest ``size`` latents (DeepSORT); most_confident: the ``size`` latents of highest detection score;
    average: one exponential moving average."""
    size: int = 100
    """Number of latents a track keeps (DeepSORT: 100); a moving average is one."""
    momentum: float = 0.9
    """Weight of the old value in the moving average."""
    max_overlap: float | None = None
    """No latent is taken from a box that overlaps another one by a higher IoU; None: from any box."""
    border: float | None = None
    """No latent is taken from a box nearer to the image border than this share of its height; None: from any."""
    min_score: float | None = None
    """No latent is taken from a detection of a lower score; None: from any."""

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

    @property
    def supports_bits(self) -> bool:
        """Whether latents that are codes of −1 and 1 can be stored as bits: an average of codes is no code."""
        return self.keep != "average"

    def clear(self, detections: Detections, size: tuple[int, int] | None = None) -> Bool:
        """Which of the detections [n] show their object clearly enough for their latents to be remembered.

        Parameters
        ----------
        detections : Detections
        size : tuple of int, optional
            Width and height of the image in pixels; without it no box is taken to be near the border.
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
    """The latents of t tracks; row i belongs to the track in row i of the tracker's other arrays.

    Parameters
    ----------
    config : GalleryConfig
    bits : bool
        Whether latents are codes of −1 and 1, which are stored as bits (`tracker.distances.BinaryCodes`).

    Raises
    ------
    ValueError
        If bits are to be averaged.
    """

    REMEMBERED: ClassVar[tuple[str, ...]] = ("_latents", "_offsets", "_scores", "_count", "_length")

    def __init__(self, config: GalleryConfig, bits: bool = False) -> None:
        if bits and not config.supports_bits:
            raise ValueError("gallery.keep: latents stored as bits cannot be averaged; set appearance.bits=false")
        self.config = config
        self._storage = storage_for(bits)
        self._max_latents = 1 if config.keep == "average" else config.size
        # Capacity for more than t tracks, each with as many latents as the longest gallery has.
        self._latents: NDArray[Any] = np.empty((0, 1, 0), self._storage.dtype)
        self._offsets: NDArray[Any] = np.empty((0, 1), self._storage.offset_dtype)  # `absent` where there is no latent
        self._scores = np.empty((0, 1))
        self._count = np.empty(0, np.int64)  # latents ever added [t]; 0 where the only one is not of a clear detection
        self._length = 0  # numbers in a latent; 0 until the first one came

    @property
    def nbytes(self) -> int:
        """Memory of the latents, their squared lengths and scores in bytes."""
        return sum(part.nbytes for part in (self._latents, self._offsets, self._scores))

    def load_state(self, state: Mapping[str, Any], tracks: int) -> None:
        """Take the state of another one, of as many tracks; it is checked.

        Raises
        ------
        ValueError
            If the numbers do not fit each other.
        """
        restore(self, "gallery", state)
        shape = self._latents.shape[:2]
        same = self._offsets.shape == self._scores.shape == shape
        if not same or len(self._count) != tracks or shape[0] < tracks or not 1 <= shape[1] <= self._max_latents:
            raise ValueError(f"state: gallery: expected latents of {tracks} tracks, got {list(self._latents.shape)}")
        length, width = self._length, self._latents.shape[2]
        fits = 0 <= length <= WORD * width and self._storage.encode(np.ones((0, length))).shape[1] == width
        if not fits or min(self._count, default=0) < 0 or not np.isfinite(self._latents).all():
            raise ValueError(f"state: gallery: expected finite latents of {length} numbers, and counts")

    def start(self, latents: Float32, scores: Float, clear: Bool) -> None:
        """Append one track for each of the latents [n d].

        Raises
        ------
        ValueError
            If the latents have another length than the earlier ones, or codes of −1 and 1 are expected and there are
            other numbers.
        """
        kept = self._to_storage(latents)
        before = len(self._count)
        self._count = np.concatenate([self._count, clear.astype(np.int64)])
        self._grow(len(self._count), 1, kept.shape[1])
        self._length = latents.shape[1]
        new = slice(before, len(self._count))
        self._offsets[new] = self._storage.absent
        self._latents[new, 0], self._offsets[new, 0], self._scores[new, 0] = kept, self._storage.offsets(kept), scores

    def add(self, rows: Int, latents: Float32, scores: Float, clear: Bool) -> None:
        """Add one latent to each of the tracks ``rows`` where its detection is ``clear``; raises as `start`."""
        new = self._to_storage(latents)[clear]
        rows, scores = rows[clear], scores[clear]
        if not len(rows):
            return
        count, keep = self._count[rows], self.config.keep
        place = count % self._max_latents
        self._grow(len(self._count), int(place.max()) + 1, new.shape[1])
        if keep == "average":
            weight = np.where(count > 0, self.config.momentum, 0.0)[:, None]
            new = weight * self._latents[rows, 0] + (1 - weight) * new
        elif keep == "most_confident":
            full = count >= self._max_latents
            place = np.where(full, self._scores[rows].argmin(axis=1), place)
            better = ~full | (scores > self._scores[rows, place])
            rows, new, scores, place = rows[better], new[better], scores[better], place[better]
        self._latents[rows, place] = new
        self._offsets[rows, place] = self._storage.offsets(new)
        self._scores[rows, place] = scores
        self._count[rows] += 1

    def keep(self, rows: Int) -> None:
        """Drop all other tracks."""
        self._count = self._count[rows]
        moved = np.flatnonzero(rows != np.arange(len(rows)))
        if len(moved):  # tracks that end are often the youngest, so that the rows before them stay in place
            there = slice(moved[0], len(rows))
            for part in (self._latents, self._offsets, self._scores):
                part[there] = part[rows[there]]

    def distance(self, latents: Float32) -> Float:
        """Smallest Euclidean distance [t n] of each track's latents to each of ``latents`` [n d]; raises as `start`.

        Distances below `tracker.distances.ROUNDING` of the length of a latent are 0.
        """
        new = self._to_storage(latents)
        t, n, (_, k, width) = len(self._count), len(latents), self._latents.shape
        smallest = np.empty((n, t), self._storage.offset_dtype)
        if not t:
            return np.empty((0, n))
        remembered, offsets = self._latents[:t].reshape(t * k, width), self._offsets[:t].ravel()
        block = max(BLOCK // (t * k), 1)
        for start in range(0, n, block):
            part = slice(start, start + block)
            compared = self._storage.compare(new[part], remembered, offsets)
            compared.reshape(-1, t, k).min(axis=2, out=smallest[part])
        return self._storage.distances(new, smallest).T

    def _grow(self, tracks: int, each: int, width: int) -> None:
        """Make the arrays large enough for so many tracks with so many latents each; sizes at least double."""
        capacity, k, _ = self._latents.shape
        if tracks <= capacity and each <= k:
            return
        t = max(tracks, 2 * capacity) if tracks > capacity else capacity
        shape = t, min(max(each, 2 * k), self._max_latents) if each > k else k
        old, storage = (self._latents, self._offsets, self._scores), self._storage
        self._latents, self._scores = np.zeros((*shape, width), storage.dtype), np.zeros(shape)
        self._offsets = np.full(shape, storage.absent, storage.offset_dtype)
        if capacity:
            for before, after in zip(old, (self._latents, self._offsets, self._scores), strict=True):
                after[:capacity, :k] = before

    def _to_storage(self, latents: Float32) -> NDArray[Any]:
        """Latents in the form in which they are stored, after checking that they fit."""
        known = self._length
        if known and latents.shape[1] != known:
            raise ValueError(f"latents: expected {known} numbers a box as before, got {latents.shape[1]}")
        return self._storage.encode(latents)
