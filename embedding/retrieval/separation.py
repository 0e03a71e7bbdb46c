"""Distances of same objects against distances of different ones, in bounded memory for any number of pairs."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import auc

from flatsort.tracker.types import Float, Int

SHIFT = 10
"""Bits of a float32 that a bin leaves out: 13 bits of the mantissa stay, bins are 0.01 % wide."""
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


@dataclass(eq=False)
class Histogram:
    """Counts of distances by the leading bits of their float32: bins of equal relative width, whatever the scale.

    Positive floats are ordered as their bits are, so that no range has to be known before the first distance comes,
    and pairs can be added in any number and order. Only bins that hold something are kept.
    """

    bins: NDArray[np.uint32] = field(default_factory=lambda: np.empty(0, np.uint32))
    counts: Int = field(default_factory=lambda: np.empty(0, np.int64))
    _sum: float = 0.0
    _squares: float = 0.0

    def add(self, distances: Float) -> None:
        """Count distances ≥ 0 [any shape]."""
        bits = np.ascontiguousarray(distances, np.float32).reshape(-1).view(np.uint32)
        bins, counts = np.unique(bits >> SHIFT, return_counts=True)
        merged = np.union1d(self.bins, bins)
        self.counts = _spread(self.bins, self.counts, merged) + _spread(bins, counts, merged)
        self.bins = merged
        self._sum += float(distances.sum())
        self._squares += float(np.square(distances).sum())

    def __len__(self) -> int:
        return int(self.counts.sum())

    @property
    def mean(self) -> float:
        """Mean distance; 0 without any."""
        return self._sum / max(len(self), 1)

    @property
    def deviation(self) -> float:
        """Standard deviation of the distances; 0 without any."""
        return math.sqrt(max(self._squares / max(len(self), 1) - self.mean**2, 0.0))

    @property
    def distances(self) -> Float:
        """Distances that stand for the bins, ascending [k]."""
        middles = ((self.bins << SHIFT) + (1 << (SHIFT - 1))).astype(np.uint32).view(np.float32)
        return np.where(self.bins == 0, 0.0, middles).astype(np.float64)

    def quantile(self, shares: ArrayLike) -> Float:
        """Distances below which these shares of all lie, to the width of a bin.

        Raises
        ------
        ValueError
            If there is no distance.
        """
        if not len(self.bins):
            raise ValueError("quantile: expected at least one distance, got none")
        places = np.searchsorted(np.cumsum(self.counts), np.asarray(shares) * len(self), side="left")
        return np.asarray(self.distances[np.minimum(places, len(self.bins) - 1)])


@dataclass(eq=False)
class Separation:
    """Distances between samples of the same object, and between different ones.

    What is computed of the two takes distances within a bin of `Histogram` for equal.
    """

    same: Histogram = field(default_factory=Histogram)
    different: Histogram = field(default_factory=Histogram)

    @classmethod
    def of(cls, same: ArrayLike, different: ArrayLike) -> Separation:
        """The separation of two sets of distances, each [any number]."""
        made = cls()
        made.same.add(np.asarray(same, np.float64))
        made.different.add(np.asarray(different, np.float64))
        return made

    @property
    def complete(self) -> bool:
        """Whether there are distances of both kinds."""
        return len(self.same) > 0 and len(self.different) > 0

    def roc(self) -> tuple[Float, Float, Float]:
        """Share of different and of same pairs up to a distance, and the distance, each [k], from (0, 0) to (1, 1).

        Raises
        ------
        ValueError
            Without distances of both kinds.
        """
        if not self.complete:
            raise ValueError(f"roc: expected pairs of both kinds, got {len(self.same)} same, {len(self.different)} not")
        both = Histogram(np.union1d(self.same.bins, self.different.bins))
        rates = [np.cumsum(_spread(h.bins, h.counts, both.bins)) / len(h) for h in (self.different, self.same)]
        false, true = (np.concatenate([[0.0], rate]) for rate in rates)
        return false, true, np.concatenate([[0.0], both.distances])

    @property
    def auc(self) -> float | None:
        """Chance that a same pair is nearer than a different one, ties count half; None unless there are both."""
        if not self.complete:
            return None
        false, true, _ = self.roc()
        return float(auc(false, true))

    @property
    def d_prime(self) -> float | None:
        """Difference of the means in units of the root mean variance; None where that is 0 or a kind has no pairs."""
        variance = (self.same.deviation**2 + self.different.deviation**2) / 2
        if not self.complete or variance == 0:
            return None
        return (self.different.mean - self.same.mean) / math.sqrt(variance)

    def summary(self) -> dict[str, object]:
        """Numbers for JSON: AUC, d′, and of each kind pairs, mean, standard deviation and quantiles."""
        return {
            "auc": self.auc,
            "d_prime": self.d_prime,
            "same": _summary(self.same),
            "different": _summary(self.different),
        }


def between_frames(latents: NDArray[np.floating], identity: Int, frame: Int, sequence: Int | None = None) -> Separation:
    """What a tracker has to tell apart from one frame to the next.

    Parameters
    ----------
    latents : [n d]
    identity, frame : int64 [n]
        Rows of an unknown (negative) identity are left out.
    sequence : int64 [n], optional
        One sequence by default.

    Returns
    -------
    Separation
        Same: an object with itself in the following frame (number + 1). Different: two objects in one frame.
    """
    known = np.flatnonzero(identity >= 0)
    sequence = np.zeros(len(identity), np.int64) if sequence is None else sequence
    order = known[np.lexsort((frame[known], sequence[known]))]
    z, who, when = np.asarray(latents, np.float64)[order], identity[order], np.stack([sequence, frame], 1)[order]
    found = Separation()
    edges = [0, *(np.flatnonzero(np.diff(when, axis=0).any(axis=1)) + 1).tolist(), len(order)]
    pieces = [slice(a, b) for a, b in itertools.pairwise(edges) if a < b]
    for index, here in enumerate(pieces):
        first, second = np.triu_indices(here.stop - here.start, 1)
        other = who[here][first] != who[here][second]
        found.different.add(np.linalg.norm(z[here][first[other]] - z[here][second[other]], axis=1))
        then = pieces[index + 1] if index + 1 < len(pieces) else here
        if np.array_equal(when[then.start], when[here.start] + [0, 1]):
            rows, cols = np.nonzero(who[here][:, None] == who[then])
            found.same.add(np.linalg.norm(z[here][rows] - z[then][cols], axis=1))
    return found


def _spread(bins: NDArray[np.uint32], counts: Int, among: NDArray[np.uint32]) -> Int:
    """The counts at the places of their bins among more bins, 0 elsewhere."""
    spread = np.zeros(len(among), np.int64)
    spread[np.searchsorted(among, bins)] = counts
    return spread


def _summary(histogram: Histogram) -> dict[str, object]:
    n = len(histogram)
    quantiles = histogram.quantile(QUANTILES).tolist() if n else []
    return {
        "pairs": n,
        "mean": histogram.mean if n else None,
        "deviation": histogram.deviation if n else None,
        "quantiles": dict(zip(map(str, QUANTILES), quantiles, strict=False)),
    }
