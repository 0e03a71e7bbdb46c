"""Whether every latent dimension stands for one factor of variation: BetaVAE score, FactorVAE score, MIG.

All three want the factors to be independent of each other, and look at latents without chance (posterior means). They
are 1 where every factor has a dimension of its own; what they are for latents that know nothing is said with each.

References
----------
Locatello et al., Challenging common assumptions in the unsupervised learning of disentangled representations, ICML
2019, appendix B: the numbers of points, bins and the limit of a dead dimension.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from flatsort.embedding.representation.factors import Source
from flatsort.tracker.types import Float, Int

BATCH = 64
"""Pairs (BetaVAE) or samples (FactorVAE) of a point."""
TRAIN, TEST = 10_000, 5_000
"""Points that a classifier is fitted to, and that it is tried on."""
SAMPLES = 10_000
"""For the deviation of latents and for mutual information."""
BINS = 20
"""Of a latent dimension, equally wide from its least to its largest value."""
DEAD = 0.05
"""Deviation below which a latent dimension says nothing."""
CHUNK = 1 << 19
"""Samples whose latents are held at a time."""


@dataclass(frozen=True)
class Disentanglement:
    """The scores of a representation, each 0..1.

    Attributes
    ----------
    beta_vae, factor_vae, mig : float
    chance : float
        What a classifier has that only guesses: the least that the first two come to.
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


def disentanglement(source: Source, seed: int = 0, train: int = TRAIN, test: int = TEST) -> Disentanglement:
    """All scores; see `beta_vae_score`, `factor_vae_score` and `mutual_information_gap`."""
    latents, factors = source.any(SAMPLES, np.random.default_rng([seed, 0]))
    return Disentanglement(
        beta_vae=beta_vae_score(source, seed, train, test),
        factor_vae=factor_vae_score(source, seed, train, test),
        mig=mutual_information_gap(latents, factors),
        chance=1 / len(source.names),
        active=int((latents.std(0) >= DEAD).sum()),
    )


def beta_vae_score(source: Source, seed: int = 0, train: int = TRAIN, test: int = TEST, batch: int = BATCH) -> float:
    """How often a linear classifier tells which factor was kept from how little the latents differ.

    A point is the mean of |z¹ − z²| over a batch of pairs that have one factor in common. Latents are brought to unit
    deviation before, so that no scale of a dimension counts. Latents that know nothing: 1 / number of factors. A
    rotation of independent latents is often forgiven: the measure asks for linear separability, not for axes.

    Parameters
    ----------
    source : Source
    seed : int
    train, test : int
        Points that the classifier is fitted to and tried on.
    batch : int
        Pairs of a point.

    References
    ----------
    Higgins et al., β-VAE, ICLR 2017, section 3.
    """
    from sklearn.linear_model import LogisticRegression

    random = np.random.default_rng([seed, 1])
    deviation = source.any(SAMPLES, random)[0].std(0)
    scale = 1 / np.where(deviation > 0, deviation, 1)

    def points(n: int) -> tuple[Float, Int]:
        kept = np.sort(random.integers(0, len(source.names), n))
        found = []
        for factor, count in _parts(kept, 2 * batch):
            pairs = source.alike(factor, count * batch, 2, random)
            found.append(abs(pairs[:, 1] - pairs[:, 0]).reshape(count, batch, -1).mean(1))
        return np.concatenate(found) * scale, kept

    if len(source.names) == 1:
        return 1.0
    classifier = LogisticRegression(max_iter=1000).fit(*points(train))
    return float(classifier.score(*points(test)))


def factor_vae_score(source: Source, seed: int = 0, train: int = TRAIN, test: int = TEST, batch: int = BATCH) -> float:
    """How often the dimension that varies least, as a share of its variance, tells which factor was kept.

    A point is the index of that dimension in a batch whose samples have one value of a factor; a dimension stands for
    the factor that most points vote for. Dead dimensions take no part; 0 if all are dead. Latents that know
    nothing: little above 1 / number of factors.

    Parameters
    ----------
    source : Source
    seed : int
    train, test : int
        Points that vote, and that are tried.
    batch : int
        Samples of a point.

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
        kept = np.sort(random.integers(0, len(source.names), n))
        found = [
            (source.alike(factor, count, batch, random)[..., alive].var(1) / variance[alive]).argmin(1)
            for factor, count in _parts(kept, batch)
        ]
        return np.concatenate(found), kept

    votes = np.zeros((len(alive), len(source.names)), np.int64)
    np.add.at(votes, points(train), 1)
    index, kept = points(test)
    return float((votes.argmax(1)[index] == kept).mean())


def mutual_information_gap(latents: Float, factors: Int, bins: int = BINS) -> float:
    """How much more one dimension knows of a factor than the next best one does, as a share of all there is to know.

    (I₁ − I₂) / H, mean over the factors, with histograms. Latents that know nothing: 0; so have those whose
    knowledge of a factor is spread evenly over two dimensions.

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
    ranked = np.sort(np.pad(table, ((1, 0), (0, 0))), axis=0)  # of a single dimension, the next best knows nothing
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


def _parts(kept: Int, samples: int) -> list[tuple[int, int]]:
    """Factor and number of points of parts, in the order of ``kept``; a point takes this many samples."""
    most = max(1, CHUNK // samples)
    factors, counts = np.unique(kept, return_counts=True)
    return [
        (factor, min(most, count - start))
        for factor, count in zip(factors.tolist(), counts.tolist(), strict=True)
        for start in range(0, count, most)
    ]
