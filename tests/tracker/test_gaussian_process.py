"""Gaussian processes of the tracker: weights of remembered latents, smooth boxes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF

from flatsort.tracker.association.appearance_threshold import AppearanceConfig
from flatsort.tracker.association.stages import StageConfig
from flatsort.tracker.gallery import Gallery, GalleryConfig
from flatsort.tracker.gaussian_process import smooth_boxes, weights
from flatsort.tracker.lifecycle import LifecycleConfig
from flatsort.tracker.smoothing import SmoothConfig, smooth
from flatsort.tracker.sort import SortConfig, SortTracker
from flatsort.tracker.types import Float


@given(st.integers(0, 999), st.integers(1, 6), st.floats(2, 60), st.floats(0.05, 3), st.integers(0, 80))
def test_weights_give_scikit_learns_mean(seed: int, k: int, length: float, noise: float, later: int) -> None:
    random = np.random.default_rng(seed)
    times = np.sort(
        random.choice(40, (3, k), replace=k > 40, axis=1, shuffle=False) + random.integers(0, 9, (3, 1)), axis=1
    )
    values, now = random.normal(size=(3, k, 2)), 40.0 + later
    padded = np.concatenate([times, np.full((3, 2), np.inf)], axis=1).astype(np.float64)
    found = weights(padded, now, length, noise)
    assert not found[:, k:].any()
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    for track in range(3):
        mean = values[track].mean(axis=0)
        peer = GaussianProcessRegressor(RBF(length), alpha=noise, optimizer=None)
        peer.fit(times[track][:, None], values[track] - mean)
        expected = mean + peer.predict(np.array([[now]]))[0]
        np.testing.assert_allclose(found[track, :k] @ values[track], expected, rtol=1e-6, atol=1e-9)


def test_a_gallery_expects_the_latest_look_soon_and_the_mean_look_late() -> None:
    gallery = Gallery(GalleryConfig(keep="regressed", size=20, length=5.0, noise=0.1))
    one, clear = np.ones(1), np.array([True])
    looks = np.linspace(0, 1, 30)[:, None, None] * np.ones((1, 1, 3))
    gallery.start(looks[0].astype(np.float32), one, clear, 1)
    for frame in range(1, 30):
        gallery.add(np.zeros(1, np.int64), looks[frame].astype(np.float32), one, clear, frame + 1)
    newest, mean = looks[-1].astype(np.float32), looks[10:].mean(axis=0).astype(np.float32)
    soon, late = (gallery.distance(np.concatenate([newest, mean]), frame)[0] for frame in (31, 400))
    assert soon[0] < 0.2 * soon[1]
    assert late[1] < 1e-6 < late[0]
    with pytest.raises(ValueError, match="regressed is a mean, which bits have none of"):
        Gallery(GalleryConfig(keep="regressed"), bits=True)


def test_a_tracker_asks_for_the_look_of_the_frame_that_it_is_at() -> None:
    """Seen in frames 1 to 8 and, after a gap, in frame 20."""
    gallery = GalleryConfig(keep="regressed", length=4.0, noise=0.5)
    stages = {"looks": StageConfig(cost="latent", threshold=1e6), "iou": StageConfig()}
    config = SortConfig(
        stages=stages,
        gallery=gallery,
        appearance=AppearanceConfig(threshold=1.0),
        lifecycle=LifecycleConfig(max_age=30),
    )
    tracker, box = SortTracker(config), [[0, 0, 40, 100]]
    looks = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
    for look in looks:
        tracker.update(box, latents=look[None])
    for _ in range(11):
        tracker.update([], latents=np.zeros((0, 3), np.float32))
    tracker.update(box, latents=np.zeros((1, 3), np.float32))
    expected = weights(np.arange(1.0, 9.0)[None], 20.0, 4.0, 0.5)[0] @ looks
    pair = next(p for p in tracker.explain().pairs if p.stage == "looks")
    assert pair.latent == pytest.approx(float(np.linalg.norm(expected)), rel=1e-5)


def path(n: int, noise: float) -> tuple[Float, Float]:
    """Centre x, centre y, width, height [n 4] of somebody who turns round, and as measured."""
    t = np.linspace(0, 1, n)
    truth = np.stack([300 + 200 * np.sin(5 * t), 150 + 50 * t, 40 + 5 * t, 100 + 10 * t], axis=1)
    return truth, truth + noise * np.random.default_rng(0).standard_normal(truth.shape)


@pytest.mark.parametrize("points", [150, 30])
def test_a_turn_is_found_in_noise_and_bridged(points: int) -> None:
    truth, raw = path(90, 2.0)
    seen = np.delete(np.arange(90), [*range(20, 28), 50, 51, 70])
    found = smooth_boxes(90, seen, raw[seen], points)
    assert np.sqrt(((found - truth) ** 2).mean()) < 1.0
    assert np.abs(found - truth).max() < 4.0


@settings(max_examples=3, deadline=None)
@given(st.integers(2, 12), st.floats(-9, 9))
def test_a_straight_way_stays(n: int, pace: float) -> None:
    seen = np.arange(n) * 2
    values = np.array([100.0, 50, 40, 90]) + pace * seen[:, None] * [1, 0.5, 0, 0]
    found = smooth_boxes(int(seen[-1]) + 1, seen, values, 150)
    np.testing.assert_allclose(found[seen], values, atol=0.1)


def test_smoothing_by_a_gaussian_process_keeps_the_form_of_the_other() -> None:
    truth, raw = path(40, 1.0)
    boxes = np.concatenate([raw[:, :2] - raw[:, 2:] / 2, raw[:, :2] + raw[:, 2:] / 2], axis=1)
    frames = np.delete(np.arange(1, 41), [9, 10, 11])
    rows = (frames, np.full(37, 5), boxes[frames - 1])
    gp, rts = (smooth(*rows, config=SmoothConfig(method=method)) for method in ("gp", "rts"))
    for name in ("frames", "ids", "source"):
        np.testing.assert_array_equal(getattr(gp, name), getattr(rts, name))
    errors = [np.sqrt((((b[:, :2] + b[:, 2:]) / 2 - truth[:, :2]) ** 2).mean()) for b in (gp.boxes, rts.boxes, boxes)]
    assert errors[0] < min(errors[1:])
    with pytest.raises(ValueError, match=r"smooth\.method: expected rts or gp, got 'spline'"):
        SmoothConfig(method="spline")
    with pytest.raises(ValueError, match=r"smooth\.points: expected 3 or more, got 2"):
        SmoothConfig(points=2)
