"""Images of a pendulum: what is drawn is what the angle says."""

from __future__ import annotations

import numpy as np
import pytest

from flatsort.embedding.data.builtin.pendulum import pendulum


def test_pendulum_is_a_closed_curve_of_images() -> None:
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
    images = data.samples[np.argsort(data.columns["frame"]), :, :, 0].astype(float)
    y, x = np.mgrid[:24, :24] + 0.5 - 12
    mass = images.sum((1, 2))
    angle = np.unwrap(np.arctan2((images * x).sum((1, 2)) / mass, (images * y).sum((1, 2)) / mass))
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


def test_the_seed_decides() -> None:
    first, same, other = (pendulum(30, seed).samples for seed in (3, 3, 4))
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)
