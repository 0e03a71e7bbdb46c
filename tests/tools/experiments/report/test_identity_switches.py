"""Identity switches: boxes, overlaps and latent distances."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from flatsort.tools.experiments.report.identity_switches import Switch, find_switches
from flatsort.tools.experiments.results import Benchmark
from flatsort.tracker.io.mot import MotTable
from flatsort.tracker.metrics import evaluate_tables
from flatsort.tracker.types import Detections, Float32
from tests.tracker.metrics.mot_tables import table, track

# two people who stand still; id 7 leaves person 1 after frame 3 and is on person 2 from frame 5 on
GT = table([*track(1, 0, range(1, 9)), *track(2, 100, range(1, 9))])
PRED = table(
    [*track(7, 0, range(1, 4)), *track(9, 0, range(5, 9)), *track(8, 100, range(1, 4)), *track(7, 100, range(5, 9))]
)


def switches(
    gt: MotTable,
    pred: MotTable,
    latents: Sequence[Float32] | None = None,
    detections: Sequence[Detections] | None = None,
) -> list[Switch]:
    detections_of_frames = [Detections.of(pred.boxes[pred.frames == frame]) for frame in range(1, 9)]
    return find_switches(
        evaluate_tables("a", gt, pred), pred, detections_of_frames if detections is None else detections, latents
    )


def test_ids_and_frames_of_switches() -> None:
    by_identity = {each.identity: each for each in switches(GT, PRED)}
    first, second = by_identity[1], by_identity[2]
    assert (first.before.frame, first.before.track, first.after.frame, first.after.track) == (3, 7, 5, 9)
    assert first.earlier is None
    assert first.to_earlier is None
    assert first.now is not None
    assert (first.now.frame, first.now.identity) == (5, 2)
    assert (second.before.track, second.after.track) == (8, 7)
    assert second.earlier is not None
    assert (second.earlier.frame, second.earlier.identity) == (3, 1)
    assert second.now is None
    assert second.to_before.iou == pytest.approx(1)
    assert second.to_earlier is not None
    assert second.to_earlier.iou == 0


def test_the_old_box_is_where_the_old_id_covered_the_identity() -> None:
    # before the switch, id 7 continues on no identity
    pred = table([*track(7, 0, range(1, 4)), *track(7, 200, range(4, 9)), *track(9, 0, range(6, 9))])
    (switch,) = switches(GT, pred)
    assert (switch.before.frame, switch.before.box[0]) == (3, 0)
    assert switch.now is not None
    assert (switch.now.box[0], switch.now.identity) == (200, None)


def test_distances_are_those_of_the_detections_under_the_boxes() -> None:
    rng = np.random.default_rng(0)
    latents = [rng.normal(size=(int((PRED.frames == frame).sum()), 3)).astype(np.float32) for frame in range(1, 9)]
    by_identity = {each.identity: each for each in switches(GT, PRED, latents)}
    # the rows of PRED: in frame 3 ids 7, 8; in frame 5 ids 9, 7
    expected = float(np.linalg.norm(latents[4][0] - latents[2][0]))
    assert by_identity[1].to_before.distance == pytest.approx(expected)
    to_earlier = by_identity[2].to_earlier
    assert to_earlier is not None
    assert to_earlier.distance == pytest.approx(float(np.linalg.norm(latents[4][1] - latents[2][0])))
    # every frame has one pair of boxes that do not overlap
    pairs = [float(np.linalg.norm(each[0] - each[1])) for each in latents if len(each) == 2]
    threshold = float(np.quantile(pairs, 0.01))
    assert by_identity[1].to_before.relative == pytest.approx(expected / threshold, rel=1e-3)


def test_no_distance_without_the_latent_of_a_box() -> None:
    detections_of_frames = [Detections.of(PRED.boxes[PRED.frames == frame]) for frame in range(1, 9)]
    latents = [np.ones((len(each), 3), np.float32) for each in detections_of_frames]
    unread = [*latents[:2], latents[2][:0], *latents[3:]]
    assert all(each.to_before.distance is None for each in switches(GT, PRED, unread))
    without_match = [
        *detections_of_frames[:4],
        Detections.of(detections_of_frames[4].boxes + 500),
        *detections_of_frames[5:],
    ]
    assert all(each.to_before.distance is None for each in switches(GT, PRED, latents, without_match))
    assert all(each.to_before.distance is None for each in switches(GT, PRED, latents[:3]))
    broken = [np.full_like(each, np.nan) for each in latents]
    assert all(each.to_before.distance is None for each in switches(GT, PRED, broken))
    assert [each.to_before.distance for each in switches(GT, PRED, latents)] == [0, 0]


def test_boxes_that_are_not_finite_are_left_out() -> None:
    pred = table([*track(7, 0, range(1, 4)), *track(9, 0, range(5, 9)), (4, 9, np.nan)])
    (switch,) = switches(GT, pred)
    assert switch.earlier is None


def test_there_are_as_many_switches_as_the_evaluation_counts(benchmark: Benchmark) -> None:
    for system in benchmark.systems.values():
        for run in system.runs:
            result = system.first.sequences[run.sequence]
            identity_switches = find_switches(result, run.tracks, benchmark.sequences[run.sequence].detections, None)
            assert len(identity_switches) == result.scores.ids
            assert [each.after.frame for each in identity_switches] == sorted(
                each.after.frame for each in identity_switches
            )
            assert all(each.before.track != each.after.track for each in identity_switches)


def test_no_tracks_no_switches() -> None:
    assert switches(GT, table([])) == []
