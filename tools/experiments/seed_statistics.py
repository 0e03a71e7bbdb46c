"""Mean and standard deviation over the training seeds of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from flatsort.tracker.types import Float


def mean_and_std(values: Sequence[float]) -> tuple[float, float]:
    """Mean and sample standard deviation of one number per seed; the deviation is 0 for a single seed."""
    mean, std = array_mean_and_std(values)
    return float(mean), float(std)


def array_mean_and_std(values: ArrayLike) -> tuple[Float, Float]:
    """`mean_and_std` of arrays [seeds …] over their first axis, each […].

    Raises
    ------
    ValueError
        If there is no seed.
    """
    array = np.asarray(values, np.float64)
    if not len(array):
        raise ValueError("seeds: expected one value or more, got none")
    std = array.std(axis=0, ddof=1) if len(array) > 1 else np.zeros(array.shape[1:])
    return array.mean(axis=0), std


def measures_over_seeds(seeds: Sequence[Mapping[str, float | None]]) -> dict[str, tuple[float, float] | None]:
    """Mean and standard deviation of every measure; None where a seed lacks it.

    Parameters
    ----------
    seeds : sequence of mapping of str to float or None
        The measures of each seed; the first has all names.
    """
    statistics: dict[str, tuple[float, float] | None] = {}
    for name in seeds[0]:
        values = [value for seed in seeds if (value := seed.get(name)) is not None]
        statistics[name] = mean_and_std(values) if len(values) == len(seeds) else None
    return statistics


def format_mean_std(mean: float, std: float, seeds: int, digits: str = ".3f", std_digits: str | None = None) -> str:
    """``mean ± std`` as text; the mean alone of a single seed.

    Parameters
    ----------
    mean, std : float
    seeds : int
    digits, std_digits : str
        Format of the mean, and of the deviation if it is another one.
    """
    return f"{mean:{digits}}" + (f" ± {std:{std_digits or digits}}" if seeds > 1 else "")
