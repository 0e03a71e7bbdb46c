"""Offline smoothing against closed forms, the exact path, and filterpy called directly."""

from __future__ import annotations

import numpy as np
import pytest
from filterpy.kalman import KalmanFilter
from hypothesis import given, settings
from hypothesis import strategies as st

from flatsort.tracker.smoothing import SmoothConfig, regress_boxes, smooth
from flatsort.tracker.types import Float, Int


def line(frames: Int, start: Float, pace: Float) -> Float:
    """Boxes [n 4] of constant velocity, xyxy."""
    boxes: Float = start + (frames - frames[0])[:, None] * pace
    return boxes


def rms(a: Float, b: Float) -> float:
    return float(np.sqrt(((a - b) ** 2).mean()))


START = np.array([100.0, 50.0, 140.0, 150.0])
PACE = np.array([2.0, -0.5, 2.1, -0.3])


@settings(max_examples=25, deadline=None)
@given(
    start=st.tuples(st.floats(-50, 500), st.floats(-50, 500), st.floats(10, 90), st.floats(20, 200)),
    pace=st.tuples(st.floats(-9, 9), st.floats(-9, 9)),
    missing=st.sets(st.integers(1, 22), max_size=12),
)
def test_a_straight_path_is_reproduced(
    start: tuple[float, float, float, float], pace: tuple[float, float], missing: set[int]
) -> None:
    left, top, width, height = start
    frames = np.arange(7, 31)
    exact = line(frames, np.array([left, top, left + width, top + height]), np.array([*pace, *pace]))
    kept = np.array([k for k in range(24) if k not in missing])
    result = smooth(frames[kept], np.full(len(kept), 3), exact[kept])
    np.testing.assert_array_equal(result.frames, frames)
    np.testing.assert_allclose(result.boxes, exact, atol=1e-6)
    assert np.count_nonzero(result.filled) == len(missing)


def test_a_growing_box_is_reproduced() -> None:
    frames = np.arange(1, 40)
    exact = line(frames, START, PACE)
    np.testing.assert_allclose(smooth(frames, np.ones(39, np.int64), exact).boxes, exact, atol=1e-6)


@pytest.mark.parametrize("noise", [1.0, 3.0, 6.0])
def test_noise_shrinks(noise: float) -> None:
    frames = np.arange(1, 201)
    exact = line(frames, START, np.array([1.5, 0.2, 1.5, 0.2]))
    raw = exact + noise * np.random.default_rng(1).standard_normal(exact.shape)
    result = smooth(frames, np.ones(200, np.int64), raw)
    assert rms(result.boxes, exact) < 0.65 * rms(raw, exact)


def test_a_gap_is_bridged_near_the_exact_path() -> None:
    frames = np.arange(1, 81)
    exact = line(frames, START, np.array([3.0, 0.5, 3.0, 0.5]))
    raw = exact + 1.5 * np.random.default_rng(2).standard_normal(exact.shape)
    kept = (frames < 30) | (frames >= 45)
    result = smooth(frames[kept], np.ones(65, np.int64), raw[kept])
    np.testing.assert_array_equal(result.frames[result.filled], np.arange(30, 45))
    assert np.abs(result.boxes - exact)[result.filled].max() < 8.0  # of a height of 100; unfilled it moves by 45


def test_a_long_gap_stays_open() -> None:
    frames = np.array([1, 2, 3, 7, 8, 9])
    boxes, ids = line(frames, START, PACE), np.ones(6, np.int64)
    assert len(smooth(frames, ids, boxes, config=SmoothConfig(max_gap=3))) == 9
    split = smooth(frames, ids, boxes, config=SmoothConfig(max_gap=2))
    np.testing.assert_array_equal(split.frames, frames)
    far = boxes + np.where(frames > 3, 500.0, 0.0)[:, None]
    apart = smooth(frames, ids, far, config=SmoothConfig(max_gap=2))
    np.testing.assert_array_equal(apart.boxes[:3], split.boxes[:3])
    assert len(smooth(frames, ids, boxes, config=SmoothConfig(max_gap=0))) == 6
    distant = np.array([1, 2, 500])
    assert len(smooth(distant, np.ones(3, np.int64), boxes[:3], config=SmoothConfig(max_gap=None))) == 500


