"""Mean and standard deviation over seeds, against the standard library."""

from __future__ import annotations

import statistics

import numpy as np
import pytest

from flatsort.tools.experiments.seed_statistics import (
    array_mean_and_std,
    format_mean_std,
    mean_and_std,
    measures_over_seeds,
)


def test_the_sample_standard_deviation() -> None:
    values = [1.0, 2.5, 7.0]
    assert mean_and_std(values) == pytest.approx((statistics.fmean(values), statistics.stdev(values)))
    assert mean_and_std([3.5]) == (3.5, 0.0)
    with pytest.raises(ValueError, match="expected one value or more, got none"):
        mean_and_std([])


def test_arrays_over_their_first_axis() -> None:
    values = np.array([[1.0, 2.0], [3.0, 2.0]])
    mean, std = array_mean_and_std(values)
    assert mean.tolist() == [2, 2]
    assert std == pytest.approx([2**0.5, 0])
    assert array_mean_and_std(values[:1])[1].tolist() == [0, 0]


def test_a_measure_that_a_seed_lacks_is_none() -> None:
    measures = measures_over_seeds([{"auc": 0.5, "rank": None}, {"auc": 0.7, "rank": 1.0}])
    assert measures["rank"] is None
    assert measures["auc"] == pytest.approx((0.6, 0.2 / 2**0.5))


def test_text() -> None:
    assert format_mean_std(0.5, 0.25, 2) == "0.500 ± 0.250"
    assert format_mean_std(0.5, 0.0, 1) == "0.500"
    assert format_mean_std(123.456, 0.0123, 3, ".3g", ".2g") == "123 ± 0.012"
