"""What is known of an embedder's distances: those of different objects and those of the same object, as quantiles.

A tracker asks for the threshold at a false-match rate: the distance up to which two latents are taken for one object.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from flatsort.tracker.types import Float

LOG = logging.getLogger(__name__)
RATES = (
    *(0.0001, 0.0002, 0.0003, 0.0005, 0.0007, 0.001, 0.0015, 0.002, 0.003, 0.004, 0.005, 0.006, 0.007, 0.008, 0.009),
    *(0.01, 0.012, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7),
    *(0.8, 0.9, 0.95, 0.99),
)
"""False-match rates whose thresholds are kept, dense where trackers ask for them."""
SUMMARY_RATES = (0.01, 0.001)
"""False-match rates of a summary."""


@dataclass(frozen=True)
class DistanceCalibration:
    """Distances within pairs of different objects and within pairs of the same object.

    Attributes
    ----------
    pairs_same, pairs_different : int
        How many pairs of each kind were measured.
    least_rate : float
        Lowest false-match rate that the pairs can tell: 1 / ``pairs_different`` or more.
    equal_error_threshold : float
        Distance at which the share of different pairs within it is nearest to that of same pairs beyond it.
    equal_error_rate : float
        Mean of these two shares.
    rates : tuple of float [k]
        False-match rates, ascending, the last one 1.
    different : tuple of float [k]
        At each rate, the largest distance that no more than this share of the different pairs are within.
    match_rates : tuple of float [k]
        Share of the same pairs that are within that distance.
    same : tuple of float [k]
        Quantiles of the distances of same pairs: at least this share of them, ``rates``, are within it.

    Raises
    ------
    ValueError
        If the lists do not fit together, or the distances are negative, not finite or not ascending.
    """

    pairs_same: int
    pairs_different: int
    least_rate: float
    equal_error_threshold: float
    equal_error_rate: float
    rates: tuple[float, ...]
    different: tuple[float, ...]
    match_rates: tuple[float, ...]
    same: tuple[float, ...]

    def __post_init__(self) -> None:
        lists = {name: getattr(self, name) for name in ("rates", "different", "match_rates", "same")}
        for name, values in lists.items():
            if len(values) != len(self.rates) or not values:
                raise ValueError(f"calibration: expected {len(self.rates) or 'some'} {name}, got {len(values)}")
            if not np.isfinite(values).all() or values[0] < 0 or (np.diff(values) < 0).any():
                raise ValueError(f"calibration: expected {name} that are finite, not negative and ascending")

    @classmethod
    def from_distances(
        cls, same: ArrayLike, different: ArrayLike, rates: Sequence[float] = RATES, least_rate: float = 0.0
    ) -> DistanceCalibration:
        """Measure a calibration.

        Parameters
        ----------
        same, different : float [any number]
            Distances within pairs of the same object, and of different ones.
        rates : sequence of float
            False-match rates in (0, 1) whose thresholds are kept.
        least_rate : float
            Lowest rate that the pairs can tell, where it is higher than their number says: some of the different pairs
            may show one object.

        Raises
        ------
        ValueError
            If there is no pair of a kind, or a distance is negative or not finite.
        """
        one, two = (np.sort(np.asarray(d, np.float64).reshape(-1)) for d in (same, different))
        if not len(one) or not len(two):
            raise ValueError(f"calibration: expected pairs of both kinds, got {len(one)} same and {len(two)} different")
        for distances in (one, two):
            if not np.isfinite(distances).all() or distances[0] < 0:
                raise ValueError(
                    f"calibration: expected finite distances ≥ 0, got {distances[0]:g} to {distances[-1]:g}"
                )
        least = max(least_rate, 1 / len(two))
        kept = [rate for rate in sorted(rates) if least <= rate < 1]
        if least > least_rate:  # a rate of 0 can be measured: the distance that all different pairs are beyond
            kept = [0.0, *kept]
        places = (np.array(kept) * len(two)).astype(np.int64)
        thresholds = np.append(np.maximum(np.nextafter(two[places], -1), 0.0), two[-1])
        quantiles = np.quantile(one, [*kept, 1.0], method="inverted_cdf")
        threshold, rate = _equal_error(one, two)
        return cls(
            pairs_same=len(one),
            pairs_different=len(two),
            least_rate=least,
            equal_error_threshold=threshold,
            equal_error_rate=rate,
            rates=(*kept, 1.0),
            different=tuple(thresholds.tolist()),
            match_rates=tuple(_share_within(one, thresholds).tolist()),
            same=tuple(quantiles.tolist()),
        )

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> DistanceCalibration:
        """The calibration that `to_mapping` gave; KeyError, TypeError or ValueError if it is none."""
        read: dict[str, Any] = {f.name: values[f.name] for f in fields(cls)}
        read |= {name: tuple(value) for name, value in read.items() if isinstance(value, list)}
        return cls(**read)

    def to_mapping(self) -> dict[str, Any]:
        """All of it for JSON."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    def threshold(self, false_match_rate: float) -> float:
        """Distance that this share of the pairs of different objects are within.

        Exact at the rates that are kept, interpolated between them. A rate below `least_rate` gives the lowest
        threshold that could be measured, and a warning is logged.

        Raises
        ------
        ValueError
            If the rate is not between 0 and 1.
        """
        if false_match_rate < self.least_rate:
            LOG.warning(
                "a false-match rate of %g cannot be told from %d pairs of different objects, "
                "taking the threshold %.4g, the lowest that was measured (for rates below %.2g)",
                false_match_rate,
                self.pairs_different,
                self.different[0],
                self.least_rate,
            )
        return self._at(false_match_rate, self.different)

    def match_rate(self, false_match_rate: float) -> float:
        """Share of the pairs of the same object that are within the `threshold` of this rate; no warning is logged."""
        return self._at(false_match_rate, self.match_rates)

    def summary(self, rates: Sequence[float] = SUMMARY_RATES) -> dict[str, float]:
        """The numbers that people ask for, by name: thresholds and match rates, equal error, numbers of pairs."""
        values: dict[str, float] = {}
        for rate in rates:
            values[f"threshold_fmr_{rate:g}"] = self.threshold(rate)
            values[f"match_rate_fmr_{rate:g}"] = self.match_rate(rate)
        names = ("equal_error_threshold", "equal_error_rate", "pairs_same", "pairs_different")
        return values | {name: getattr(self, name) for name in names}

    def _at(self, rate: float, values: tuple[float, ...]) -> float:
        if not 0 < rate < 1:
            raise ValueError(f"false_match_rate: expected a share between 0 and 1, got {rate}")
        return values[0] if rate < self.least_rate else float(np.interp(rate, self.rates, values))


def _equal_error(same: Float, different: Float) -> tuple[float, float]:
    """Distance at which both errors are most nearly alike, and their mean; of ascending distances."""
    distances = np.unique(np.concatenate([same, different]))
    false, missed = _share_within(different, distances), 1 - _share_within(same, distances)
    best = int(np.abs(false - missed).argmin())
    return float(distances[best]), float(false[best] + missed[best]) / 2


def _share_within(ascending: Float, thresholds: Float) -> Float:
    """Share of the distances that are at each threshold or below."""
    return np.asarray(np.searchsorted(ascending, thresholds, side="right") / len(ascending), np.float64)
