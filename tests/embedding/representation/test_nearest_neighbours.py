"""Nearest known samples, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from flatsort.embedding.representation.nearest_neighbours import nearest


def test_copies_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flatsort.embedding.representation.nearest_neighbours.CHUNK", 7)
    random = np.random.default_rng(0)
    known = random.uniform(size=(30, 1, 4, 4)).astype(np.float32)
    rows = random.permutation(30)[:20]
    found = nearest(known[rows] + np.float32(0.01), known)
    assert found.row.tolist() == rows.tolist()
    assert found.distance == pytest.approx(np.full(20, 0.01), rel=1e-3)
    others = nearest(known[rows], known, rows)
    table = cdist(known.reshape(30, -1), known.reshape(30, -1)) / 4
    np.fill_diagonal(table, np.inf)
    np.testing.assert_allclose(others.distance, table.min(1)[rows], rtol=1e-5)
    assert (others.row != rows).all()


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="expected samples of one shape"):
        nearest(np.zeros((2, 3)), np.zeros((2, 4)))
    with pytest.raises(ValueError, match="expected samples of one shape"):
        nearest(np.zeros((1, 3)), np.zeros((1, 3)), np.array([0]))
