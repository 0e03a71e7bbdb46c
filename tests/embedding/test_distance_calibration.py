"""Thresholds at false-match rates, from the distances of same and of different objects."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from flatsort.embedding.distance_calibration import RATES, DistanceCalibration

distances = st.lists(st.integers(0, 40).map(lambda x: x / 4), min_size=1, max_size=60)


@given(distances, distances, st.floats(0.001, 0.999))
def test_no_more_than_the_rate_passes(same: list[float], different: list[float], rate: float) -> None:
    calibration = DistanceCalibration.from_distances(same, different, (rate,))
    threshold = calibration.threshold(rate)
    if 0 not in different:  # no threshold keeps out a pair at distance 0
        assert np.mean(np.array(different) <= threshold) <= rate
    assert calibration.match_rate(rate) == np.mean(np.array(same) <= threshold)
    # the next different pair would be one too many
    nearest = min((d for d in different if d > threshold), default=np.inf)
    assert np.mean(np.array(different) <= nearest) > rate


@given(distances, distances)
def test_equal_error_is_the_best_balance(same: list[float], different: list[float]) -> None:
    calibration = DistanceCalibration.from_distances(same, different)

    def errors(threshold: float) -> tuple[float, float]:
        return float(np.mean(np.array(different) <= threshold)), float(np.mean(np.array(same) > threshold))

    false, missed = errors(calibration.equal_error_threshold)
    assert calibration.equal_error_rate == pytest.approx((false + missed) / 2)
    every = [errors(d) for d in same + different]
    assert abs(false - missed) == pytest.approx(min(abs(f - m) for f, m in every))


def test_two_normal_distributions() -> None:
    rng = np.random.default_rng(0)
    calibration = DistanceCalibration.from_distances(rng.normal(10, 1, 50_000), rng.normal(14, 1, 50_000))
    assert calibration.equal_error_threshold == pytest.approx(12, abs=0.05)
    assert calibration.equal_error_rate == pytest.approx(0.0228, abs=0.002)
    assert calibration.threshold(0.01) == pytest.approx(14 - 2.326, abs=0.05)
    assert calibration.threshold(0.001) == pytest.approx(14 - 3.09, abs=0.1)
    assert calibration.match_rate(0.01) == pytest.approx(0.953, abs=0.005)
    assert (calibration.pairs_same, calibration.pairs_different) == (50_000, 50_000)
    assert calibration.same[calibration.rates.index(0.5)] == pytest.approx(10, abs=0.05)


@pytest.mark.parametrize(
    ("same", "different", "sentence"),
    [
        ([], [1.0], "expected pairs of both kinds, got 0 same and 1 different"),
        ([1.0], [], "expected pairs of both kinds, got 1 same and 0 different"),
        ([1.0, np.nan], [1.0], "expected finite distances"),
        ([1.0], [-1.0], "expected finite distances ≥ 0, got -1"),
    ],
)
def test_bad_distances(same: ArrayLike, different: ArrayLike, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        DistanceCalibration.from_distances(same, different)


UNIFORM = DistanceCalibration.from_distances([0.5], np.arange(1, 10_001))


@pytest.mark.parametrize("rate", RATES)
def test_exact_at_the_rates_that_are_kept(rate: float) -> None:
    passing = int(rate * 10_000)
    assert passing < UNIFORM.threshold(rate) == pytest.approx(passing + 1)


@given(st.floats(0.0001, 0.999))
def test_interpolated_between_them(rate: float) -> None:
    assert UNIFORM.threshold(rate) == pytest.approx(10_000 * rate + 1, rel=0.01)


@given(distances, distances, st.floats(0.001, 0.999), st.floats(0.001, 0.999))
def test_a_lower_rate_has_no_higher_threshold(
    same: list[float], different: list[float], first: float, second: float
) -> None:
    calibration = DistanceCalibration.from_distances(same, different)
    low, high = sorted([first, second])
    assert calibration.threshold(low) <= calibration.threshold(high)
    assert calibration.match_rate(low) <= calibration.match_rate(high)


def test_a_rate_below_what_the_pairs_tell_gives_the_least_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    few = DistanceCalibration.from_distances([0.5], np.arange(1, 101))
    coarse = DistanceCalibration.from_distances([0.5], np.arange(1, 10_001), least_rate=0.005)
    with caplog.at_level(logging.WARNING):
        assert [few.threshold(0.01), coarse.threshold(0.005)] == pytest.approx([2, 51])
        assert not caplog.records
        assert few.threshold(0.009) < 1  # no pair of different objects is within it
        assert coarse.threshold(0.001) == coarse.threshold(0.005)
    assert [record.getMessage().partition(",")[0] for record in caplog.records] == [
        "a false-match rate of 0.009 cannot be told from 100 pairs of different objects",
        "a false-match rate of 0.001 cannot be told from 10000 pairs of different objects",
    ]


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1, 1.5])
def test_rates_are_shares(rate: float) -> None:
    with pytest.raises(ValueError, match="false_match_rate: expected a share between 0 and 1"):
        UNIFORM.match_rate(rate)


def test_it_goes_through_json() -> None:
    assert DistanceCalibration.from_mapping(json.loads(json.dumps(UNIFORM.to_mapping()))) == UNIFORM


def test_the_summary() -> None:
    assert UNIFORM.summary((0.01,)) == {
        "threshold_fmr_0.01": pytest.approx(101),
        "match_rate_fmr_0.01": 1.0,
        "equal_error_threshold": 0.5,
        "equal_error_rate": 0.0,
        "pairs_same": 1,
        "pairs_different": 10_000,
    }


def test_lists_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match=r"expected \d+ same, got 2"):
        replace(UNIFORM, same=(1.0, 2.0))
    with pytest.raises(ValueError, match="expected match_rates that are finite, not negative and ascending"):
        replace(UNIFORM, match_rates=UNIFORM.rates[::-1])
    with pytest.raises(ValueError, match="expected some rates, got 0"):
        replace(UNIFORM, rates=())
