"""Whether samples of one identity lie together in a latent space."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from flatsort.tracker.types import Int

NEIGHBOURS = 5
MOST = 5_000
"""Samples, drawn of more: a silhouette needs all distances."""


@dataclass(frozen=True)
class Clustering:
    """How well identities cluster, by Euclidean distance.

    Attributes
    ----------
    knn : float
        Share of the samples whose identity most of the five nearest others have; of as many, the nearest decides.
    nearest : float
        Share of the samples whose nearest other one has the same identity.
    chance : float
        Of another sample, drawn at random, to have the same identity.
    silhouette : float
        Mean of (b − a) / max(a, b), a the mean distance to others of the same identity, b to those of the
        nearest other identity: 1 is tight and apart, 0 no clusters, below 0 nearer to others.
    samples, identities : int
        What was looked at: identities of two samples or more.
    """

    knn: float
    nearest: float
    chance: float
    silhouette: float
    samples: int
    identities: int

    def flat(self) -> dict[str, float]:
        """All numbers by name."""
        return {name: float(value) for name, value in asdict(self).items()}


def clustering(latents: NDArray[np.floating], identity: Int, seed: int = 0) -> Clustering:
    """Measure how well identities cluster.

    Parameters
    ----------
    latents : float [n d]
    identity : int64 [n]
        −1 where unknown: such samples, and identities of a single one, are left out.
    seed : int
        Of the samples that are looked at, of more than `MOST`.

    Raises
    ------
    ValueError
        If fewer than two identities are left, or latents are not finite.

    References
    ----------
    Rousseeuw, Silhouettes, Journal of Computational and Applied Mathematics 1987 (scikit-learn's implementation).
    """
    from sklearn.metrics import silhouette_score
    from sklearn.neighbors import NearestNeighbors

    z = np.asarray(latents, np.float64)
    if len(z) != len(identity) or not np.isfinite(z).all():
        raise ValueError(f"clustering: expected finite latents, one a label, got {len(z)} for {len(identity)} labels")
    rows = np.flatnonzero(identity >= 0)
    rows = np.random.default_rng([seed, 4]).permutation(rows)[:MOST]
    _, who, counts = np.unique(identity[rows], return_inverse=True, return_counts=True)
    rows = np.sort(rows[counts[who] > 1])
    _, who, counts = np.unique(identity[rows], return_inverse=True, return_counts=True)
    n = len(rows)
    if len(counts) < 2:
        raise ValueError(f"clustering: expected two identities or more of two samples each, got {len(counts)}")
    nearest = NearestNeighbors(n_neighbors=min(NEIGHBOURS, n - 1)).fit(z[rows]).kneighbors(return_distance=False)
    around = who[nearest]
    # of equal votes the label that comes first in the order of distance wins
    votes = (around[:, :, None] == around[:, None, :]).sum(2)
    decided = around[np.arange(n), votes.argmax(1)]
    return Clustering(
        knn=float((decided == who).mean()),
        nearest=float((around[:, 0] == who).mean()),
        chance=float((counts * (counts - 1)).sum() / (n * (n - 1))),
        silhouette=float(silhouette_score(z[rows], who)),
        samples=n,
        identities=len(counts),
    )
