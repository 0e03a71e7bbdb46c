"""Properties of trackers that use appearance."""

from __future__ import annotations

import json
import math
import tracemalloc
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flatsort.tracker.association.appearance_threshold import AppearanceConfig
from flatsort.tracker.association.stages import StageConfig
from flatsort.tracker.config import find, load
from flatsort.tracker.gallery import GalleryConfig
from flatsort.tracker.lifecycle import LifecycleConfig
from flatsort.tracker.sort import SortConfig, SortTracker
from flatsort.tracker.track_config import TrackConfig
from flatsort.tracker.types import Detections
from tests.tracker.test_sort import rows_of

NAMES = ("deep_sort", "flatsort")
AUTO = AppearanceConfig()
SEEDS = st.integers(0, 10_000)


def tracker_of(name: str, appearance: AppearanceConfig = AUTO) -> SortTracker:
    return SortTracker(replace(load(TrackConfig, find("track", name)), appearance=appearance))


def world(seed: int, frames: int = 30, people: int = 5, noise: float = 0.1) -> list[Detections]:
    """People who walk straight on, each with latents that vary a little, detected with misses."""
    generator = np.random.default_rng(seed)
    start, speed = generator.uniform(0, 400, (people, 2)), generator.normal(0, 4, (people, 2))
    appearances = generator.normal(size=(people, 8))
    result = []
    for frame in range(frames):
        corner = start + frame * speed + generator.normal(0, 1, (people, 2))
        rows = generator.permutation(people)[generator.random(people) > 0.2]
        boxes = np.concatenate([corner, corner + np.array([40, 100])], axis=1)[rows]
        latents = (appearances + noise * generator.normal(size=appearances.shape))[rows]
        result.append(Detections.of(boxes, generator.uniform(0.5, 1, len(rows)), latents=latents))
    return result


def scaled(detections: Detections, scale: float) -> Detections:
    assert detections.latents is not None
    return replace(detections, latents=detections.latents * np.float32(scale))


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=5)
@given(seed=SEEDS)
def test_permuting_detections_permutes_source_and_nothing_else(name: str, seed: int) -> None:
    plain, permuted, generator = tracker_of(name), tracker_of(name), np.random.default_rng(seed)
    for detections in world(seed):
        order = generator.permutation(len(detections))
        a, b = plain.step(detections), permuted.step(detections[order])
        by_box_a = sorted((*row[1:], s) for row, s in zip(rows_of(a), a.source.tolist(), strict=True))
        of_b = np.append(order, -1)[b.source].tolist()
        by_box_b = sorted((*row[1:], s) for row, s in zip(rows_of(b), of_b, strict=True))
        np.testing.assert_allclose(by_box_a, by_box_b, rtol=1e-9)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=5)
@given(seed=SEEDS, scale=st.sampled_from([2.0**-30, 0.1, 3.0, 1e6]))
def test_the_scale_of_latents_has_no_effect_with_an_automatic_threshold(name: str, seed: int, scale: float) -> None:
    plain, rescaled = tracker_of(name), tracker_of(name, AppearanceConfig(prior=None))
    for detections in world(seed):
        assert rows_of(plain.step(detections)) == rows_of(rescaled.step(scaled(detections, scale)))


@pytest.mark.parametrize("name", NAMES)
def test_two_trackers_do_not_influence_each_other(name: str) -> None:
    first_stream, second_stream = world(1), [scaled(each, 100) for each in world(2)]
    alone = [[rows_of(t.step(d)) for d in w] for w in (first_stream, second_stream) for t in [tracker_of(name)]]
    first, second = tracker_of(name), tracker_of(name)
    together = [
        (rows_of(first.step(a)), rows_of(second.step(b))) for a, b in zip(first_stream, second_stream, strict=True)
    ]
    assert [[a for a, _ in together], [b for _, b in together]] == alone


@pytest.mark.parametrize("name", NAMES)
def test_reset_forgets_the_threshold_too(name: str) -> None:
    tracker, fresh = tracker_of(name), tracker_of(name)
    for detections in world(3):
        tracker.step(scaled(detections, 1000))
    tracker.reset()
    assert [rows_of(tracker.step(d)) for d in world(4)] == [rows_of(fresh.step(d)) for d in world(4)]


