"""Disentanglement scores: BetaVAE score, FactorVAE score, mutual information gap (MIG).

All three assume factors that are independent of each other, and use posterior means as latents. They are 1 where every
factor has a dimension of its own; each docstring gives the value for latents without information.

References
----------
Locatello et al., Challenging common assumptions in the unsupervised learning of disentangled representations, ICML
2019, appendix B: the numbers of points and bins, and the threshold of a dead dimension.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from flatsort.embedding.representation.factors import FactorSource
from flatsort.tracker.types import Float, Int

BATCH = 64
"""Pairs (BetaVAE) or samples (FactorVAE) of a point."""
TRAIN, TEST = 10_000, 5_000
"""Points that a classifier is fitted to, and points that it is tested on."""
SAMPLES = 10_000
"""For the standard deviation of latents and for mutual information."""
BINS = 20
"""Of a latent dimension, of equal width from its least to its greatest value."""
DEAD = 0.05
"""Standard deviation below which a latent dimension counts as dead."""
CHUNK = 1 << 19
"""Samples whose latents are held at a time."""


@dataclass(frozen=True)
class Disentanglement:
    """The scores of a representation, each 0..1.

    Attributes
    ----------
    beta_vae, factor_vae, mig : float
    chance : float
        Accuracy of guessing: the least value of the first two.
    active : int
        Dimensions that are not dead (`DEAD`).
    """

    beta_vae: float
    factor_vae: float
    mig: float
    chance: float
    active: int

    def flat(self) -> dict[str, float]:
        """All numbers by name."""
        return {name: float(value) for name, value in asdict(self).items()}


def disentanglement(source: FactorSource, seed: int = 0, train: int = TRAIN, test: int = TEST) -> Disentanglement:
    """All scores; see `beta_vae_score`, `factor_vae_score` and `mutual_information_gap`."""
    latents, factors = source.any(SAMPLES, np.random.default_rng([seed, 0]))
    return Disentanglement(
        beta_vae=beta_vae_score(source, seed, train, test),
        factor_vae=factor_vae_score(source, seed, train, test),
        mig=mutual_information_gap(latents, factors),
        chance=1 / len(source.names),
        active=int((latents.std(0) >= DEAD).sum()),
    )


def beta_vae_score(
    source: FactorSource, seed: int = 0, train: int = TRAIN, test: int = TEST, batch: int = BATCH
) -> float:
    """Accuracy of a linear classifier that predicts the factor two samples share from the difference of their latents.

    A point is the mean of |z¹ − z²| over a batch of pairs that share the value of one factor. Latents are scaled to
    unit standard deviation before, so that the scale of a dimension does not matter. Latents without information: 1 /
    number of factors. The score measures linear separability, not alignment with axes, so that a rotation of
    independent latents often keeps it high.

    Parameters
    ----------
    source : FactorSource
    seed : int
    train, test : int
        Points that the classifier is fitted to and tested on.
    batch : int
        Pairs per point.

    References
    ----------
    Higgins et al., β-VAE, ICLR 2017, section 3.
    """
    from sklearn.linear_model import LogisticRegression

    random = np.random.default_rng([seed, 1])
    std = source.any(SAMPLES, random)[0].std(0)
    scale = 1 / np.where(std > 0, std, 1)

    def points(n: int) -> tuple[Float, Int]:
        shared = np.sort(random.integers(0, len(source.names), n))
        differences = []
        for factor, count in _parts(shared, 2 * batch):
            pairs = source.sharing(factor, count * batch, 2, random)
            differences.append(abs(pairs[:, 1] - pairs[:, 0]).reshape(count, batch, -1).mean(1))
        return np.concatenate(differences) * scale, shared

    if len(source.names) == 1:
        return 1.0
    classifier = LogisticRegression(max_iter=1000).fit(*points(train))
    return float(classifier.score(*points(test)))


def factor_vae_score(
    source: FactorSource, seed: int = 0, train: int = TRAIN, test: int = TEST, batch: int = BATCH
) -> float:
    """Accuracy of predicting the factor that samples share from the dimension that varies least among them.

    A point is the index of the dimension whose variance, relative to that over all samples, is least in a batch whose
    samples share the value of a factor; a dimension predicts the factor that most training points have for it. Dead
    dimensions are left out; 0 if all are dead. Latents without information: little above 1 / number of factors.

    Parameters
    ----------
    source : FactorSource
    seed : int
    train, test : int
        Points that the majority vote is fitted to and tested on.
    batch : int
        Samples per point.

    References
    ----------
    Kim and Mnih, Disentangling by factorising, ICML 2018, section 4.
    """
    random = np.random.default_rng([seed, 2])
    variance = source.any(SAMPLES, random)[0].var(0)
    alive = np.flatnonzero(variance >= DEAD**2)
    if not len(alive):
        return 0.0

    def points(n: int) -> tuple[Int, Int]:
        shared = np.sort(random.integers(0, len(source.names), n))
        least_varying = [
            (source.sharing(factor, count, batch, random)[..., alive].var(1) / variance[alive]).argmin(1)
            for factor, count in _parts(shared, batch)
        ]
        return np.concatenate(least_varying), shared

    votes = np.zeros((len(alive), len(source.names)), np.int64)
    np.add.at(votes, points(train), 1)
    index, shared = points(test)
    return float((votes.argmax(1)[index] == shared).mean())


def mutual_information_gap(latents: Float, factors: Int, bins: int = BINS) -> float:
    """Difference of the two greatest mutual informations of a factor with latent dimensions, relative to its entropy.

    (I₁ − I₂) / H, mean over the factors, with histograms. Latents without information: 0; also 0 if two dimensions are
    equally informative of each factor.

    Parameters
    ----------
    latents : float64 [n d]
        Posterior means; Chen et al. average over the posterior instead.
    factors : int64 [n k]
        Whole numbers, none of them the same in all samples.
    bins : int
        Of a latent dimension.

    References
    ----------
    Chen et al., Isolating sources of disentanglement in VAEs, NeurIPS 2018, section 4.1.
    """
    table = mutual_information(latents, factors, bins)
    ranked = np.sort(np.pad(table, ((1, 0), (0, 0))), axis=0)  # with a single dimension, the second greatest is 0
    entropy = mutual_information(factors.astype(np.float64), factors, None).diagonal()
    return float(((ranked[-1] - ranked[-2]) / entropy).mean())


def mutual_information(latents: Float, factors: Int, bins: int | None = BINS) -> Float:
    """Mutual information of every dimension and every factor, nats, [d k].

    Parameters
    ----------
    latents : float64 [n d]
    factors : int64 [n k]
    bins : int or None
        Of a dimension; None: its values are taken as they are.
    """
    from sklearn.metrics import mutual_info_score

    columns = [_binned(column, bins) for column in latents.T]
    table = [[mutual_info_score(factor, column) for factor in factors.T] for column in columns]
    return np.maximum(np.array(table), 0.0)


def _binned(values: Float, bins: int | None) -> Int:
    if bins is None:
        return np.unique(values, return_inverse=True)[1].astype(np.int64)
    edges = np.linspace(values.min(), values.max(), bins + 1)[1:-1]
    return np.searchsorted(edges, values, side="right").astype(np.int64)


def _parts(shared: Int, samples: int) -> list[tuple[int, int]]:
    """Factor and number of points of parts, in the order of ``shared``; a point takes this many samples."""
    most = max(1, CHUNK // samples)
    factors, counts = np.unique(shared, return_counts=True)
    return [
        (factor, min(most, count - start))
        for factor, count in zip(factors.tolist(), counts.tolist(), strict=True)
        for start in range(0, count, most)
    ]
