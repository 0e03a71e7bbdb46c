"""Whether what a model draws is new: how far samples of its prior are from the nearest ones of a training set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import distance

from flatsort.tracker.types import Float, Int

CHUNK = 1024
"""Rows of distances that are held at a time."""


@dataclass(frozen=True, eq=False)
class Nearest:
    """Nearest known sample of each of n others.

    Attributes
    ----------
    row : int64 [n]
    distance : float64 [n]
        Root mean square over a sample's values, in their units.
    """

    row: Int
    distance: Float


def nearest(samples: NDArray[np.floating], known: NDArray[np.floating], itself: Int | None = None) -> Nearest:
    """Find the nearest of ``known`` [m …] to each of ``samples`` [n …].

    Parameters
    ----------
    samples, known : float
        Of the same shape but for their number.
    itself : int64 [n], optional
        Row of ``known`` that each sample is, which does not count: the distance that is usual between different
        samples, beside which a copy shows.

    Raises
    ------
    ValueError
        If there is nothing to compare with.
    """
    some, others = (np.asarray(s, np.float64).reshape(len(s), -1) for s in (samples, known))
    if len(others) < 1 + (itself is not None) or some.shape[1:] != others.shape[1:]:
        raise ValueError(f"nearest: expected samples of one shape, got {list(samples.shape)} and {list(known.shape)}")
    rows, distances = [], []
    for start in range(0, len(some), CHUNK):
        table = distance.cdist(some[start : start + CHUNK], others)
        if itself is not None:
            table[np.arange(len(table)), itself[start : start + CHUNK]] = np.inf
        rows.append(table.argmin(1))
        distances.append(table.min(1))
    return Nearest(np.concatenate(rows), np.concatenate(distances) / np.sqrt(some.shape[1]))
