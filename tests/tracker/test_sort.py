"""Properties of the tracker that hold for every config."""

from __future__ import annotations

import logging
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flatsort.tracker.association.stages import StageConfig
from flatsort.tracker.config import find, load
from flatsort.tracker.lifecycle import LifecycleConfig
from flatsort.tracker.sort import SortConfig, SortTracker
from flatsort.tracker.types import Detections, Tracks

NAMES = ("sort", "sort_long", "bytetrack")
EAGER = SortConfig(lifecycle=LifecycleConfig(min_hits=0, max_age=5))


def tracker_of(name: str) -> SortTracker:
    return SortTracker(load(SortConfig, find("track", name)))


def world(seed: int, frames: int = 40, people: int = 6, misses: float = 0.2) -> list[Detections]:
    """People who walk straight on, detected with misses and in random order."""
    generator = np.random.default_rng(seed)
    start, speed = generator.uniform(0, 600, (people, 2)), generator.normal(0, 4, (people, 2))
    result = []
    for frame in range(frames):
        corner = start + frame * speed + generator.normal(0, 1, (people, 2))
        rows = generator.permutation(people)[generator.random(people) > misses]
        boxes = np.concatenate([corner, corner + np.array([40, 100])], axis=1)[rows]
        result.append(Detections.of(boxes, generator.uniform(0.5, 1, len(rows)), generator.integers(0, 3, len(rows))))
    return result


