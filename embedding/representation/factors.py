"""Known factors of samples as whole numbers, and latents of samples that share the value of a factor."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from flatsort.tracker.types import Float, Int

MOST_VALUES = 64
"""Values of a factor from which on it counts as continuous."""
BINS = 10
"""Values that a continuous factor is given: quantiles."""


def discretised(values: Float | Int, bins: int = BINS) -> Int:
    """Values [n] as whole numbers 0, 1, …, int64 [n], in order.

    If there are more than `MOST_VALUES` different values, they are binned at quantiles into ``bins`` values.
    """
    distinct, index = np.unique(values, return_inverse=True)
    if len(distinct) <= MOST_VALUES:
        return index.astype(np.int64)
    edges = np.quantile(values.astype(np.float64), np.linspace(0, 1, bins + 1)[1:-1])
    codes = np.unique(np.searchsorted(edges, values, side="right"), return_inverse=True)[1]
    return codes.astype(np.int64)


def known_factors(factors: Mapping[str, Float], bins: int = BINS) -> dict[str, Int]:
    """The factors as whole numbers (see `discretised`), without those that are the same in all samples."""
    coded = {name: discretised(values, bins) for name, values in factors.items()}
    return {name: codes for name, codes in coded.items() if len(codes) and codes.max() > 0}


class FactorSource(ABC):
    """Gives latents of samples whose factors are known.

    Attributes
    ----------
    names : tuple of str
        Of the factors.
    """

    names: tuple[str, ...]

    @abstractmethod
    def sharing(self, factor: int, groups: int, size: int, random: np.random.Generator) -> Float:
        """Latents [groups size d]; the samples of a group share the value of this factor, other factors are random."""

    @abstractmethod
    def any(self, n: int, random: np.random.Generator) -> tuple[Float, Int]:
        """Latents [m d] of random samples and their factors [m k]; at most n."""


class EncodedFactors(FactorSource):
    """Samples of a data set, already encoded.

    Parameters
    ----------
    latents : float [n d]
    factors : mapping of str to int64 [n]
        Whole numbers (`known_factors`), independent of each other as the scores assume.

    Raises
    ------
    ValueError
        If latents are not finite, there is no factor, lengths differ, or each value of a factor occurs only once.
    """

    def __init__(self, latents: NDArray[np.floating], factors: Mapping[str, Int]) -> None:
        self.names = tuple(factors)
        self._latents = np.asarray(latents, np.float64)
        if self._latents.ndim != 2 or not factors or any(len(f) != len(self._latents) for f in factors.values()):
            lengths = {name: len(codes) for name, codes in factors.items()}
            raise ValueError(
                f"factors: expected one or more, each with {len(self._latents)} rows like latents, got {lengths}"
            )
        if not np.isfinite(self._latents).all():
            raise ValueError("latents: expected finite numbers, got others")
        self._factors = np.stack(list(factors.values()), axis=1)
        self._groups = [_RowsByValue(name, codes) for name, codes in factors.items()]

    def sharing(self, factor: int, groups: int, size: int, random: np.random.Generator) -> Float:
        """See `FactorSource.sharing`; a sample may occur more than once in a group, but the first one only once."""
        return np.asarray(self._latents[self._groups[factor].draw(groups, size, random)])

    def any(self, n: int, random: np.random.Generator) -> tuple[Float, Int]:
        """See `FactorSource.any`; no sample occurs twice."""
        rows = random.permutation(len(self._latents))[:n]
        return self._latents[rows], self._factors[rows]


class RenderedFactors(FactorSource):
    """Samples that are rendered and encoded on demand.

    Parameters
    ----------
    encode : callable
        Factors, each float64 [n] → latents [n d]: it renders the samples and encodes them.
    counts : mapping of str to int
        How many values (0, 1, …) each factor has; all are equally probable.
    """

    def __init__(self, encode: Callable[[dict[str, Float]], NDArray[np.floating]], counts: Mapping[str, int]) -> None:
        self.names = tuple(counts)
        self._encode, self._counts = encode, np.array(list(counts.values()))

    def sharing(self, factor: int, groups: int, size: int, random: np.random.Generator) -> Float:
        """See `FactorSource.sharing`."""
        codes = random.integers(0, self._counts, (groups, size, len(self._counts)))
        codes[:, :, factor] = codes[:, :1, factor]
        return self._encoded(codes.reshape(groups * size, -1)).reshape(groups, size, -1)

    def any(self, n: int, random: np.random.Generator) -> tuple[Float, Int]:
        """See `FactorSource.any`."""
        codes = random.integers(0, self._counts, (n, len(self._counts)))
        return self._encoded(codes), codes

    def _encoded(self, codes: Int) -> Float:
        factors = {name: codes[:, i].astype(np.float64) for i, name in enumerate(self.names)}
        return np.asarray(self._encode(factors), np.float64)


class _RowsByValue:
    """Rows by the value of one factor."""

    def __init__(self, name: str, codes: Int) -> None:
        self._order = np.argsort(codes, kind="stable")
        counts = np.bincount(codes)
        self._start, self._count = (np.cumsum(counts) - counts)[codes], counts[codes]
        self._place = np.empty(len(codes), np.int64)
        self._place[self._order] = np.arange(len(codes))
        self._first = np.flatnonzero(self._count > 1)
        if not len(self._first):
            raise ValueError(f"factor {name}: expected samples that share a value, got {len(codes)} different ones")

    def draw(self, groups: int, size: int, random: np.random.Generator) -> Int:
        """Rows [groups size]: the first is random, the others have its value and are not it."""
        first = random.choice(self._first, (groups, 1))
        start, count = self._start[first], self._count[first]
        ahead = 1 + random.integers(0, count - 1, (groups, size))
        ahead[:, 0] = 0
        return np.asarray(self._order[start + (self._place[first] - start + ahead) % count])
