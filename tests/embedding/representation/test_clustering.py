"""Neighbours and silhouettes, against counting by hand and the formula."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from flatsort.embedding.representation.clustering import NEIGHBOURS, clustering
from flatsort.tracker.types import Float, Int


def drawn(noise: float, seed: int = 0) -> tuple[Float, Int]:
    random = np.random.default_rng(seed)
    identity = np.repeat(np.arange(12), random.integers(2, 9, 12))
    centres = random.normal(size=(12, 5))
    return centres[identity] + random.normal(0, noise, (len(identity), 5)), identity


@pytest.mark.parametrize("noise", [0.1, 0.7, 3.0])
def test_by_hand(noise: float) -> None:
    latents, identity = drawn(noise)
    distances = cdist(latents, latents)
    np.fill_diagonal(distances, np.inf)
    right, shapes = [], []
    for i, row in enumerate(distances):
        near = identity[np.argsort(row)[:NEIGHBOURS]]
        counts = {who: (near == who).sum() for who in near}
        right.append(next(who for who in near if counts[who] == max(counts.values())) == identity[i])
        others = np.where(np.arange(len(row)) == i, 0.0, row)
        means = {w: others[identity == w].sum() / ((identity == w).sum() - (w == identity[i])) for w in set(identity)}
        a = means.pop(identity[i])
        shapes.append((min(means.values()) - a) / max(a, min(means.values())))
    found = clustering(latents, identity)
    assert found.knn == pytest.approx(np.mean(right))
    assert found.nearest == pytest.approx((identity[distances.argmin(1)] == identity).mean())
    assert found.silhouette == pytest.approx(np.mean(shapes))


def test_tight_clusters_and_none() -> None:
    latents, identity = drawn(1e-3)
    found = clustering(latents, identity)
    assert (found.nearest, found.silhouette) == pytest.approx((1, 1), abs=0.01)
    mixed = clustering(np.random.default_rng(1).normal(size=(1000, 3)), np.arange(1000) % 4)
    assert mixed.nearest == pytest.approx(mixed.chance, abs=0.05)
    assert mixed.chance == pytest.approx(249 / 999)
    assert abs(mixed.silhouette) < 0.05


def test_unknown_and_single_ones_are_left_out() -> None:
    latents, identity = drawn(0.5)
    more = np.concatenate([latents, latents[:3] + 1e-6])
    who = np.concatenate([identity, [-1, -1, 99]])
    assert clustering(more, who) == clustering(latents, identity)
    assert clustering(latents, identity).samples == len(latents)


def test_bad_input_is_refused() -> None:
    latents, identity = drawn(0.5)
    with pytest.raises(ValueError, match="expected two identities or more of two samples each, got 0"):
        clustering(latents, np.arange(len(latents)))
    with pytest.raises(ValueError, match="expected finite latents"):
        clustering(np.full_like(latents, np.nan), identity)