def test_equals_filterpy_by_hand() -> None:
    generator = np.random.default_rng(3)
    frames = np.array([4, 5, 6, 9, 10, 13])
    boxes = line(frames, START, PACE) + generator.standard_normal((6, 4))
    got = smooth(frames, np.ones(6, np.int64), boxes)
    size = boxes[:, 2:] - boxes[:, :2]
    values = np.concatenate([boxes[:, :2] + size / 2, size], axis=1)
    tall = np.interp(np.arange(4, 14), frames, values[:, 3])
    means, covariances, steps = [], [], []
    kalman = KalmanFilter(8, 4)
    kalman.F = np.eye(8) + np.eye(8, k=4)
    kalman.H = np.eye(4, 8)
    velocity = values[1] - values[0]
    kalman.x = np.r_[values[0] - velocity, velocity]
    kalman.P = np.eye(8) * (10 * tall[0]) ** 2
    for k, frame in enumerate(range(4, 14)):
        step = np.diag([(tall[k] / 20) ** 2] * 4 + [(tall[k] / 160) ** 2] * 4)
        kalman.predict(Q=step)
        if frame in frames:
            kalman.update(values[frames == frame][0], R=np.eye(4) * (tall[k] / 20) ** 2)
        means.append(kalman.x.copy())
        covariances.append(kalman.P.copy())
        steps.append(step)
    x = kalman.rts_smoother(np.array(means), np.array(covariances), Qs=steps)[0]
    half = np.clip(x[:, 2:4], size.min(axis=0), size.max(axis=0)) / 2
    np.testing.assert_allclose(got.boxes, np.c_[x[:, :2] - half, x[:, :2] + half], atol=1e-9)


def tracks(seed: int) -> tuple[Int, Int, Float]:
    """Rows of three noisy tracks with gaps, shuffled."""
    generator = np.random.default_rng(seed)
    frames = np.tile(np.arange(1, 31), 3)
    ids = np.repeat([2, 5, 9], 30)
    boxes = line(frames, START, PACE) + 40 * ids[:, None] + 2 * generator.standard_normal((90, 4))
    rows = generator.permutation(90)[:70]
    return frames[rows], ids[rows], boxes[rows]


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000))
def test_order_of_rows_does_not_matter_and_rows_are_unique(seed: int) -> None:
    frames, ids, boxes = tracks(seed)
    turn = np.random.default_rng(seed + 1).permutation(len(ids))
    a, b = smooth(frames, ids, boxes), smooth(frames[turn], ids[turn], boxes[turn])
    np.testing.assert_array_equal(a.boxes, b.boxes)
    np.testing.assert_array_equal(a.frames, b.frames)
    own = a.source >= 0
    np.testing.assert_array_equal(a.source[own], turn[b.source[own]])
    keys = list(zip(a.frames.tolist(), a.ids.tolist(), strict=True))
    assert keys == sorted(set(keys))
    np.testing.assert_array_equal(frames[a.source[own]], a.frames[own])
    np.testing.assert_array_equal(np.sort(a.source[own]), np.arange(len(ids)))
    assert np.isfinite(a.boxes).all()


def test_tracks_are_smoothed_independently() -> None:
    frames, ids, boxes = tracks(0)
    together, rows = smooth(frames, ids, boxes), ids == 5
    np.testing.assert_array_equal(together.boxes[together.ids == 5], smooth(frames[rows], ids[rows], boxes[rows]).boxes)


def test_predicted_rows_are_estimated_from_the_measured_ones() -> None:
    frames = np.arange(1, 31)
    exact = line(frames, START, PACE)
    measured = (frames < 12) | (frames > 16)
    wrong = exact + np.where(measured, 0.0, 80.0)[:, None]
    result = smooth(frames, np.ones(30, np.int64), wrong, measured)
    np.testing.assert_allclose(result.boxes, exact, atol=1e-6)
    assert not result.filled.any()


def test_sizes_stay_positive_and_finite_where_a_box_shrinks_into_a_prediction() -> None:
    frames = np.arange(1, 41)
    height = np.where(frames <= 10, 100.0 - 9 * frames, 10.0)
    boxes = np.stack([0 * height, 0 * height, height / 2, height], axis=1)
    result = smooth(frames, np.ones(40, np.int64), boxes, frames <= 10)
    size = result.boxes[:, 2:] - result.boxes[:, :2]
    assert np.isfinite(result.boxes).all()
    assert size.min() >= 5.0 - 1e-9


def test_one_row_and_none_are_returned_as_they_are() -> None:
    box = START[None]
    single = smooth(np.array([9]), np.array([4]), box)
    assert (single.frames.tolist(), single.ids.tolist(), single.source.tolist()) == ([9], [4], [0])
    np.testing.assert_array_equal(single.boxes, box)
    none = np.empty(0, np.int64)
    assert len(smooth(none, none, np.empty((0, 4)))) == 0


