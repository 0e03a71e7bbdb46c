from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from flatsort.embedding.retrieval import calibrate, pairs_from_boxes, pairs_from_tracks

distances = st.lists(st.integers(0, 40).map(lambda x: x / 4), min_size=1, max_size=60)


@given(distances, distances, st.floats(0.001, 0.999))
def test_no_more_than_the_rate_passes(positive: list[float], negative: list[float], rate: float) -> None:
    found = calibrate(positive, negative, (rate,))
    limit = found[f"limit_fmr_{rate:g}"]
    if 0 not in negative:  # no limit keeps out a negative at distance 0
        assert np.mean(np.array(negative) <= limit) <= rate
    assert found[f"match_rate_fmr_{rate:g}"] == np.mean(np.array(positive) <= limit)
    # the next negative would be one too many
    nearest = min((d for d in negative if d > limit), default=np.inf)
    assert np.mean(np.array(negative) <= nearest) > rate


@given(distances, distances)
def test_equal_error_is_the_best_balance(positive: list[float], negative: list[float]) -> None:
    found = calibrate(positive, negative)

    def errors(limit: float) -> tuple[float, float]:
        return float(np.mean(np.array(negative) <= limit)), float(np.mean(np.array(positive) > limit))

    false, missed = errors(found["limit_equal_error"])
    assert found["equal_error_rate"] == pytest.approx((false + missed) / 2)
    every = [errors(d) for d in positive + negative]
    assert abs(false - missed) == pytest.approx(min(abs(f - m) for f, m in every))


def test_two_bells() -> None:
    rng = np.random.default_rng(0)
    found = calibrate(rng.normal(10, 1, 50_000), rng.normal(14, 1, 50_000))
    assert found["limit_equal_error"] == pytest.approx(12, abs=0.05)
    assert found["equal_error_rate"] == pytest.approx(0.0228, abs=0.002)
    assert found["limit_fmr_0.01"] == pytest.approx(14 - 2.326, abs=0.05)
    assert found["limit_fmr_0.001"] == pytest.approx(14 - 3.09, abs=0.1)
    assert (found["pairs_positive"], found["pairs_negative"]) == (50_000, 50_000)


@pytest.mark.parametrize(
    ("positive", "negative", "sentence"),
    [
        ([], [1.0], "expected pairs of both kinds, got 0 positive and 1 negative"),
        ([1.0], [], "expected pairs of both kinds, got 1 positive and 0 negative"),
        ([1.0, np.nan], [1.0], "expected finite distances"),
        ([1.0], [-1.0], "expected finite distances ≥ 0, got -1"),
    ],
)
def test_bad_distances(positive: ArrayLike, negative: ArrayLike, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        calibrate(positive, negative)


def box(x: float, width: float = 10) -> list[float]:
    return [x, 0, x + width, 20]


def test_pairs_that_boxes_tell() -> None:
    rows = [
        (1, box(0), 0.0),
        (1, box(100), 20.0),
        (1, box(200), 40.0),
        (1, box(207), 41.0),  # overlaps its neighbour
        (2, box(1), 1.0),  # the first, IoU 0.82
        (2, box(104), 25.0),  # the second, moved too far: IoU 0.43
        (2, box(200), 43.0),  # alone here, but not in frame 1
        (4, box(1), 2.0),  # follows no frame
    ]
    frames, latents = np.array([r[0] for r in rows]), np.array([[r[2]] for r in rows])
    boxes = np.array([r[1] for r in rows], np.float64)
    order = np.random.default_rng(0).permutation(len(rows))
    positive, negative = pairs_from_boxes(frames[order], boxes[order], latents[order])
    assert positive.tolist() == [1.0]
    assert sorted(negative.tolist()) == sorted([20, 40, 41, 20, 21, 1, 24, 42, 18])


def test_a_second_box_of_one_object_is_no_negative() -> None:
    boxes = np.array([box(0), box(2), box(100)])
    positive, negative = pairs_from_boxes(np.ones(3, np.int64), boxes, np.array([[0.0], [1.0], [9.0]]))
    assert (positive.tolist(), sorted(negative.tolist())) == ([], [8.0, 9.0])


def test_pairs_that_tracks_tell() -> None:
    #               sequence, frame, track, latent
    rows = np.array([
        (0, 1, 5, 0), (0, 1, 6, 10), (0, 1, -1, 30),
        (0, 4, 5, 1), (0, 9, 5, 3),
        (1, 1, 7, 50), (-1, -1, 7, 90),
    ])  # fmt: skip
    rows = rows[np.random.default_rng(3).permutation(len(rows))]
    positive, negative = pairs_from_tracks(rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 3:].astype(float))
    assert sorted(positive.tolist()) == [1, 2]
    assert sorted(negative.tolist()) == [10, 20, 30]


def test_nothing_to_pair() -> None:
    none = np.empty(0, np.int64)
    for pairs in (
        pairs_from_boxes(none, np.empty((0, 4)), np.empty((0, 2))),
        pairs_from_tracks(none, none, none, np.empty((0, 2))),
    ):
        assert [p.tolist() for p in pairs] == [[], []]
    with pytest.raises(ValueError, match=r"one row a sample in each of frames \(0\), boxes \(1\), latents \(0\)"):
        pairs_from_boxes(none, np.zeros((1, 4)), np.empty((0, 2)))