def rows_of(tracks: Tracks) -> list[tuple[float, ...]]:
    return [tuple(row) for row in np.column_stack([tracks.ids, tracks.boxes, tracks.scores, tracks.classes]).tolist()]


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=20)
@given(seed=st.integers(0, 10_000))
def test_ids_start_at_1_without_gaps_and_are_never_reused(name: str, seed: int) -> None:
    tracker = tracker_of(name)
    latest = 0
    last_seen: dict[int, int] = {}
    for frame, detections in enumerate(world(seed)):
        ids = tracker.step(detections).ids.tolist()
        assert len(set(ids)) == len(ids)
        for new in sorted(i for i in ids if i not in last_seen):
            assert new == latest + 1
            latest = new
        for i in ids:
            assert frame - last_seen.get(i, frame) <= 31
            last_seen[i] = frame
    assert latest > 0


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=20)
@given(seed=st.integers(0, 10_000))
def test_permuting_detections_permutes_source_and_nothing_else(name: str, seed: int) -> None:
    plain, permuted = tracker_of(name), tracker_of(name)
    generator = np.random.default_rng(seed)
    for detections in world(seed):
        order = generator.permutation(len(detections))
        a, b = plain.step(detections), permuted.step(detections[order])
        by_box_a = sorted((*row[1:], s) for row, s in zip(rows_of(a), a.source.tolist(), strict=True))
        by_box_b = sorted((*row[1:], int(order[s])) for row, s in zip(rows_of(b), b.source.tolist(), strict=True))
        np.testing.assert_allclose(by_box_a, by_box_b, rtol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_two_trackers_do_not_influence_each_other(name: str) -> None:
    first_stream, second_stream = world(1), world(2)
    alone = [[rows_of(t.step(d)) for d in w] for w in (first_stream, second_stream) for t in [tracker_of(name)]]
    first, second = tracker_of(name), tracker_of(name)
    side_by_side = [
        (rows_of(first.step(a)), rows_of(second.step(b))) for a, b in zip(first_stream, second_stream, strict=True)
    ]
    assert [a for a, _ in side_by_side] == alone[0]
    assert [b for _, b in side_by_side] == alone[1]


@pytest.mark.parametrize("name", NAMES)
def test_reset_starts_again(name: str) -> None:
    tracker = tracker_of(name)
    first = [rows_of(tracker.step(d)) for d in world(3)]
    tracker.reset()
    assert [rows_of(tracker.step(d)) for d in world(3)] == first


@pytest.mark.parametrize("name", NAMES)
def test_source_names_the_row_whose_box_corrected_the_track(name: str) -> None:
    tracker = tracker_of(name)
    for detections in world(4, misses=0.0):
        tracks = tracker.step(detections)
        matched = tracks.source >= 0
        assert np.abs(tracks.boxes[matched] - detections.boxes[tracks.source[matched]]).max(initial=0) < 30


@pytest.mark.parametrize("name", NAMES)
def test_empty_frames_and_empty_streams(name: str) -> None:
    tracker = tracker_of(name)
    assert all(len(tracker.step(Detections.empty())) == 0 for _ in range(50))
    assert len(tracker.explain().pairs) == 0
    for detections in world(5, frames=20):
        tracker.step(detections)
    assert all(len(tracker.step(Detections.empty())) == 0 for _ in range(40))


def test_a_gap_of_40_frames_ends_a_track_unless_its_maximum_age_is_larger() -> None:
    box = Detections.of([[10, 10, 50, 110]])
    for max_age, ids in ((30, [1, 2]), (41, [1])):
        tracker = SortTracker(SortConfig(lifecycle=LifecycleConfig(min_hits=0, max_age=max_age)))
        reported = set()
        for frame in range(60):
            reported |= set(tracker.step(Detections.empty() if 10 <= frame < 50 else box).ids.tolist())
        assert sorted(reported) == ids


BAD_ROWS = [
    [np.nan, 0, 10, 10],
    [0, 0, np.inf, 10],
    [-np.inf, 0, np.inf, 10],
    [5, 5, 5, 50],
    [50, 50, 10, 10],
    [0, 0, 1e9, 1e9],
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bad", BAD_ROWS)
def test_invalid_boxes_are_left_out_counted_and_logged_once(
    name: str, bad: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    clean, dirty = tracker_of(name), tracker_of(name)
    for detections in world(6):
        with_bad = Detections.of(
            np.vstack([[bad], detections.boxes]),
            np.concatenate([[0.9], detections.scores]),
            np.concatenate([[0], detections.classes]),
        )
        a, b = clean.step(detections), dirty.step(with_bad)
        assert rows_of(a) == rows_of(b)
        assert (b.source - 1).tolist() == a.source.tolist()
        assert np.isfinite(b.boxes).all()
    assert dirty.dropped == 40
    assert len([r for r in caplog.records if r.levelno == logging.WARNING]) == 1


def test_invalid_scores_and_latents_are_left_out_too() -> None:
    stages = {"appearance": StageConfig(cost="blend", weight=0.1)}
    tracker = SortTracker(replace(EAGER, stages=stages))
    boxes, latents = np.array([[0.0, 0, 10, 20], [50, 0, 60, 20]]), np.ones((2, 3))
    assert tracker.update(boxes, [np.nan, 0.5], latents=latents).tolist() == [-1, 1]
    latents[1, 2] = np.inf
    assert tracker.update(boxes, [0.5, 0.5], latents=latents).tolist() == [2, -1]
    assert tracker.dropped == 2


@given(st.lists(st.lists(st.floats(width=64), min_size=4, max_size=4), max_size=8), st.integers(0, 2))
def test_all_output_is_finite(rows: list[list[float]], which: int) -> None:
    logging.disable(logging.WARNING)
    tracker = tracker_of(NAMES[which])
    for _ in range(4):
        tracks = tracker.step(Detections.of(rows))
        assert np.isfinite(tracks.boxes).all()
        assert np.isfinite(tracks.scores).all()
    logging.disable(logging.NOTSET)


def test_duplicates_get_ids_of_their_own() -> None:
    tracker = SortTracker(EAGER)
    for _ in range(5):
        assert sorted(tracker.update([[0, 0, 10, 20]] * 3).tolist()) == [1, 2, 3]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_memory_does_not_grow_with_the_stream(name: str) -> None:
    tracker, frames = tracker_of(name), [d for seed in range(5) for d in world(seed)]
    for detections in frames:
        tracker.step(detections)
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for _ in range(5):
        for detections in frames:
            tracker.step(detections)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 50_000
