"""Distances of same objects against distances of different ones: ROC, AUC, histograms, and their figures.

Memory is bounded for any number of pairs.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flatsort.tracker.types import Float, Int

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DROPPED_BITS = 10
"""Bits of a float32 that a bin leaves out: 13 bits of the mantissa stay, bins are 0.01 % wide."""
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
"""Shares of the distances whose quantiles are in a summary."""
BARS = 80
"""Bars of a histogram that is drawn."""
LEAST_RATE_DRAWN = 1e-4
"""Smallest false-match rate that is drawn."""


@dataclass(eq=False)
class Histogram:
    """Histogram of distances by the leading bits of their float32: bins of equal relative width at any scale.

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
        bins, counts = np.unique(bits >> DROPPED_BITS, return_counts=True)
        merged = np.union1d(self.bins, bins)
        self.counts = _counts_in(self.bins, self.counts, merged) + _counts_in(bins, counts, merged)
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
        middles = ((self.bins << DROPPED_BITS) + (1 << (DROPPED_BITS - 1))).astype(np.uint32).view(np.float32)
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

    Distances within one bin of `Histogram` count as equal.
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
        rates = [np.cumsum(_counts_in(h.bins, h.counts, both.bins)) / len(h) for h in (self.different, self.same)]
        false, true = (np.concatenate([[0.0], rate]) for rate in rates)
        return false, true, np.concatenate([[0.0], both.distances])

    @property
    def auc(self) -> float | None:
        """Chance that a same pair is nearer than a different one, ties count half; None unless there are both."""
        if not self.complete:
            return None
        false, true, _ = self.roc()
        return float(np.trapezoid(true, false))

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
    """The distances that a tracker has to tell apart from one frame to the next.

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
    z, ids, times = np.asarray(latents, np.float64)[order], identity[order], np.stack([sequence, frame], 1)[order]
    separation = Separation()
    edges = [0, *(np.flatnonzero(np.diff(times, axis=0).any(axis=1)) + 1).tolist(), len(order)]
    frames = [slice(a, b) for a, b in itertools.pairwise(edges) if a < b]
    for index, current in enumerate(frames):
        first, second = np.triu_indices(current.stop - current.start, 1)
        other = ids[current][first] != ids[current][second]
        separation.different.add(np.linalg.norm(z[current][first[other]] - z[current][second[other]], axis=1))
        following = frames[index + 1] if index + 1 < len(frames) else current
        if np.array_equal(times[following.start], times[current.start] + [0, 1]):
            rows, cols = np.nonzero(ids[current][:, None] == ids[following])
            separation.same.add(np.linalg.norm(z[current][rows] - z[following][cols], axis=1))
    return separation


def roc_curves(separations: Mapping[str, Separation], title: str = "") -> Figure:
    """Draw the share of same pairs that pass over the share of different pairs that do, one line a model.

    Models without pairs of both kinds are left out.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.8), layout="constrained")
    axes = figure.subplots()
    for name, separation in separations.items():
        if separation.complete:
            false, true, _ = separation.roc()
            axes.plot(np.maximum(false, LEAST_RATE_DRAWN / 10), true, label=f"{name} (AUC {separation.auc:.3f})")
    axes.set(xscale="log", xlim=(LEAST_RATE_DRAWN, 1), ylim=(0, 1), title=title)
    axes.set(xlabel="different pairs nearer than the threshold", ylabel="same pairs nearer than the threshold")
    axes.grid(alpha=0.3)
    if axes.lines:
        axes.legend(loc="upper left", fontsize=8)
    return figure


def distance_histograms(separations: Mapping[str, Separation], title: str = "") -> Figure:
    """Draw densities of the distances of same and of different pairs, one panel a model.

    Distances are in units of a model's median distance of different pairs, so that panels can be compared.
    """
    from matplotlib.figure import Figure

    columns = min(3, max(len(separations), 1))
    lines = max(-(-len(separations) // columns), 1)
    figure = Figure(figsize=(4.0 * columns, 2.6 * lines), layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes, (name, separation) in zip(panels, separations.items(), strict=False):
        unit = float(separation.different.quantile(0.5)) if len(separation.different) else 0.0
        for histogram, label, colour in ((separation.same, "same", "C0"), (separation.different, "different", "C1")):
            edges, density = _density(histogram, unit or 1.0)
            axes.stairs(density, edges, fill=True, alpha=0.5, color=colour, label=f"{label} ({len(histogram):,})")
        axes.set_title(name, fontsize=9)
        axes.set(xlim=(0, 2), yticks=[])
        axes.legend(fontsize=7)
    for axes in panels[len(separations) :]:
        axes.set_axis_off()
    figure.supxlabel("distance / median distance of different pairs", fontsize=9)
    figure.suptitle(title, fontsize=10)
    return figure


def _counts_in(bins: NDArray[np.uint32], counts: Int, among: NDArray[np.uint32]) -> Int:
    """The counts of bins in a longer list of bins, 0 where a bin has none."""
    all_counts = np.zeros(len(among), np.int64)
    all_counts[np.searchsorted(among, bins)] = counts
    return all_counts


def _summary(histogram: Histogram) -> dict[str, object]:
    n = len(histogram)
    quantiles = histogram.quantile(QUANTILES).tolist() if n else []
    return {
        "pairs": n,
        "mean": histogram.mean if n else None,
        "deviation": histogram.deviation if n else None,
        "quantiles": dict(zip(map(str, QUANTILES), quantiles, strict=False)),
    }


def _density(histogram: Histogram, unit: float) -> tuple[Float, Float]:
    """Edges [BARS + 1] and density [BARS] of distances in a unit; what is beyond counts in the last bar."""
    edges = np.linspace(0, 2, BARS + 1)
    bars, _ = np.histogram(np.minimum(histogram.distances / unit, 2), edges, weights=histogram.counts)
    return edges, bars / max(len(histogram), 1) / (edges[1] - edges[0])
