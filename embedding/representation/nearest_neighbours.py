"""Nearest neighbours: whether identities cluster in a latent space, and whether samples of a prior are copies."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import distance

from flatsort.tracker.types import Float, Int

NEIGHBOURS = 5
MOST_SAMPLES = 5_000
"""Samples that identities are compared on, drawn if there are more: a silhouette needs all distances."""
CHUNK = 1024
"""Rows of distances that are held at a time."""


@dataclass(frozen=True)
class Clustering:
    """How well identities cluster, by Euclidean distance.

    Attributes
    ----------
    knn : float
        Share of the samples whose identity is that of most of the five nearest others; the nearest breaks ties.
    nearest : float
        Share of the samples whose nearest other one has the same identity.
    chance : float
        Probability that another sample, drawn at random, has the same identity.
    silhouette : float
        Mean of (b − a) / max(a, b), a the mean distance to others of the same identity, b to those of the
        nearest other identity: 1 is tight and separate, 0 no clusters, below 0 nearer to others.
    samples, identities : int
        What was compared: identities with two samples or more.
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
        Of the samples that are drawn, of more than `MOST_SAMPLES`.

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
        raise ValueError(f"clustering: expected finite latents, one per label, got {len(z)} for {len(identity)} labels")
    rows = np.flatnonzero(identity >= 0)
    rows = np.random.default_rng([seed, 4]).permutation(rows)[:MOST_SAMPLES]
    _, label, counts = np.unique(identity[rows], return_inverse=True, return_counts=True)
    rows = np.sort(rows[counts[label] > 1])
    _, label, counts = np.unique(identity[rows], return_inverse=True, return_counts=True)
    n = len(rows)
    if len(counts) < 2:
        raise ValueError(f"clustering: expected two identities or more of two samples each, got {len(counts)}")
    nearest = NearestNeighbors(n_neighbors=min(NEIGHBOURS, n - 1)).fit(z[rows]).kneighbors(return_distance=False)
    neighbours = label[nearest]
    # of equal votes the label that comes first in the order of distance wins
    votes = (neighbours[:, :, None] == neighbours[:, None, :]).sum(2)
    decided = neighbours[np.arange(n), votes.argmax(1)]
    return Clustering(
        knn=float((decided == label).mean()),
        nearest=float((neighbours[:, 0] == label).mean()),
        chance=float((counts * (counts - 1)).sum() / (n * (n - 1))),
        silhouette=float(silhouette_score(z[rows], label)),
        samples=n,
        identities=len(counts),
    )


@dataclass(frozen=True, eq=False)
class NearestSamples:
    """The nearest sample of a data set to each of n samples.

    Attributes
    ----------
    row : int64 [n]
    distance : float64 [n]
        Root mean square over a sample's values, in their units.
    """

    row: Int
    distance: Float


def nearest_samples(
    samples: NDArray[np.floating], known: NDArray[np.floating], own_row: Int | None = None
) -> NearestSamples:
    """Find the nearest of ``known`` [m …] to each of ``samples`` [n …].

    Parameters
    ----------
    samples, known : float
        Of the same shape but for their number.
    own_row : int64 [n], optional
        Row of ``known`` that each sample is, which does not count: this gives the usual distance between different
        samples of the data set; copies are much nearer.

    Raises
    ------
    ValueError
        If there is nothing to compare with.
    """
    some, others = (np.asarray(s, np.float64).reshape(len(s), -1) for s in (samples, known))
    if len(others) < 1 + (own_row is not None) or some.shape[1:] != others.shape[1:]:
        raise ValueError(f"nearest: expected samples of one shape, got {list(samples.shape)} and {list(known.shape)}")
    rows, distances = [], []
    for start in range(0, len(some), CHUNK):
        table = distance.cdist(some[start : start + CHUNK], others)
        if own_row is not None:
            table[np.arange(len(table)), own_row[start : start + CHUNK]] = np.inf
        rows.append(table.argmin(1))
        distances.append(table.min(1))
    return NearestSamples(np.concatenate(rows), np.concatenate(distances) / np.sqrt(some.shape[1]))
