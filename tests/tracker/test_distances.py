"""Codes stored as bits: the same distances and the same tracks as with numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from flatsort.tracker.config import find, load
from flatsort.tracker.distances import pairwise
from flatsort.tracker.gallery import Gallery, GalleryConfig
from flatsort.tracker.sort import SortTracker
from flatsort.tracker.track_config import TrackConfig
from flatsort.tracker.types import Detections, Float32

SEEDS = st.integers(0, 2**32 - 1)


def codes(seed: int, *shape: int) -> Float32:
    return np.random.default_rng(seed).choice(np.array([-1, 1], np.float32), shape)


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.integers(0, 20), st.sampled_from([1, 7, 8, 63, 64, 65, 200]))
def test_distances_of_bits_are_those_of_numbers(seed: int, n: int, d: int) -> None:
    latents = codes(seed, n, d)
    assert np.array_equal(pairwise(latents, bits=True), cdist(latents, latents))
    assert np.array_equal(pairwise(latents, bits=False), cdist(latents, latents))


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.sampled_from(["newest", "most_confident"]), st.integers(1, 7), st.sampled_from([5, 64, 130]))
def test_galleries_of_bits_and_of_numbers_agree(seed: int, keep: str, size: int, d: int) -> None:
    generator = np.random.default_rng(seed)
    both = [Gallery(GalleryConfig(keep=keep, size=size), bits) for bits in (True, False)]
    latents, new = codes(seed, 9, 4, d), codes(seed + 1, 11, d)
    for k, each in enumerate(latents):
        scores, clear, rows = generator.random(4), generator.random(4) > 0.3, generator.permutation(4)
        for gallery in both:
            if k:
                gallery.add(rows, each, scores, clear)
            else:
                gallery.start(each, scores, clear)
            assert gallery.distance(new).dtype == np.float64
        assert np.array_equal(both[0].distance(new), both[1].distance(new))
    for gallery in both:
        gallery.keep(np.array([3, 1]))
        gallery.start(new[:1], np.ones(1), np.ones(1, bool))
    assert np.array_equal(both[0].distance(new), both[1].distance(new))
    assert both[0].distance(new)[2, 0] == 0


@pytest.mark.parametrize("name", ["deep_sort", "flatsort"])
@settings(max_examples=3, deadline=None)
@given(SEEDS)
def test_tracks_are_the_same(name: str, seed: int) -> None:
    config = load(TrackConfig, find("track", name))
    config = replace(config, appearance=replace(config.appearance, threshold="auto"))
    trackers = [
        SortTracker(replace(config, appearance=replace(config.appearance, bits=bits))) for bits in (True, False)
    ]
    generator, appearance = np.random.default_rng(seed), codes(seed, 6, 96)
    start, speed = generator.uniform(0, 300, (6, 2)), generator.normal(0, 5, (6, 2))
    for frame in range(15):
        rows = generator.permutation(6)[generator.random(6) > 0.2]
        corner = (start + frame * speed + generator.normal(0, 2, (6, 2)))[rows]
        latents = np.where(generator.random((len(rows), 96)) < 0.1, -1, 1) * appearance[rows]
        detections = Detections.of(np.concatenate([corner, corner + np.array([40.0, 100])], 1), latents=latents)
        first, second = (tracker.step(detections) for tracker in trackers)
        assert np.array_equal(first.ids, second.ids)
        assert np.array_equal(first.boxes, second.boxes)
        assert np.array_equal(first.source, second.source)


def test_bits_take_up_a_thirtieth_of_the_memory() -> None:
    """A thirty-second of single precision for the codes; lengths and scores are beside them."""
    sizes = []
    for bits in (True, False):
        gallery = Gallery(GalleryConfig(size=10), bits)
        gallery.start(codes(0, 20, 512), np.ones(20), np.ones(20, bool))
        sizes.append(gallery.nbytes)
    assert sizes[0] < 20 * (512 // 8 + 32)
    assert sizes[1] > 32 * sizes[0]


def test_latents_that_are_no_codes_are_refused_and_change_nothing() -> None:
    config = load(TrackConfig, find("track", "flatsort"))
    tracker = SortTracker(replace(config, appearance=replace(config.appearance, bits=True)))
    box = [[0.0, 0, 40, 100]]
    with pytest.raises(ValueError, match=r"latents: expected −1 or 1 in every place, as appearance.bits says, got 0.5"):
        tracker.step(Detections.of(box, latents=[[1.0, -1, 0.5]]))
    assert len(tracker.step(Detections.of(box, latents=[[1.0, -1, 1]]))) == 0
    with pytest.raises(ValueError, match="expected 3 numbers a box as before, got 4"):
        tracker.step(Detections.of(box, latents=[[1.0, -1, 1, 1]]))


def test_an_average_of_bits_is_refused() -> None:
    with pytest.raises(ValueError, match=r"gallery\.keep: latents stored as bits cannot be averaged"):
        Gallery(GalleryConfig(keep="average"), bits=True)
