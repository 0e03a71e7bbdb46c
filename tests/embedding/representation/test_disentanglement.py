"""Scores of representations for which they are known: one dimension per factor, rotated ones, noise."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn.metrics import mutual_info_score

from flatsort.embedding.representation.disentanglement import (
    beta_vae_score,
    disentanglement,
    factor_vae_score,
    mutual_information,
    mutual_information_gap,
)
from flatsort.embedding.representation.factors import (
    EncodedFactors,
    FactorSource,
    RenderedFactors,
    discretised,
    known_factors,
)
from flatsort.tracker.types import Float

COUNTS = {"shape": 3, "scale": 6, "turn": 10, "place": 20}
VOTES = {"train": 600, "test": 300, "batch": 32}
ROTATION = np.array([[1, 1, 0, 0], [1, -1, 0, 0], [0, 0, 1, 1], [0, 0, 1, -1]]) / np.sqrt(2)


def codes(factors: dict[str, Float]) -> Float:
    """Unit standard deviation, one column per factor."""
    return np.stack([(f - (COUNTS[k] - 1) / 2) / np.sqrt((COUNTS[k] ** 2 - 1) / 12) for k, f in factors.items()], 1)


def noise(factors: dict[str, Float]) -> Float:
    random = np.random.default_rng(int(factors["place"].sum()))
    return random.normal(size=(len(factors["place"]), 4))


def encoded(encode: Callable[[dict[str, Float]], Float], n: int = 3000) -> EncodedFactors:
    random = np.random.default_rng(0)
    factors = {name: random.integers(0, count, n) for name, count in COUNTS.items()}
    return EncodedFactors(encode({k: v.astype(np.float64) for k, v in factors.items()}), factors)


def sources(encode: Callable[[dict[str, Float]], Float]) -> list[FactorSource]:
    return [RenderedFactors(encode, COUNTS), encoded(encode)]


@pytest.mark.parametrize("kind", [0, 1], ids=["rendered", "encoded"])
def test_one_dimension_per_factor_scores_one(kind: int) -> None:
    scales = np.array([0.1, 1.0, 3.0, 40.0])  # no score depends on them
    source = sources(lambda f: codes(f) * scales)[kind]
    assert beta_vae_score(source, 0, **VOTES) > 0.99
    assert factor_vae_score(source, 0, **VOTES) == 1
    latents, factors = source.any(3000, np.random.default_rng(0))
    assert mutual_information_gap(latents, factors) > 0.97


@pytest.mark.parametrize("kind", [0, 1], ids=["rendered", "encoded"])
def test_noise_scores_as_chance(kind: int) -> None:
    source = sources(noise)[kind]
    assert beta_vae_score(source, 0, **VOTES) == pytest.approx(0.25, abs=0.08)
    assert factor_vae_score(source, 0, **VOTES) == pytest.approx(0.25, abs=0.08)
    latents, factors = source.any(3000, np.random.default_rng(0))
    assert mutual_information_gap(latents, factors) < 0.02


def test_a_rotation_has_no_gap() -> None:
    """The same distribution, but every axis is a mixture of two factors."""
    scores = disentanglement(encoded(lambda f: codes(f) @ ROTATION), 0, 400, 200)
    assert scores.mig < 0.15
    assert scores.active == 4
    assert scores.chance == 0.25
    straight = disentanglement(encoded(codes), 0, 400, 200)
    assert straight.mig > 5 * scores.mig


def test_dead_dimensions_are_left_out() -> None:
    source = encoded(lambda f: np.concatenate([codes(f), 0.01 * noise(f)[:, :2]], axis=1))
    scores = disentanglement(source, 0, 400, 200)
    assert (scores.factor_vae, scores.active) == (1, 4)
    assert factor_vae_score(encoded(lambda f: 0.001 * noise(f)), 0, **VOTES) == 0
    assert beta_vae_score(encoded(lambda f: 0 * noise(f)), 0, **VOTES) == pytest.approx(0.25, abs=0.08)


def test_half_of_the_factors() -> None:
    """Latents that encode two of four factors: these are predicted, the others are guessed."""
    source = encoded(lambda f: codes(f)[:, :2])
    assert beta_vae_score(source, 0, **VOTES) == pytest.approx(0.75, abs=0.08)
    assert factor_vae_score(source, 0, **VOTES) == pytest.approx(0.5, abs=0.08)


def test_same_seed_same_scores() -> None:
    source = encoded(lambda f: codes(f) @ ROTATION + 0.5 * noise(f))
    first, same, other = (disentanglement(source, seed, 200, 100) for seed in (1, 1, 2))
    assert first == same
    assert first != other


def test_a_gap_by_hand() -> None:
    """z1 is the factor, z2 half of it: I₁ = H = 2 ln 2, I₂ = ln 2."""
    factor = np.tile(np.arange(4), 100)
    latents = np.stack([factor, factor // 2], axis=1).astype(np.float64)
    assert mutual_information_gap(latents, factor[:, None]) == pytest.approx(0.5)
    assert mutual_information_gap(latents[:, :1], factor[:, None]) == pytest.approx(1)
    assert_allclose(mutual_information(latents, factor[:, None])[:, 0], [2 * np.log(2), np.log(2)])


def test_bins_are_of_equal_width() -> None:
    random = np.random.default_rng(0)
    latents, factor = random.gamma(1.0, size=(500, 1)), random.integers(0, 5, 500)
    filled = np.digitize(latents[:, 0], np.histogram(latents[:, 0], 20)[1][1:-1])
    expected = mutual_info_score(factor, filled)
    assert mutual_information(latents, factor[:, None])[0, 0] == pytest.approx(expected)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 6), st.integers(2, 5), st.integers(0, 100))
def test_groups_share_the_value_of_a_factor(values: int, size: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    known = np.concatenate([np.repeat(np.arange(values), 2), random.integers(0, values, 20)])
    rows = np.arange(len(known), dtype=np.float64)
    source = EncodedFactors(np.stack([rows, known], 1), {"a": known, "b": np.arange(len(known)) % 2})
    groups = source.sharing(0, 40, size, random)
    assert groups.shape == (40, size, 2)
    assert (groups[..., 1] == groups[:, :1, 1]).all()
    assert (groups[:, 1:, 0] != groups[:, :1, 0]).all()


def test_all_other_factors_are_random() -> None:
    latents = RenderedFactors(lambda f: np.stack(list(f.values()), 1), COUNTS).sharing(
        2, 500, 2, np.random.default_rng(0)
    )
    equal = (latents[:, 0] == latents[:, 1]).mean(0)
    assert equal[2] == 1
    assert_allclose(equal[[0, 1, 3]], [1 / 3, 1 / 6, 1 / 20], atol=0.06)


def test_factors_as_whole_numbers() -> None:
    random = np.random.default_rng(0)
    assert discretised(np.array([3.0, 1.0, 3.0, 7.0])).tolist() == [1, 0, 1, 2]
    continuous = random.normal(size=1000)
    tenths = discretised(continuous)
    assert np.bincount(tenths).tolist() == [100] * 10
    assert (np.diff(tenths[np.argsort(continuous)]) >= 0).all()
    skewed = np.concatenate([np.zeros(900), random.uniform(1, 2, 100)])
    assert np.bincount(discretised(skewed)).tolist() == [900, 100]
    assert list(known_factors({"same": np.ones(9), "other": np.arange(9.0)})) == ["other"]


def test_bad_factors_are_refused() -> None:
    factor = np.array([0, 1, 0, 1])
    for latents, factors, sentence in (
        (np.zeros((4, 2)), {}, "expected one or more"),
        (np.zeros((5, 2)), {"a": factor}, "each with 5 rows"),
        (np.full((4, 2), np.nan), {"a": factor}, "finite numbers"),
        (np.zeros((4, 2)), {"a": np.arange(4)}, "factor a: expected samples that share a value"),
    ):
        with pytest.raises(ValueError, match=sentence):
            EncodedFactors(latents, factors)
