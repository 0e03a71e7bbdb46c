"""Poses of a walker: five motions, several people, and their drawing."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from flatsort.embedding.data.builtin import drawing_of
from flatsort.embedding.data.builtin.walker import FRAMES, JOINTS, MOTIONS, draw_pose, walker


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
        deviation = np.linalg.norm(poses - poses.mean(0), axis=1)
        assert step.max() < 1.5 * deviation.max()
        # two cycles: some later pose comes back to the first one
        back = np.linalg.norm(poses[15:] - poses[0], axis=1)
        assert back.min() < 0.5 * deviation.mean()


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


def test_the_seed_decides() -> None:
    first, same, other = (walker(30, seed).samples for seed in (3, 3, 4))
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)


def _ink(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return image[..., 0] < 128


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


def test_a_data_set_says_how_its_vectors_are_drawn() -> None:
    assert drawing_of(walker(3, 0).note) is draw_pose
    assert drawing_of("poses.npz: 3 vectors; " + walker(3, 0).note) is draw_pose
    assert drawing_of("poses.npz: 3 vectors") is None
