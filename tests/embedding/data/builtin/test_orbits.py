"""Rendered sequences of sprites that go round."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from flatsort.embedding.data.builtin.orbits import FRAMES, orbits
from flatsort.embedding.data.builtin.shapes import PLACES
from flatsort.embedding.data.sources import gather


def test_sprites_are_where_the_factors_say_and_move_smoothly() -> None:
    data = orbits(250, 0, 32)
    assert data.shape == [1, 32, 32]
    assert np.bincount(data.columns["sequence"]).tolist() == [FRAMES, FRAMES, 50]
    ink = data.samples[..., 0].astype(np.float64)
    along = np.arange(32) + 0.5
    x, y = ((ink.sum(axis) @ along) / ink.sum((1, 2)) for axis in (1, 2))
    for drawn, name in ((x, "x"), (y, "y")):
        expected = 8 + 16 * data.factors[name] / (PLACES - 1)
        assert np.abs(drawn - expected).max() < 1.5  # a heart's middle is not its centre of mass
    same = np.diff(data.columns["sequence"]) == 0
    assert np.hypot(np.diff(x), np.diff(y))[same].max() < 2.5
    np.testing.assert_allclose(np.hypot(data.factors["sin"], data.factors["cos"]), 1)


def test_seeds() -> None:
    first, same, other = (orbits(120, seed, 16) for seed in (0, 0, 1))
    assert np.array_equal(first.samples, same.samples)
    assert not np.array_equal(first.samples, other.samples)
    with pytest.raises(ValueError, match="orbits: expected n ≥ 1 and size ≥ 16"):
        orbits(0, 0)


def test_a_seed_follows_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flatsort.embedding.data.sources.RENDERED", 110)
    default, zero, one = (
        gather([name], [1, 16, 16], tmp_path / name).data for name in ("orbits", "orbits:0", "orbits:1")
    )
    assert np.array_equal(default.samples, zero.samples)
    assert np.array_equal(one.samples, orbits(110, 1, 16).samples)
    assert gather(["pendulum:7"], None, tmp_path / "p").data.note.endswith("seed 7")
    for unknown in ("digits:1", "orbits:x"):
        with pytest.raises(FileNotFoundError, match="no such file or folder"):
            gather([unknown], None, tmp_path / "u")
