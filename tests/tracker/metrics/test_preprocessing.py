"""The benchmark's preprocessing: which boxes are evaluated, and which tables are refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from flatsort.tracker.metrics.preprocessing import prepare
from flatsort.tracker.metrics.scoring_rules import Benchmark, benchmark_of
from tests.tracker.metrics.mot_tables import HALF, table, track

PEDESTRIAN, NON_MOT_VEHICLE = 1, 6


@pytest.mark.parametrize(
    ("columns", "name", "expected"),
    [
        (10, "TUD-Campus", "mot15"),
        (7, "", "mot15"),
        (6, "", "mot15"),
        (9, "MOT16-02", "mot17"),
        (8, "", "mot17"),
        (9, "MOT20-01", "mot20"),
    ],
)
def test_formats_are_told_apart_by_their_columns(columns: int, name: str, expected: str) -> None:
    assert benchmark_of(table([(1, 1, 0)], columns), name) == expected


@pytest.mark.parametrize("benchmark", ["mot16", "mot17", "mot20"])
@pytest.mark.parametrize("label", range(1, 14))
def test_classes(benchmark: Benchmark, label: int) -> None:
    distractor = label in (2, 7, 8, 12) or (label == NON_MOT_VEHICLE and benchmark == "mot20")
    sequence = prepare("a", table([(1, 1, 0, 1, label)]), table([(1, 1, 0)]), benchmark)
    assert sequence.gt_boxes == (label == PEDESTRIAN)
    assert sequence.pred_boxes == (not distractor)


def test_mot15_knows_no_classes() -> None:
    gt = table([(1, 1, 0, 1, 7), (1, 2, 100, 0, 1)], columns=10)
    sequence = prepare("a", gt, table([(1, 1, 0), (1, 2, 100)]))
    assert (sequence.gt_boxes, sequence.pred_boxes) == (1, 2)


def test_class_minus_one_is_evaluated() -> None:
    assert prepare("a", table([(1, 1, 0, 1, -1)]), table([]), "mot17").gt_boxes == 1


def test_ignored_pedestrians_leave_and_what_covers_them_stays() -> None:
    sequence = prepare("a", table([(1, 1, 0, 0, 1)]), table([(1, 1, 0)]), "mot17")
    assert (sequence.gt_boxes, sequence.pred_boxes) == (0, 1)


def test_ignored_ground_truth_is_counted() -> None:
    gt = [(1, 1, 0, 0, 1), (1, 2, 50, 1, 3), (1, 3, 100)]
    assert prepare("a", table(gt), table([]), "mot17").ignored == 2
    assert prepare("a", table(gt), table([]), "mot15").ignored == 1


def test_a_distractor_takes_the_prediction_that_fits_it_better() -> None:
    gt = table([(1, 1, 0), (1, 2, 20, 1, 8)])
    sequence = prepare("a", gt, table([(1, 5, 1), (1, 6, 19)]), "mot17")
    assert sequence.gt_labels.tolist() == [1]
    assert sequence.pred_labels.tolist() == [5]
    np.testing.assert_allclose(sequence.similarity[0], [[29 / 31]])


def test_a_pedestrian_beside_a_distractor_keeps_its_prediction() -> None:
    gt = table([(1, 1, 2), (1, 2, 4, 1, 8)])
    sequence = prepare("a", gt, table([(1, 5, 2)]), "mot17")
    assert sequence.pred_boxes == 1


def test_a_distractor_needs_one_half() -> None:
    gt = table([(1, 1, 0, 1, 8)])
    assert prepare("a", gt, table([(1, 5, HALF)]), "mot17").pred_boxes == 0
    assert prepare("a", gt, table([(1, 5, HALF + 0.01)]), "mot17").pred_boxes == 1


def test_ids_are_relabelled_and_frames_without_boxes_are_absent() -> None:
    sequence = prepare("a", table([(9, 40, 0), (2, 70, 0)]), table([(5, -1, 0), (2, 3, 100)]), length=12)
    assert sequence.length == 12
    assert sequence.frames.tolist() == [2, 5, 9]
    assert [ids.tolist() for ids in sequence.gt_ids] == [[1], [], [0]]
    assert [ids.tolist() for ids in sequence.pred_ids] == [[1], [0], []]
    assert [overlap.shape for overlap in sequence.similarity] == [(1, 1), (0, 1), (1, 0)]
    assert (sequence.gt_labels.tolist(), sequence.pred_labels.tolist()) == ([40, 70], [-1, 3])


def test_length_is_the_last_frame_of_either() -> None:
    assert prepare("a", table(track(1, 0, (1, 2))), table(track(1, 0, (7,)))).length == 7
    assert prepare("a", table([]), table([])).length == 0


def test_a_far_frame_costs_nothing() -> None:
    assert prepare("a", table([(1, 1, 0)]), table([(10**12, 1, 0)])).frames.tolist() == [1, 10**12]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
def test_unusable_predictions_stay_and_match_nothing(bad: float) -> None:
    pred = table([(1, 1, 0), (1, 2, 0), (1, 3, 0)])
    pred.boxes[1, 2] = bad
    pred.boxes[2, 2:] = pred.boxes[2, :2]
    sequence = prepare("a", table([(1, 1, 0)]), pred)
    assert (sequence.unusable, sequence.pred_boxes) == (2, 3)
    np.testing.assert_array_equal(sequence.similarity[0], [[1, 0, 0]])


class TestRefusals:
    """Each sentence names the row."""

    def test_an_id_twice_in_a_frame(self) -> None:
        rows = track(1, 0, (1, 2)) + track(1, 50, (2,))
        with pytest.raises(ValueError, match=r"table.txt line 3: frame 2 has id 1 more than once"):
            prepare("a", table(rows), table([]))
        with pytest.raises(ValueError, match=r"frame 2 has id 1 more than once"):
            prepare("a", table([]), table(rows))

    def test_a_frame_beyond_the_sequence(self) -> None:
        with pytest.raises(ValueError, match=r"line 3: frame 5, but the sequence has 4 frames"):
            prepare("a", table([]), table(track(1, 0, (1, 5))), length=4)

    def test_ground_truth_that_is_not_finite(self) -> None:
        gt = table(track(1, 0, (1, 2)))
        gt.boxes[1, 0] = np.nan
        with pytest.raises(ValueError, match=r"line 3: frame 2, id 1: expected a finite box"):
            prepare("a", gt, table([]))

    @pytest.mark.parametrize("benchmark", ["mot15", "mot16", "mot17", "mot20"])
    @pytest.mark.parametrize("flag", [0.87, 1.5, -0.5, np.nan, np.inf])
    def test_ground_truth_with_scores_in_place_of_flags(self, benchmark: Benchmark, flag: float) -> None:
        rows = [(1, 1, 0, 1), (2, 1, 0, flag)]
        with pytest.raises(ValueError, match=rf"line 3: column 7 of ground truth .* expected 1 or 0, got {flag:g}"):
            prepare("a", table(rows), table([]), benchmark)
        assert prepare("a", table([]), table(rows), benchmark).pred_boxes == 2

    def test_a_class_that_the_benchmark_does_not_know(self) -> None:
        with pytest.raises(ValueError, match=r"line 1: class 14, expected one of 1 to 13"):
            prepare("a", table([(1, 1, 0, 1, 14)]), table([]), "mot17")

    def test_a_prediction_of_a_car(self) -> None:
        with pytest.raises(ValueError, match=r"line 1: class 3, but only pedestrians"):
            prepare("a", table([]), table([(1, 1, 0, 1, 3)]), "mot16")

    def test_a_forced_format_without_its_columns(self) -> None:
        gt = dataclasses.replace(table([(1, 1, 0)]), columns=7)
        with pytest.raises(ValueError, match=r"7 columns, expected at least 8 \(with a class\) for mot20"):
            prepare("a", gt, table([]), "mot20")