@pytest.mark.parametrize(
    ("frames", "boxes", "words"),
    [
        ([1, 1], [START, START], "two of id 7 in frame 1"),
        ([1, 2], [START, START * np.nan], "row 1"),
        ([1, 2], [START, START[[2, 3, 0, 1]]], "positive size"),
        ([1], [START, START], r"frames \[n\]"),
    ],
)
def test_bad_input_is_named(frames: list[int], boxes: list[Float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        smooth(np.array(frames), np.array([7, 7]), np.array(boxes))


@pytest.mark.parametrize(("field", "value"), [("measured", 0.0), ("position", -1.0), ("max_gap", -1)])
def test_bad_config_is_named(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"smooth.{field}"):
        SmoothConfig(**{field: value})  # type: ignore[arg-type]


def turning_path(n: int, noise: float) -> tuple[Float, Float]:
    """Centre x, centre y, width, height [n 4] of a person who turns round, and as measured."""
    t = np.linspace(0, 1, n)
    exact = np.stack([300 + 200 * np.sin(5 * t), 150 + 50 * t, 40 + 5 * t, 100 + 10 * t], axis=1)
    return exact, exact + noise * np.random.default_rng(0).standard_normal(exact.shape)


@pytest.mark.parametrize("points", [150, 30])
def test_a_turn_is_smoothed_in_noise_and_bridged(points: int) -> None:
    exact, raw = turning_path(90, 2.0)
    measured = np.delete(np.arange(90), [*range(20, 28), 50, 51, 70])
    smoothed = regress_boxes(np.arange(90.0), measured, raw[measured], points)
    assert np.sqrt(((smoothed - exact) ** 2).mean()) < 1.0
    assert np.abs(smoothed - exact).max() < 4.0


@settings(max_examples=3, deadline=None)
@given(st.integers(2, 12), st.floats(-9, 9))
def test_regression_keeps_a_straight_path(n: int, pace: float) -> None:
    measured = np.arange(n) * 2
    values = np.array([100.0, 50, 40, 90]) + pace * measured[:, None] * [1, 0.5, 0, 0]
    smoothed = regress_boxes(np.arange(measured[-1] + 1.0), measured, values, 150)
    np.testing.assert_allclose(smoothed[measured], values, atol=0.1)


def test_smoothing_by_a_gaussian_process_keeps_the_form_of_the_other() -> None:
    exact, raw = turning_path(40, 1.0)
    boxes = np.concatenate([raw[:, :2] - raw[:, 2:] / 2, raw[:, :2] + raw[:, 2:] / 2], axis=1)
    frames = np.delete(np.arange(1, 41), [9, 10, 11])
    rows = (frames, np.full(37, 5), boxes[frames - 1])
    gp, rts = (smooth(*rows, config=SmoothConfig(method=method)) for method in ("gp", "rts"))
    for name in ("frames", "ids", "source"):
        np.testing.assert_array_equal(getattr(gp, name), getattr(rts, name))
    errors = [np.sqrt((((b[:, :2] + b[:, 2:]) / 2 - exact[:, :2]) ** 2).mean()) for b in (gp.boxes, rts.boxes, boxes)]
    assert errors[0] < min(errors[1:])
    with pytest.raises(ValueError, match=r"smooth\.method: expected rts or gp, got 'spline'"):
        SmoothConfig(method="spline")
    with pytest.raises(ValueError, match=r"smooth\.points: expected 3 or more, got 2"):
        SmoothConfig(points=2)


@pytest.mark.parametrize("method", ["rts", "gp"])
def test_time_is_what_counts_where_frames_are_not_evenly_apart(method: str) -> None:
    """Constant motion over a gap in which the rate falls from 30 to 5 frames a second."""
    clock = np.concatenate([np.arange(30.0), 30 + 6.0 * np.arange(30)])
    frames = np.delete(np.arange(60), np.s_[22:39])
    left = 10 + 0.7 * clock
    boxes = np.column_stack([left, left * 0, left + 40, left * 0 + 80])
    config = SmoothConfig(method=method)
    out = smooth(frames, np.ones(len(frames), np.int64), boxes[frames], config=config, clock=clock)
    assert len(out) == 60
    assert np.abs(out.boxes[:, 0] - left).max() < 1.0
    by_number = smooth(frames, np.ones(len(frames), np.int64), boxes[frames], config=config)
    assert np.abs(by_number.boxes[:, 0] - left).max() > 5, "what the number of the frame would give"


def test_an_even_clock_changes_nothing() -> None:
    generator = np.random.default_rng(0)
    frames, left = np.arange(40), generator.normal(0, 3, 40)
    boxes = np.column_stack([left, left, left + 30, left + 60])
    plain = smooth(frames, np.ones(40, np.int64), boxes)
    clocked = smooth(frames, np.ones(40, np.int64), boxes, clock=np.arange(40.0))
    assert np.array_equal(plain.boxes, clocked.boxes)


def test_a_clock_has_every_frame() -> None:
    with pytest.raises(ValueError, match="expected the time of 3 frames, got 2"):
        smooth(np.array([2]), np.array([1]), np.array([[0.0, 0, 9, 9]]), clock=np.arange(2.0))
