"""Latents remembered per track: a ring of the newest ones, in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracker.types import Float, Float32, Int


@dataclass(frozen=True)
class GalleryConfig:
    """What a track remembers of its looks."""

    size: int = 100
    """Number of newest latents a track keeps (DeepSORT: 100)."""

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"gallery.size: expected 1 or more, got {self.size}")


class Gallery:
    """The newest latents of t tracks; the rows are those of the tracker's other arrays."""

    def __init__(self, config: GalleryConfig) -> None:
        self._size = config.size
        self._ring = np.empty((0, config.size, 0), np.float32)
        self._count = np.empty(0, np.int64)

    def start(self, latents: Float32) -> None:
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
        self._ring = np.concatenate([self._ring, fresh])
        self._count = np.concatenate([self._count, np.ones(n, np.int64)])

    def add(self, rows: Int, latents: Float32) -> None:
        """Remember one more latent of each of the tracks ``rows``; the oldest one makes room."""
        self._check(latents)
        self._ring[rows, self._count[rows] % self._size] = latents
        self._count[rows] += 1

    def keep(self, rows: Int) -> None:
        """Drop all other tracks."""
        self._ring, self._count = self._ring[rows], self._count[rows]

    def distance(self, latents: Float32) -> Float:
        """Smallest Euclidean distance [t n] of each track's latents to each of ``latents`` [n d]."""
        self._check(latents)
        from scipy.spatial.distance import cdist

        used = np.arange(self._size) < self._count[:, None]
        all_pairs = cdist(self._ring[used], latents)
        starts = np.concatenate([[0], np.cumsum(used.sum(axis=1))[:-1]])
        nearest: Float = np.minimum.reduceat(all_pairs, starts, axis=0)
        return nearest

    def _check(self, latents: Float32) -> None:
        if len(self._ring) and latents.shape[1] != self._ring.shape[2]:
            raise ValueError(f"latents: expected {self._ring.shape[2]} numbers a box as before, got {latents.shape[1]}")
