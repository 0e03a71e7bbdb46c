"""The two-state filters against filterpy's general one."""

from __future__ import annotations

import numpy as np
import pytest
from filterpy.kalman import KalmanFilter
from hypothesis import given
from hypothesis import strategies as st

from flatsort.tracker.boxes import xyxy_to_xyah, xyxy_to_xysr
from flatsort.tracker.motion import MOTION, kalman_filter
from flatsort.tracker.motion.xyah import XyahConfig
from flatsort.tracker.motion.xysr import XysrConfig
from flatsort.tracker.types import Float

WALK = st.tuples(st.integers(0, 2**32 - 1), st.lists(st.booleans(), min_size=1, max_size=40))


def boxes_of(seed: int, count: int) -> Float:
    """A box that wanders and changes its size, [count 4]."""
    generator = np.random.default_rng(seed)
    centre = generator.uniform(0, 1000, 2) + np.cumsum(generator.normal(3, 4, (count, 2)), axis=0)
    size = generator.uniform(20, 200, 2) * np.exp(np.cumsum(generator.normal(0, 0.02, (count, 2)), axis=0))
    return np.concatenate([centre - size / 2, centre + size / 2], axis=1)


def golden_xysr() -> KalmanFilter:
    """SORT's filter as its reference implementation sets it up."""
    golden = KalmanFilter(dim_x=7, dim_z=4)
    golden.F = np.eye(7)
    golden.F[[0, 1, 2], [4, 5, 6]] = 1.0
    golden.H = np.eye(4, 7)
    golden.R = np.diag([1.0, 1.0, 10.0, 10.0])
    golden.P = np.diag([10.0] * 4 + [1e4] * 3)
    golden.Q = np.diag([1.0] * 4 + [0.01, 0.01, 1e-4])
    return golden


def variances(height: float, share: float, aspect: float) -> Float:
    return np.array([share * height, share * height, aspect, share * height]) ** 2


