"""The galleries: which latents tracks remember."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from flatsort.tracker import gallery as module
from flatsort.tracker.gallery import KEEP, Gallery, GalleryConfig
from flatsort.tracker.types import Detections, Float, Float32

SEEDS = st.integers(0, 2**32 - 1)
KINDS = st.sampled_from(KEEP)


def gallery_of(config: GalleryConfig, latents: Float32, scores: Float | None = None) -> Gallery:
    """A gallery of t tracks to which latents [k t d], with scores [k t], were added one after the other."""
    k, t, _ = latents.shape
    scores = np.ones((k, t)) if scores is None else scores
    gallery, all_clear = Gallery(config), np.ones(t, bool)
    gallery.start(latents[0], scores[0], all_clear)
    for each, score in zip(latents[1:], scores[1:], strict=True):
        gallery.add(np.arange(t), each, score, all_clear)
    return gallery


def random_latents(seed: int, *shape: int) -> Float32:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def smallest_distance(remembered: Float32, new: Float32) -> Float:
    """By definition: the smallest distance [t n] of latents [k t d] to others [n d]."""
    distances: Float = np.array([cdist(own, new).min(axis=0) for own in remembered.transpose(1, 0, 2)])
    return distances


@given(SEEDS, st.integers(1, 9), st.integers(1, 4), st.integers(0, 5), st.integers(1, 12))
def test_the_newest_count_and_no_others(seed: int, k: int, t: int, n: int, size: int) -> None:
    latents, new = random_latents(seed, k, t, 3), random_latents(seed + 1, n, 3)
    distances = gallery_of(GalleryConfig(size=size), latents).distance(new)
    assert distances.shape == (t, n)
    np.testing.assert_allclose(distances, smallest_distance(latents[-size:], new), rtol=1e-9, atol=1e-9)


@given(SEEDS, st.integers(1, 9), st.integers(1, 5))
def test_the_most_confident_count_and_no_others(seed: int, k: int, size: int) -> None:
    latents, new = random_latents(seed, k, 2, 3), random_latents(seed + 1, 4, 3)
    scores = np.random.default_rng(seed).permuted(np.linspace(0.1, 1, 2 * k).reshape(k, 2), axis=0)
    distances = gallery_of(GalleryConfig(keep="most_confident", size=size), latents, scores).distance(new)
    best = np.take_along_axis(latents, np.argsort(-scores, axis=0)[:size, :, None], axis=0)
    np.testing.assert_allclose(distances, smallest_distance(best, new), rtol=1e-9, atol=1e-9)


@given(SEEDS, st.integers(1, 9), st.floats(0, 0.99))
def test_a_moving_average_follows_its_formula_and_stays_within_the_latents(seed: int, k: int, momentum: float) -> None:
    latents, new = random_latents(seed, k, 2, 3), random_latents(seed + 1, 4, 3)
    mean = latents[0].astype(np.float64)
    for each in latents[1:]:
        mean = momentum * mean + (1 - momentum) * each
    distances = gallery_of(GalleryConfig(keep="average", momentum=momentum), latents).distance(new)
    np.testing.assert_allclose(distances, cdist(mean, new), rtol=1e-6, atol=1e-6)
    farthest = np.array([cdist(own, new).max(axis=0) for own in latents.transpose(1, 0, 2)])
    assert (distances <= farthest + 1e-6).all()  # of a convex hull no point is farther away than the farthest corner


@given(SEEDS, KINDS, st.integers(1, 6))
def test_tracks_end_and_start_without_touching_the_others(seed: int, keep: str, size: int) -> None:
    config, latents, new = (
        GalleryConfig(keep=keep, size=size),
        random_latents(seed, 7, 5, 3),
        random_latents(seed + 1, 4, 3),
    )
    gallery = gallery_of(config, latents)
    rows = np.random.default_rng(seed).permutation(5)[:3]
    before = gallery.distance(new)
    gallery.keep(rows)
    np.testing.assert_allclose(gallery.distance(new), before[rows])
    gallery.start(new[:1], np.ones(1), np.ones(1, bool))
    np.testing.assert_allclose(gallery.distance(new), [*before[rows], cdist(new[:1], new)[0]], atol=1e-6)


def test_all_tracks_may_end_and_new_ones_start() -> None:
    gallery = gallery_of(GalleryConfig(), random_latents(0, 3, 2, 4))
    gallery.keep(np.empty(0, np.int64))
    assert gallery.distance(random_latents(1, 3, 4)).shape == (0, 3)
    gallery.start(random_latents(2, 1, 4), np.ones(1), np.ones(1, bool))
    assert gallery.distance(random_latents(2, 1, 4)).tolist() == [[0.0]]
    with pytest.raises(ValueError, match="latents: expected 4 numbers a box as before, got 5"):
        gallery.distance(random_latents(1, 3, 5))


def test_the_length_is_remembered_when_no_track_is() -> None:
    gallery = gallery_of(GalleryConfig(), random_latents(0, 3, 2, 4))
    gallery.keep(np.empty(0, np.int64))
    for refused in (gallery.distance, lambda z: gallery.start(z, np.ones(3), np.ones(3, bool))):
        with pytest.raises(ValueError, match="latents: expected 4 numbers a box as before, got 5"):
            refused(random_latents(1, 3, 5))


@pytest.mark.parametrize("keep", KEEP)
def test_only_the_first_latent_is_kept_though_unclear_and_only_until_a_clear_one(keep: str) -> None:
    gallery, yes, no = Gallery(GalleryConfig(keep=keep)), np.array([True]), np.array([False])
    row, first, second, third = np.zeros(1, np.int64), *random_latents(0, 3, 1, 4)
    gallery.start(first, np.array([0.9]), no)
    gallery.add(row, second, np.array([0.9]), no)
    assert gallery.distance(first).item() == 0.0
    assert gallery.distance(second).item() > 0.1
    gallery.add(row, third, np.array([0.5]), yes)
    assert gallery.distance(third).item() == 0.0
    assert gallery.distance(first).item() > 0.1


@given(SEEDS, st.sampled_from([1e-12, 1.0, 1e4, 1e30]), st.sampled_from([0.0, 1e3]))
def test_distances_are_exact_whatever_the_scale_and_wherever_the_origin(seed: int, scale: float, away: float) -> None:
    latents, new = ((random_latents(s, 4, 2, 8) + np.float32(away)) * np.float32(scale) for s in (seed, seed + 1))
    distances = gallery_of(GalleryConfig(), latents).distance(new[0])
    assert np.isfinite(distances).all()
    np.testing.assert_allclose(distances, smallest_distance(latents, new[0]), rtol=1e-6)
    same = gallery_of(GalleryConfig(), latents).distance(latents[2])
    assert np.diagonal(same).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("pairs", [1, 7, 64])
def test_blocks_change_nothing(pairs: int) -> None:
    gallery, new = gallery_of(GalleryConfig(), random_latents(0, 3, 4, 5)), random_latents(1, 11, 5)
    whole = gallery.distance(new)
    with patch.object(module, "BLOCK", pairs):
        np.testing.assert_allclose(gallery.distance(new), whole, rtol=1e-12)


@pytest.mark.parametrize("keep", KEEP)
def test_memory_is_bounded(keep: str) -> None:
    gallery = gallery_of(GalleryConfig(keep=keep, size=10), random_latents(0, 30, 20, 16))
    latents, scores, clear = random_latents(1, 20, 16), np.linspace(0, 1, 20), np.ones(20, bool)
    tracemalloc.start()
    for _ in range(300):
        gallery.add(np.arange(20), latents, scores, clear)
        gallery.keep(np.arange(19))
        gallery.start(latents[:1], scores[:1], clear[:1])
    left, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert left < 20 * 11 * (16 + 2) * 8 + 10_000


def people(*boxes: list[float], scores: list[float] | None = None) -> Detections:
    return Detections.of(boxes, scores)


def test_which_detections_are_clear() -> None:
    detections = people(
        [0, 0, 40, 100], [20, 0, 60, 100], [200, 50, 240, 150], [600, 300, 640, 400], scores=[1, 0.4, 0.9, 1]
    )
    size = (641, 480)
    assert GalleryConfig().clear(detections, size).tolist() == [True] * 4
    assert GalleryConfig(max_overlap=0.3).clear(detections, size).tolist() == [False, False, True, True]
    assert GalleryConfig(max_overlap=0.4).clear(detections, size).tolist() == [True] * 4
    assert GalleryConfig(border=0.05).clear(detections, size).tolist() == [False, False, True, False]
    assert GalleryConfig(border=0.05).clear(detections).tolist() == [True] * 4  # the size of the image is not known
    assert GalleryConfig(min_score=0.9).clear(detections, size).tolist() == [True, False, True, True]
    strict = GalleryConfig(max_overlap=0.3, border=0.05, min_score=0.95)
    assert strict.clear(detections, size).tolist() == [False] * 4
    assert strict.clear(Detections.empty(), size).tolist() == []
    assert strict.clear(detections[2:3], size).tolist() == [False]
    assert replace(strict, min_score=0.9).clear(detections[2:3], size).tolist() == [True]


@given(SEEDS, st.integers(0, 8))
def test_what_is_clear_does_not_depend_on_the_order(seed: int, n: int) -> None:
    generator = np.random.default_rng(seed)
    corner = generator.uniform(0, 150, (n, 2))
    detections = Detections.of(np.concatenate([corner, corner + np.array([40, 90])], axis=1), generator.random(n))
    order = generator.permutation(n)
    config = GalleryConfig(max_overlap=0.2, border=0.05, min_score=0.3)
    assert config.clear(detections[order], (200, 250)).tolist() == config.clear(detections, (200, 250))[order].tolist()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"keep": "best"}, "gallery.keep: expected one of newest, most_confident, average, got 'best'"),
        ({"size": 0}, "gallery.size: expected 1 or more, got 0"),
        ({"momentum": 1.0}, r"gallery.momentum: expected a number in \[0, 1\), got 1.0"),
        ({"border": np.inf}, "gallery.border: expected a finite number, got inf"),
        ({"min_score": np.nan}, "gallery.min_score: expected a finite number, got nan"),
    ],
)
def test_impossible_settings(settings: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        GalleryConfig(**settings)  # type: ignore[arg-type]
