"""Nearest neighbours and silhouettes, against counting by hand and the formula."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from flatsort.embedding.representation.nearest_neighbours import NEIGHBOURS, clustering, nearest_samples
from flatsort.tracker.types import Float, Int


def clusters(noise: float, seed: int = 0) -> tuple[Float, Int]:
    random = np.random.default_rng(seed)
    identity = np.repeat(np.arange(12), random.integers(2, 9, 12))
    centres = random.normal(size=(12, 5))
    return centres[identity] + random.normal(0, noise, (len(identity), 5)), identity


@pytest.mark.parametrize("noise", [0.1, 0.7, 3.0])
def test_clustering_by_hand(noise: float) -> None:
    latents, identity = clusters(noise)
    distances = cdist(latents, latents)
    np.fill_diagonal(distances, np.inf)
    right, silhouettes = [], []
    for i, row in enumerate(distances):
        near = identity[np.argsort(row)[:NEIGHBOURS]]
        counts = {label: (near == label).sum() for label in near}
        right.append(next(label for label in near if counts[label] == max(counts.values())) == identity[i])
        others = np.where(np.arange(len(row)) == i, 0.0, row)
        means = {w: others[identity == w].sum() / ((identity == w).sum() - (w == identity[i])) for w in set(identity)}
        a = means.pop(identity[i])
        silhouettes.append((min(means.values()) - a) / max(a, min(means.values())))
    scores = clustering(latents, identity)
    assert scores.knn == pytest.approx(np.mean(right))
    assert scores.nearest == pytest.approx((identity[distances.argmin(1)] == identity).mean())
    assert scores.silhouette == pytest.approx(np.mean(silhouettes))


def test_tight_clusters_and_none() -> None:
    latents, identity = clusters(1e-3)
    scores = clustering(latents, identity)
    assert (scores.nearest, scores.silhouette) == pytest.approx((1, 1), abs=0.01)
    mixed = clustering(np.random.default_rng(1).normal(size=(1000, 3)), np.arange(1000) % 4)
    assert mixed.nearest == pytest.approx(mixed.chance, abs=0.05)
    assert mixed.chance == pytest.approx(249 / 999)
    assert abs(mixed.silhouette) < 0.05


def test_unknown_and_single_identities_are_left_out() -> None:
    latents, identity = clusters(0.5)
    more = np.concatenate([latents, latents[:3] + 1e-6])
    who = np.concatenate([identity, [-1, -1, 99]])
    assert clustering(more, who) == clustering(latents, identity)
    assert clustering(latents, identity).samples == len(latents)


def test_bad_labels_are_refused() -> None:
    latents, identity = clusters(0.5)
    with pytest.raises(ValueError, match="expected two identities or more of two samples each, got 0"):
        clustering(latents, np.arange(len(latents)))
    with pytest.raises(ValueError, match="expected finite latents"):
        clustering(np.full_like(latents, np.nan), identity)


def test_copies_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flatsort.embedding.representation.nearest_neighbours.CHUNK", 7)
    random = np.random.default_rng(0)
    known = random.uniform(size=(30, 1, 4, 4)).astype(np.float32)
    rows = random.permutation(30)[:20]
    nearest = nearest_samples(known[rows] + np.float32(0.01), known)
    assert nearest.row.tolist() == rows.tolist()
    assert nearest.distance == pytest.approx(np.full(20, 0.01), rel=1e-3)
    others = nearest_samples(known[rows], known, rows)
    table = cdist(known.reshape(30, -1), known.reshape(30, -1)) / 4
    np.fill_diagonal(table, np.inf)
    np.testing.assert_allclose(others.distance, table.min(1)[rows], rtol=1e-5)
    assert (others.row != rows).all()


def test_bad_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="expected samples of one shape"):
        nearest_samples(np.zeros((2, 3)), np.zeros((2, 4)))
    with pytest.raises(ValueError, match="expected samples of one shape"):
        nearest_samples(np.zeros((1, 3)), np.zeros((1, 3)), np.array([0]))
