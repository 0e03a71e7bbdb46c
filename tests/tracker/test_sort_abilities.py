"""Features of the tracker: ids by row, time, camera motion, classes, appearance, predicted boxes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from flatsort.tracker.association.stages import StageConfig
from flatsort.tracker.lifecycle import LifecycleConfig
from flatsort.tracker.sort import SortConfig, SortTracker
from flatsort.tracker.types import Detections, Float, Int
from tests.tracker.test_sort import EAGER, tracker_of

BY_APPEARANCE = SortConfig(
    stages={"appearance": StageConfig(cost="latent", threshold=0.5)}, lifecycle=LifecycleConfig(min_hits=0, max_age=9)
)


def test_update_gives_one_id_a_row_in_input_order() -> None:
    tracker = SortTracker(SortConfig(lifecycle=LifecycleConfig(min_hits=2, warm_up=False)))
    a, b = [0, 0, 10, 20], [100, 0, 110, 20]
    assert tracker.update([a, b], [0.9, 0.8]).tolist() == [-1, -1]
    assert tracker.update([b, a], [0.8, 0.9]).tolist() == [-1, -1]
    ids = tracker.update([a, b], [0.9, 0.8]).tolist()
    assert sorted(ids) == [1, 2]
    assert tracker.update([b, [300, 0, 310, 20], a]).tolist() == [ids[1], -1, ids[0]]
    assert tracker.update([]).tolist() == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"boxes": [[1, 2, 3]]}, r"boxes: expected shape \[n 4\] \(xyxy\), got \[1, 3\]"),
        ({"boxes": [[0, 0, 1, 1]], "scores": [1, 2]}, r"scores: expected shape \[1\] like boxes, got \[2\]"),
        ({"boxes": [[0, 0, 1, 1]], "latents": [1.0]}, r"latents: expected shape \[1 d\] like boxes, got \[1\]"),
        ({"boxes": [], "time": float("nan")}, "time: expected more than the previous frame's"),
    ],
)
def test_input_of_the_wrong_shape_is_refused(arguments: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        SortTracker().update(**arguments)  # type: ignore[arg-type]


def test_a_refused_frame_changes_nothing() -> None:
    tracker, box = SortTracker(BY_APPEARANCE), [[0, 0, 40, 100]]
    tracker.update(box, latents=[[1.0, 2.0]])
    for _ in range(10):
        with pytest.raises(ValueError, match="latents: expected 2 numbers a box as before, got 3"):
            tracker.update(box, latents=[[1.0, 2.0, 3.0]])
        with pytest.raises(
            ValueError, match="latents: expected some, or an image for the embedder, as a stage compares them; got none"
        ):
            tracker.update(box)
    assert tracker.update(box, latents=[[1.0, 2.0]], time=1 / 30).tolist() == [1]


def test_time_must_advance() -> None:
    tracker = SortTracker()
    tracker.step(Detections.empty(), time=1.0)
    with pytest.raises(ValueError, match=r"time: expected more than the previous frame's 1\.0 s, got 1\.0 s"):
        tracker.step(Detections.empty(), time=1.0)


def moving(frame: float) -> list[list[float]]:
    return [[100 + 8 * frame, 50, 140 + 8 * frame, 150]]


def test_timestamps_bridge_dropped_frames() -> None:
    received = [f for f in range(60) if f % 7 < 3 or f > 55]
    timed, untimed = (SortTracker(SortConfig(frame_rate=25.0)) for _ in range(2))
    with_time = {int(i) for f in received for i in timed.update(moving(f), time=f / 25)}
    without = {int(i) for f in received for i in untimed.update(moving(f))}
    assert with_time == {1}
    assert len(without - {-1}) > 1


def test_ages_in_seconds_follow_the_time_and_ages_in_frames_the_frames() -> None:
    for max_age, lives in (("1s", False), ("3s", True), (1, False), (2, True)):
        tracker = SortTracker(SortConfig(lifecycle=LifecycleConfig(min_hits=0, max_age=max_age), frame_rate=10))
        box = [[100, 50, 140, 150]]
        for f in range(5):
            tracker.update(box, time=f / 10)
        for time in (1.4, 2.4):  # two frames without it, a second apart
            tracker.update([], time=time)
        assert tracker.update(box, time=2.5).tolist() == [1 if lives else 2]


def test_tracks_follow_the_camera_motion() -> None:
    pan = np.array([[1.0, 0.0, -60.0], [0.0, 1.0, 0.0]])
    for camera, ids in ((pan, {1}), (None, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10})):
        tracker, reported = SortTracker(EAGER), set()
        for frame in range(10):
            x = 500 - 60 * frame
            detections = Detections.of([[x, 50, x + 40, 150]])
            reported |= set(tracker.step(detections, camera=camera if frame else None).ids.tolist())
        assert reported == ids


def crossing(classes: tuple[int, int]) -> tuple[Float, Int]:
    return np.array([[0.0, 0, 40, 100], [4, 0, 44, 100]]), np.array(classes)


@pytest.mark.parametrize("affine", [np.zeros((2, 3)), np.full((2, 3), np.nan), np.array([[1, 0, np.inf], [0, 1, 0]])])
def test_an_impossible_camera_motion_is_refused(affine: Float) -> None:
    tracker = SortTracker(EAGER)
    tracker.update([[0, 0, 40, 100]])
    with pytest.raises(ValueError, match=r"camera: expected an affine \[2 3\]"):
        tracker.step(Detections.empty(), camera=affine)


def test_per_class_never_mixes_classes() -> None:
    for per_class, same in ((True, False), (False, True)):
        tracker = SortTracker(SortConfig(lifecycle=LifecycleConfig(min_hits=0, max_age=9), per_class=per_class))
        first = tracker.update([[0, 0, 40, 100]], classes=[1])
        second = tracker.update([[0, 0, 40, 100]], classes=[2])
        assert (first.tolist() == second.tolist()) is same


def test_the_class_of_a_track_is_the_majority() -> None:
    tracker = SortTracker(EAGER)
    classes = [tracker.step(Detections.of([[0, 0, 40, 100]], classes=[c])).classes.item() for c in (7, 3, 3, 7, 3, 5)]
    assert classes == [7, 3, 3, 3, 3, 3]


def test_the_gallery_decides_where_boxes_cannot() -> None:
    tracker = SortTracker(BY_APPEARANCE)
    red, blue = [1.0, 0.0], [0.0, 1.0]
    boxes = [[0, 0, 40, 100], [300, 0, 340, 100]]
    assert tracker.update(boxes, latents=[red, blue]).tolist() == [1, 2]
    assert tracker.update(boxes, latents=[blue, red]).tolist() == [2, 1]
    assert tracker.update([], latents=[]).tolist() == []
    assert tracker.update(boxes, latents=[red, blue]).tolist() == [1, 2]
    with pytest.raises(ValueError, match="latents: expected 2 numbers a box as before, got 3"):
        tracker.update(boxes, latents=np.zeros((2, 3)))
    tracker.reset()
    assert tracker.update(boxes, latents=np.eye(3)[:2]).tolist() == [1, 2]


def test_a_tracker_without_appearance_ignores_latents() -> None:
    tracker, box = SortTracker(EAGER), [[0, 0, 40, 100]]
    for latents in (None, [[1.0, 2.0]], [[np.nan, 2.0]], [[1.0, 2.0, 3.0]]):
        assert tracker.update(box, latents=latents).tolist() == [1]
    assert tracker.dropped == 0


def test_a_first_frame_without_a_box_confident_enough_to_start_a_track() -> None:
    life = LifecycleConfig(min_hits=0, birth_score=0.6)
    tracker = SortTracker(replace(EAGER, lifecycle=life))
    assert tracker.update([[0, 0, 40, 100]], [0.5]).tolist() == [-1]
    assert tracker.update([[0, 0, 40, 100]], [0.7]).tolist() == [1]


def test_predicted_boxes_are_reported_on_request() -> None:
    life = LifecycleConfig(min_hits=0, max_age=9, streak=False, report_missed=2)
    tracker = SortTracker(SortConfig(lifecycle=life))
    tracker.step(Detections.of(moving(0)))
    tracker.step(Detections.of(moving(1)))
    missed = [tracker.step(Detections.empty()) for _ in range(3)]
    assert [len(t) for t in missed] == [1, 1, 0]
    assert missed[0].source.tolist() == [-1]
    assert missed[1].boxes[0, 0] > missed[0].boxes[0, 0]


def test_unconfirmed_tracks_end_at_once_if_the_config_says_so() -> None:
    tracker = tracker_of("bytetrack")
    tracker.update([])
    tracker.update([[0, 0, 40, 100]], [0.9])
    tracker.update([])
    tracker.update([[0, 0, 40, 100]], [0.9])
    assert tracker.update([[0, 0, 40, 100]], [0.9]).tolist() == [1]
