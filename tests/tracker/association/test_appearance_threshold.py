"""The appearance threshold, estimated while tracking."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import pdist

from flatsort.tracker.association.appearance_threshold import (
    MAX_BOXES,
    MEMORY,
    PRIOR_PAIRS,
    AppearanceConfig,
    AppearanceThreshold,
)
from flatsort.tracker.types import Detections, Float32

SEEDS = st.integers(0, 2**32 - 1)


def row_of(latents: Float32, step: float = 100.0) -> Detections:
    """Detections side by side, ``step`` pixels apart, 50 wide."""
    left = step * np.arange(len(latents), dtype=np.float64)
    boxes = np.stack([left, np.zeros_like(left), left + 50, np.full_like(left, 120)], axis=1)
    return Detections.of(boxes, latents=latents)


def random_latents(seed: int, *shape: int) -> Float32:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@given(SEEDS, st.integers(2, 12), st.sampled_from([0.01, 0.1, 0.5]))
def test_the_threshold_is_the_quantile_of_the_pairs_of_a_frame(seed: int, n: int, rate: float) -> None:
    threshold, latents = AppearanceThreshold(AppearanceConfig(false_match_rate=rate)), random_latents(seed, n, 4)
    threshold.update(row_of(latents))
    assert threshold.value == pytest.approx(np.quantile(pdist(latents), rate))
    assert threshold.units(np.array([[threshold.value, 0.0]])).tolist() == [[1.0, 0.0]]


def test_frames_are_never_paired_with_each_other() -> None:
    threshold = AppearanceThreshold(AppearanceConfig(false_match_rate=0.5))
    for frame in range(20):
        threshold.update(row_of(np.array([[100.0 * frame, 0], [100.0 * frame, 3]], np.float32)))
    assert threshold.value == pytest.approx(3.0)


def test_boxes_that_may_be_one_object_detected_twice_are_no_pair() -> None:
    threshold = AppearanceThreshold(AppearanceConfig())
    threshold.update(row_of(random_latents(0, 2, 4), step=10.0))
    assert threshold.value == math.inf
    threshold.update(row_of(random_latents(0, 2, 4), step=30.0))
    assert threshold.value < math.inf


@pytest.mark.parametrize(
    "detections", [Detections.empty(), row_of(random_latents(0, 1, 4)), Detections.of([[0, 0, 9, 9]] * 3)]
)
def test_without_pairs_nothing_is_learned_and_whatever_differs_is_at_the_threshold(detections: Detections) -> None:
    threshold = AppearanceThreshold(AppearanceConfig())
    threshold.update(detections)
    assert threshold.units(np.array([[0.0, 7.0]])).tolist() == [[0.0, 1.0]]
    known = AppearanceThreshold(AppearanceConfig(prior=2.0))
    known.update(detections)
    assert known.units(np.array([[0.0, 7.0]])).tolist() == [[0.0, 3.5]]


def test_a_prior_counts_as_much_as_its_pairs_and_fades() -> None:
    latents = random_latents(0, 25, 4)  # 300 pairs, as many as the prior weighs
    alone, mixed = AppearanceThreshold(AppearanceConfig()), AppearanceThreshold(AppearanceConfig(prior=50.0))
    assert PRIOR_PAIRS == 300
    for threshold in (alone, mixed):
        threshold.update(row_of(latents))
    assert mixed.value == pytest.approx((50.0 + alone.value) / 2)
    for _ in range(100):
        mixed.update(row_of(latents))
    assert alone.value < mixed.value < alone.value + 1


def test_a_fixed_threshold_stays() -> None:
    threshold = AppearanceThreshold(AppearanceConfig(threshold=0.25, prior=9.0))
    threshold.update(row_of(random_latents(0, 20, 4)))
    assert threshold.value == 0.25


@pytest.mark.parametrize("latents", [np.ones((6, 4)), np.zeros((6, 4)), np.full((6, 4), 3e38)])
def test_latents_that_are_all_alike_or_as_large_as_can_be_give_finite_units(latents: Float32) -> None:
    threshold = AppearanceThreshold(AppearanceConfig())
    threshold.update(row_of(latents))
    assert 0 < threshold.value < math.inf
    distances = np.array([[0.0, 1e-30, 1.0, 1e39]])
    units = threshold.units(distances)
    assert np.isfinite(units).all()
    assert units[0, 0] == 0.0


@given(SEEDS, st.sampled_from([2.0**-20, 0.37, 1e6]))
def test_units_do_not_depend_on_the_scale(seed: int, scale: float) -> None:
    first, second = AppearanceThreshold(AppearanceConfig()), AppearanceThreshold(AppearanceConfig())
    for frame in range(5):
        latents = random_latents(seed + frame, 6, 4)
        first.update(row_of(latents))
        second.update(row_of(latents * np.float32(scale)))
    distances = np.linspace(0, 5, 7)[None]
    np.testing.assert_allclose(first.units(distances), second.units(distances * scale), rtol=1e-5)


@given(SEEDS)
def test_the_order_of_detections_does_not_matter(seed: int) -> None:
    first, second = AppearanceThreshold(AppearanceConfig()), AppearanceThreshold(AppearanceConfig())
    for frame in range(5):
        detections = row_of(random_latents(seed + frame, 6, 4), step=40.0)
        first.update(detections)
        second.update(detections[np.random.default_rng(seed).permutation(6)])
    assert first.value == pytest.approx(second.value)


def test_the_newest_pairs_count_in_bounded_memory() -> None:
    threshold = AppearanceThreshold(AppearanceConfig(false_match_rate=0.5))
    pairs = MAX_BOXES * (MAX_BOXES - 1) // 2
    frames = MEMORY // pairs + 2
    near, far = (
        row_of(random_latents(0, MAX_BOXES + 40, 4)),
        row_of(random_latents(1, MAX_BOXES + 40, 4) * np.float32(1000)),
    )
    for _ in range(frames):
        threshold.update(near)
    before = threshold.value
    tracemalloc.start()
    for _ in range(frames):
        threshold.update(far)
    left, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert threshold.value > 500 * before
    assert left < 20_000


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"threshold": "automatic"}, "appearance.threshold: expected auto or a distance, got 'automatic'"),
        ({"threshold": 0.0}, "appearance.threshold: expected a positive distance, got 0.0"),
        ({"threshold": math.nan}, "appearance.threshold: expected a positive distance, got nan"),
        ({"prior": -1.0}, "appearance.prior: expected a positive distance, got -1.0"),
        ({"prior": math.inf}, "appearance.prior: expected a positive distance, got inf"),
        ({"false_match_rate": 0.0}, "appearance.false_match_rate: expected a share between 0 and 1, got 0.0"),
    ],
)
def test_impossible_settings(settings: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        AppearanceConfig(**settings)  # type: ignore[arg-type]