ODD = {
    "all alike": np.ones((2, 4)),
    "all zero": np.zeros((2, 4)),
    "as large as can be": np.array([[3e38] * 4, [-3e38] * 4]),
    "as small as can be": np.array([[1e-45] * 4, [0.0] * 4]),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("which", ODD)
@pytest.mark.parametrize("people", [1, 2])
def test_all_output_is_finite_for_any_latents(name: str, which: str, people: int) -> None:
    tracker = tracker_of(name)
    boxes = np.array([[0.0, 0, 40, 100], [300, 0, 340, 100]])
    ids = set()
    for frame in range(12):
        tracks = tracker.step(Detections.of(boxes[:people] + frame, latents=ODD[which][:people]))
        assert np.isfinite(tracks.boxes).all()
        ids |= set(tracks.ids.tolist())
        pairs = tracker.explain().pairs
        json.dumps([asdict(pair) for pair in pairs], allow_nan=False)
        assert all(math.isfinite(pair.cost) for pair in pairs)
    assert len(ids) == people


@pytest.mark.parametrize("overlap", [10, 300])
def test_a_frame_without_a_pair_of_boxes_does_not_change_the_threshold(overlap: int) -> None:
    tracker = tracker_of("flatsort")
    boxes = np.array([[0.0, 0, 40, 100], [overlap, 0, overlap + 40, 100]])
    ids = [tracker.step(Detections.of(boxes, latents=np.eye(2))).ids.tolist() for _ in range(8)]
    assert ids[-1] == [1, 2]


def test_another_person_is_not_matched_with_the_one_who_left_while_the_threshold_is_unknown() -> None:
    tracker = tracker_of("flatsort")
    first = [tracker.step(Detections.of([[0, 0, 40, 100]], latents=[[1.0, 0]])).ids.tolist() for _ in range(6)]
    for _ in range(40):
        tracker.step(Detections.empty())
    other = [tracker.step(Detections.of([[600, 0, 640, 100]], latents=[[0.0, 1]])).ids.tolist() for _ in range(6)]
    assert (first[-1], other[-1]) == ([1], [2])


@pytest.mark.parametrize("keep", ["newest", "most_confident", "average"])
def test_a_person_who_comes_back_is_recognised_by_appearance(keep: str) -> None:
    config = replace(load(TrackConfig, find("track", "flatsort")), gallery=GalleryConfig(keep=keep, size=5))
    tracker = SortTracker(config)
    stream = world(5, frames=40, noise=0.01)
    before: dict[int, np.ndarray] = {}
    for detections in stream:
        tracks = tracker.step(detections)
        for track, row in zip(tracks.ids.tolist(), tracks.source.tolist(), strict=True):
            if row >= 0 and detections.latents is not None:
                before[track] = detections.latents[row]
    for _ in range(60):
        tracker.step(Detections.empty())
    boxes = np.array([[200.0 * i, 600, 200 * i + 40, 700] for i in range(len(before))])
    back = tracker.step(Detections.of(boxes, latents=np.array(list(before.values()))))
    assert [list(before)[row] for row in back.source] == back.ids.tolist()
    assert len(back) == len(before) >= 4


def test_latents_of_occluded_people_are_not_remembered() -> None:
    """Two people swap their latents while they occlude each other; the clear latents from before decide."""
    red, blue = [1.0, 0.0], [0.0, 1.0]
    apart, close = [[0, 0, 40, 100], [300, 0, 340, 100]], [[0, 0, 40, 100], [20, 0, 60, 100]]
    ids = {}
    for max_overlap in (0.2, None):
        config = SortConfig(
            stages={"appearance": StageConfig(cost="latent", threshold=0.5), "iou": StageConfig()},
            appearance=AppearanceConfig(threshold=1.0),
            lifecycle=LifecycleConfig(min_hits=0, max_age=9),
            gallery=GalleryConfig(max_overlap=max_overlap, size=2),
        )
        tracker = SortTracker(config)
        tracker.update(apart[:1], latents=[red])
        for _ in range(4):
            tracker.update(close, latents=[[0.5, 0.5], blue])
        ids[max_overlap] = tracker.update([apart[1]], latents=[red]).tolist()
    assert ids == {0.2: [1], None: [3]}


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_memory_does_not_grow_with_the_stream(name: str) -> None:
    config = load(TrackConfig, find("track", name))
    config = replace(config, gallery=GalleryConfig(size=10), lifecycle=replace(config.lifecycle, max_age=60))
    tracker, frames = SortTracker(config), [d for seed in range(5) for d in world(seed)]
    tracemalloc.start()
    held = []
    for _ in range(2):
        for detections in frames:
            tracker.step(detections)
        held.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert held[1] < 1.2 * held[0]