@given(WALK)
def test_sort_filter_equals_filterpy(walk: tuple[int, list[bool]]) -> None:
    seed, hits = walk
    boxes = boxes_of(seed, len(hits) + 1)
    model, golden = MOTION.build(XysrConfig()), golden_xysr()
    measured = xyxy_to_xysr(boxes).T
    state = model.start(model.measure(boxes[:1]))
    golden.x[:4, 0] = measured[0]
    for z, box, hit in zip(measured[1:], boxes[1:], hits, strict=True):
        if golden.x[2, 0] + golden.x[6, 0] <= 0:
            golden.x[6, 0] = 0.0
        golden.predict()
        state = model.predict(state, 1.0)
        if hit:
            golden.update(z[:, None])
            state = model.correct(state, model.measure(box[None]))
        np.testing.assert_allclose(state[0, :, 0], golden.x[:4, 0], rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(state[1, :3, 0], golden.x[4:, 0], rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(state[2, :, 0], np.diag(golden.P)[:4], rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(state[4, :3, 0], np.diag(golden.P)[4:], rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(state[3, :3, 0], golden.P[[0, 1, 2], [4, 5, 6]], rtol=1e-9, atol=1e-9)


@given(WALK)
def test_deep_sort_filter_equals_filterpy(walk: tuple[int, list[bool]]) -> None:
    seed, hits = walk
    boxes = boxes_of(seed, len(hits) + 1)
    model, golden = MOTION.build(XyahConfig()), KalmanFilter(dim_x=8, dim_z=4)
    measured = xyxy_to_xyah(boxes).T
    state = model.start(model.measure(boxes[:1]))
    golden.F = np.eye(8) + np.eye(8, k=4)
    golden.H = np.eye(4, 8)
    golden.x[:4, 0] = measured[0]
    height = measured[0, 3]
    golden.P = np.diag(np.concatenate([variances(height, 2 / 20, 1e-2), variances(height, 10 / 160, 1e-5)]))
    for z, box, hit in zip(measured[1:], boxes[1:], hits, strict=True):
        height = golden.x[3, 0]
        golden.Q = np.diag(np.concatenate([variances(height, 1 / 20, 1e-2), variances(height, 1 / 160, 1e-5)]))
        golden.predict()
        state = model.predict(state, 1.0)
        golden.R = np.diag(variances(golden.x[3, 0], 1 / 20, 1e-1))
        innovation = golden.H @ golden.P @ golden.H.T + golden.R
        residual = z - golden.x[:4, 0]
        distance = residual @ np.linalg.solve(innovation, residual)
        ours = model.squared_mahalanobis(state, model.measure(box[None]))
        np.testing.assert_allclose(ours[0, 0], distance, rtol=1e-9, atol=1e-9)
        if hit:
            golden.update(z[:, None])
            state = model.correct(state, model.measure(box[None]))
        np.testing.assert_allclose(state[:2, :, 0].ravel(), golden.x[:, 0], rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(state[[2, 4], :, 0].ravel(), np.diag(golden.P), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", MOTION.names())
@given(seed=st.integers(0, 2**32 - 1))
def test_tracks_do_not_influence_each_other(name: str, seed: int) -> None:
    model = MOTION.build(MOTION.config(name)(name=name))
    boxes = boxes_of(seed, 6)
    together = model.correct(model.predict(model.start(model.measure(boxes)), 1.0), model.measure(boxes + 2.0))
    for row in range(len(boxes)):
        box = boxes[row : row + 1]
        alone = model.correct(model.predict(model.start(model.measure(box)), 1.0), model.measure(box + 2.0))
        np.testing.assert_allclose(together[:, :, row], alone[:, :, 0], rtol=1e-12)


@given(st.integers(0, 2**32 - 1), st.integers(2, 30))
def test_n_frames_at_once_equal_n_single_ones(seed: int, n: int) -> None:
    model = MOTION.build(XysrConfig())
    state = model.predict(model.start(model.measure(boxes_of(seed, 3))), 1.0)
    state[1, :2] = 1.5
    at_once, step_by_step = model.predict(state, float(n)), state
    for _ in range(n):
        step_by_step = model.predict(step_by_step, 1.0)
    np.testing.assert_allclose(at_once, step_by_step, rtol=1e-9)


@pytest.mark.parametrize("name", MOTION.names())
def test_no_tracks_are_an_ordinary_case(name: str) -> None:
    model = MOTION.build(MOTION.config(name)(name=name))
    none = model.measure(np.empty((0, 4)))
    state = model.correct(model.predict(model.start(none), 1.0), none)
    assert state.shape == (5, 4, 0)
    assert model.boxes(state).shape == (0, 4)
    assert model.squared_mahalanobis(state, model.measure(boxes_of(0, 3))).shape == (0, 3)


@pytest.mark.parametrize("name", MOTION.names())
def test_boxes_of_a_new_track_are_its_detections(name: str) -> None:
    model = MOTION.build(MOTION.config(name)(name=name))
    boxes = boxes_of(1, 5)
    np.testing.assert_allclose(model.boxes(model.start(model.measure(boxes))), boxes, rtol=1e-12)


@pytest.mark.parametrize("name", MOTION.names())
def test_camera_motion_moves_boxes_and_velocities(name: str) -> None:
    model = MOTION.build(MOTION.config(name)(name=name))
    boxes = boxes_of(2, 4)
    state = model.start(model.measure(boxes))
    state[1, 0] = 3.0
    affine = np.array([[2.0, 0.0, 10.0], [0.0, 2.0, -5.0]])
    warped = model.warp(state, affine)
    np.testing.assert_allclose(model.boxes(warped), boxes * 2 + [10, -5, 10, -5], rtol=1e-9)
    np.testing.assert_allclose(warped[1, 0], 6.0)
    np.testing.assert_allclose(warped[2, 0], state[2, 0] * 4)


def test_a_vanishing_area_stops_shrinking() -> None:
    model = MOTION.build(XysrConfig())
    state = model.start(model.measure(boxes_of(3, 2)))
    state[1, 2, 0] = -2 * state[0, 2, 0]
    after = model.predict(state, 1.0)
    assert after[0, 2, 0] == state[0, 2, 0]
    assert after[1, 2, 0] == 0.0


@pytest.mark.parametrize("config", [XysrConfig, XyahConfig])
@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_noise_must_be_positive(config: type[XysrConfig | XyahConfig], value: float) -> None:
    key = "measurement" if config is XysrConfig else "position"
    with pytest.raises(ValueError, match=rf"motion\.{key}: expected a positive"):
        config(**{key: value})  # type: ignore[arg-type]


def test_the_noise_of_a_frame_is_added_to_the_variance() -> None:
    noise, velocity_noise = np.full((4, 1), 0.5), np.full((4, 1), 0.25)
    added = kalman_filter.process_noise(1.0, noise, velocity_noise)
    assert added[:, 0, 0].tolist() == [0.0, 0.0, 0.5, 0.0, 0.25]
