"""CLEAR MOT: matches, identity switches, fragmentations and mostly tracked objects in small examples."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from flatsort.tracker.metrics.clear import Counts, Timeline, clear
from flatsort.tracker.metrics.preprocessing import prepare
from tests.tracker.metrics.mot_tables import HALF, table, track

Rows = list[tuple[float, ...]]


def score(gt: Rows, pred: Rows) -> Counts:
    return clear(prepare("test", table(gt), table(pred)))[0]


def test_perfect() -> None:
    rows = track(1, 0, range(1, 5)) + track(2, 100, range(1, 5))
    counts = score(rows, rows)
    assert counts == Counts(frames=4, tp=8, mt=2, idtp=8, overlap=8.0)
    measures = counts.measures()
    assert all(measures[key] == 100 for key in ("idf1", "idp", "idr", "recall", "precision", "mota", "motp", "motal"))
    assert measures["gt"] == 2


def test_one_switch() -> None:
    counts = score(track(1, 0, range(1, 5)), track(7, 0, (1, 2)) + track(8, 0, (3, 4)))
    assert (counts.ids, counts.fm, counts.fp, counts.fn) == (1, 0, 0, 0)
    assert (counts.idtp, counts.idfp, counts.idfn) == (2, 2, 2)
    assert counts.measures()["mota"] == 75
    assert counts.measures()["idf1"] == 50


def test_a_switch_after_a_gap_counts_and_back_counts_again() -> None:
    pred = track(7, 0, (1,)) + track(8, 0, (3,)) + track(7, 0, (4,))
    assert score(track(1, 0, range(1, 5)), pred).ids == 2


def test_fragment_where_others_are_predicted() -> None:
    gt = track(1, 0, range(1, 6)) + track(2, 100, range(1, 6))
    pred = track(1, 0, (1, 2, 4, 5)) + track(2, 100, range(1, 6))
    counts = score(gt, pred)
    assert (counts.fm, counts.fn, counts.ids) == (1, 1, 0)


def test_a_frame_without_any_prediction_is_no_fragment() -> None:
    counts = score(track(1, 0, range(1, 6)), track(1, 0, (1, 2, 4, 5)))
    assert (counts.fm, counts.fn) == (0, 1)


def test_an_absence_of_the_ground_truth_is_a_fragment() -> None:
    gt = track(1, 0, (1, 2, 4)) + track(2, 100, range(1, 5))
    assert score(gt, gt).fm == 1


def test_a_late_beginning_and_an_early_end_are_no_fragments() -> None:
    gt = track(1, 0, range(1, 7)) + track(2, 100, range(1, 7))
    assert score(gt, track(1, 0, (3, 4)) + track(2, 100, range(1, 7))).fm == 0


def test_the_pair_of_the_previous_frame_goes_before_a_better_one() -> None:
    gt = track(1, 0, (1, 2))
    pred = [*track(7, 0, (1,)), *track(7, 8, (2,)), *track(8, 0, (2,))]
    counts = score(gt, pred)
    assert (counts.ids, counts.fp) == (0, 1)
    assert counts.overlap == pytest.approx(1 + 22 / 38)


def test_only_the_previous_frame_is_remembered() -> None:
    others = track(2, 100, range(1, 4))
    pred = [*track(7, 0, (1,)), *track(7, 8, (3,)), *track(8, 0, (3,)), *others]
    assert score(track(1, 0, range(1, 4)) + others, pred).ids == 1


def test_one_half_is_a_match_and_less_is_none() -> None:
    gt = track(1, 0, (1,))
    assert score(gt, track(1, HALF, (1,))) == Counts(frames=1, tp=1, mt=1, idtp=1, overlap=0.5)
    assert score(gt, track(1, HALF + 0.01, (1,))) == Counts(frames=1, fp=1, fn=1, ml=1, idfp=1, idfn=1)


def test_a_tie_of_two_predictions_at_one_half() -> None:
    counts = score(track(1, 0, (1,)), track(1, HALF, (1,)) + track(2, -HALF, (1,)))
    assert (counts.tp, counts.fp, counts.fn, counts.idtp, counts.idfp) == (1, 1, 0, 1, 1)


def test_overlap_in_sum_decides() -> None:
    # 1 with 7 is the best single pair, but then 2 and 8 would be left alone
    gt = track(1, 0, (1,)) + track(2, 12, (1,))
    pred = track(7, 3, (1,)) + track(8, -9, (1,))
    counts = score(gt, pred)
    assert (counts.tp, counts.fn, counts.fp) == (2, 0, 0)


@pytest.mark.parametrize(
    ("matched", "expected"), [(10, "mt"), (9, "mt"), (8, "pt"), (5, "pt"), (2, "pt"), (1, "ml"), (0, "ml")]
)
def test_mostly_tracked_is_more_than_80_percent(matched: int, expected: str) -> None:
    counts = score(track(1, 0, range(1, 11)), track(1, 0, range(1, matched + 1)))
    assert {name for name in ("mt", "pt", "ml") if getattr(counts, name)} == {expected}


def test_nothing_predicted() -> None:
    counts = score(track(1, 0, range(1, 4)), [])
    assert counts == Counts(frames=3, fn=3, ml=1, idfn=3)
    assert all(value == 0 for key, value in counts.measures().items() if key not in ("fn", "gt", "ml"))


def test_nothing_to_find() -> None:
    counts = score([], track(1, 0, range(1, 4)))
    assert counts == Counts(frames=3, fp=3, idfp=3)
    assert counts.measures()["mota"] == 0
    assert counts.measures()["far"] == 1


def test_nothing_at_all() -> None:
    assert score([], []) == Counts()
    assert set(Counts().measures().values()) == {0}


def test_formulas() -> None:
    counts = Counts(
        frames=50, tp=80, fp=10, fn=20, ids=9, fm=3, mt=1, pt=2, ml=3, idtp=60, idfp=30, idfn=40, overlap=64
    )
    measures = counts.measures()
    assert measures["far"] == pytest.approx(0.2)
    assert measures["recall"] == pytest.approx(80)
    assert measures["precision"] == pytest.approx(100 * 80 / 90)
    assert measures["mota"] == pytest.approx(100 * (1 - 39 / 100))
    assert measures["motal"] == pytest.approx(100 * (1 - (30 + math.log10(10)) / 100))
    assert measures["motp"] == pytest.approx(80)
    assert measures["idp"] == pytest.approx(100 * 60 / 90)
    assert measures["idr"] == pytest.approx(60)
    assert measures["idf1"] == pytest.approx(2 / (1 / measures["idp"] + 1 / measures["idr"]))
    assert measures["gt"] == 6


def test_counts_add_up() -> None:
    a = Counts(*range(13))
    assert dataclasses.astuple(a + a) == tuple(2 * n for n in range(13))


def timeline(gt: Rows, pred: Rows) -> Timeline:
    return clear(prepare("test", table(gt), table(pred)))[1]


def test_timeline_has_every_ground_truth_box() -> None:
    line = timeline(track(5, 0, range(3, 8)), track(70, 0, (3, 4)) + track(80, 0, (6, 7)))
    np.testing.assert_array_equal(line.frames, [3, 4, 5, 6, 7])
    np.testing.assert_array_equal(line.gt, 0)
    np.testing.assert_array_equal(line.pred, [0, 0, -1, 1, 1])
    np.testing.assert_array_equal(line.switch, [False, False, False, True, False])
