"""Rendered data: what is drawn, and that the seed alone decides it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from flatsort.embedding.data.rendered import pendulum, strokes
from flatsort.embedding.data.sample_set import SampleSet
from flatsort.embedding.data.walker import FRAMES, JOINTS, MOTIONS, draw_pose, walker


def test_pendulum_is_a_closed_curve_of_pictures() -> None:
    data = pendulum(400, seed=1)
    assert data.samples.shape == (400, 16, 16, 1)
    assert data.shape == [1, 16, 16]
    swing = data.samples[np.argsort(data.columns["frame"])].reshape(400, -1).astype(float)
    steps = np.linalg.norm(np.roll(swing, -1, axis=0) - swing, axis=1)
    apart = np.linalg.norm(swing[:200] - swing[200:], axis=1)
    # successive angles look alike, the last like the first, opposite ones do not
    assert np.median(steps) < 0.05 * np.median(apart)
    assert steps[-1] < 0.3 * np.median(apart)


def test_pendulum_shows_its_angle() -> None:
    """The ink's centre turns once around the middle as the angle grows."""
    data = pendulum(300, seed=0, size=24)
    pictures = data.samples[np.argsort(data.columns["frame"]), :, :, 0].astype(float)
    y, x = np.mgrid[:24, :24] + 0.5 - 12
    mass = pictures.sum((1, 2))
    angle = np.unwrap(np.arctan2((pictures * x).sum((1, 2)) / mass, (pictures * y).sum((1, 2)) / mass))
    assert angle[-1] - angle[0] == pytest.approx(2 * np.pi, abs=0.1)
    assert (np.diff(angle) > -0.02).all()


def test_pendulum_noise() -> None:
    clean, noisy = pendulum(50, 0).samples.astype(float), pendulum(50, 0, noise=0.05).samples.astype(float)
    inside = (clean > 60) & (clean < 190)
    assert np.std((noisy - clean)[inside]) == pytest.approx(0.05 * 255, rel=0.15)


@pytest.mark.parametrize("arguments", [{"n": 0}, {"size": 7}, {"noise": -1.0}])
def test_pendulum_refuses(arguments: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="pendulum: expected n ≥ 1"):
        pendulum(**{"n": 5, "seed": 0, **arguments})  # type: ignore[arg-type]


def test_a_stroke_has_the_ink_of_its_area() -> None:
    start, end = np.array([[[5.0, 16.0]]]), np.array([[[25.0, 16.3]]])
    ink = strokes(start, end, 2.0, 32, 32)[0]
    assert ink.sum() == pytest.approx(20 * 4 + np.pi * 4, rel=0.03)
    assert ink.max() == 1
    assert ink[:10].max() == 0


def test_walker_has_five_motions() -> None:
    data = walker(1003, seed=2)
    assert data.samples.shape == (1003, len(JOINTS))
    assert len(JOINTS) >= 15
    assert data.sequences == MOTIONS == ("walking", "balancing", "jogging", "punching", "kicking")
    assert np.isfinite(data.samples).all()
    assert np.abs(data.samples).max() < np.pi
    counts = np.bincount(data.columns["sequence"])
    assert counts.max() - counts.min() <= 1
    for name in MOTIONS:
        rows = data.columns["sequence"] == MOTIONS.index(name)
        assert (data.columns["frame"][rows] == np.arange(rows.sum())).all()


def test_walker_poses_are_close_in_time_and_cyclic() -> None:
    data = walker(5 * FRAMES, seed=0)
    for motion in range(len(MOTIONS)):
        poses = data.samples[data.columns["sequence"] == motion]
        step = np.linalg.norm(np.diff(poses, axis=0), axis=1)
        spread = np.linalg.norm(poses - poses.mean(0), axis=1)
        assert step.max() < 1.5 * spread.max()
        # two cycles: some later pose comes back to the first one
        back = np.linalg.norm(poses[15:] - poses[0], axis=1)
        assert back.min() < 0.5 * spread.mean()


def test_performances_differ_and_motions_differ_more() -> None:
    data = walker(5 * FRAMES * 4, seed=0)
    means = {}
    for performance in np.unique(data.columns["identity"]):
        rows = data.columns["identity"] == performance
        motion = np.unique(data.columns["sequence"][rows])
        assert len(motion) == 1
        means[int(performance)] = (int(motion[0]), data.samples[rows].mean(0))
    same = [np.linalg.norm(a - b) for m, a in means.values() for o, b in means.values() if m == o and a is not b]
    other = [np.linalg.norm(a - b) for m, a in means.values() for o, b in means.values() if m != o]
    assert min(same) > 0.05
    assert np.mean(other) > 3 * np.mean(same)


def test_few_poses_and_none() -> None:
    assert len(walker(1, 0)) == 1
    assert walker(3, 0).columns["sequence"].tolist() == [0, 1, 3]
    with pytest.raises(ValueError, match="walker: expected n ≥ 1, got 0"):
        walker(0, 0)


@pytest.mark.parametrize("make", [pendulum, walker])
def test_the_seed_decides(make: Callable[[int, int], SampleSet]) -> None:
    one, same, other = make(30, 3).samples, make(30, 3).samples, make(30, 4).samples
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def _ink(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return picture[..., 0] < 128


def test_a_pose_is_drawn() -> None:
    upright = np.zeros(len(JOINTS))
    kick = upright.copy()
    kick[JOINTS.index("right hip flexion")] = 1.5
    standing, kicking = draw_pose(upright), draw_pose(kick)
    assert standing.shape == (96, 64, 3)
    assert standing.dtype == np.uint8
    assert _ink(standing)[[0, -1]].sum() == _ink(standing)[:, [0, -1]].sum() == 0
    # a raised leg lies to the right of a hanging one: the figure faces right
    columns = np.flatnonzero((_ink(kicking) & ~_ink(standing)).any(0))
    assert columns.mean() > 36
    with pytest.raises(ValueError, match="expected 21 joint angles, got"):
        draw_pose(np.zeros(3))
