"""What a linear classifier makes of a representation, with few labels and with many."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from flatsort.tracker.types import Float, Int

FEW, MANY = 100, 10_000
"""Labels."""
TEST = 5_000
"""Held-out samples, at most; at most a third of all."""
DRAWS = 10
"""Times that the few labels are drawn."""
LEAST_PER_CLASS = 2
"""Of the few labels, in the mean: with fewer, most classes are never shown."""


@dataclass(frozen=True)
class Efficiency:
    """Accuracy on held-out samples.

    Attributes
    ----------
    few, many : float
        With 100 labels (mean over ten draws of them), and with 10,000 or all there are.
    ratio : float
        Statistical efficiency: few / many.
    deviation : float
        Of ``few`` over the draws.
    chance : float
        Of always guessing the most frequent class.
    labels : int
        How many ``many`` is.
    classes : int
    """

    few: float
    many: float
    ratio: float
    deviation: float
    chance: float
    labels: int
    classes: int

    def flat(self) -> dict[str, float]:
        """All numbers by name."""
        return {name: float(value) for name, value in asdict(self).items()}


def label_efficiency(
    latents: NDArray[np.floating], labels: Int, seed: int = 0, few: int = FEW, many: int = MANY
) -> Efficiency:
    """How well labels are told from latents, and how much a hundred labels lack of ten thousand.

    Multinomial logistic regression on standardised latents, with scikit-learn's L2 penalty (C = 1). Mean and deviation
    are those of the labelled samples only.

    Parameters
    ----------
    latents : float [n d]
    labels : int64 [n]
    seed : int
        Of what is held out and of which samples are labelled.
    few, many : int
        Labels.

    Raises
    ------
    ValueError
        If there is one class only, there are too many of them for the few labels, or too few samples.

    References
    ----------
    Locatello et al., Challenging common assumptions in the unsupervised learning of disentangled representations, ICML
    2019, section 5.5 (statistical efficiency).
    """
    z, classes = np.asarray(latents, np.float64), len(np.unique(labels))
    test = min(TEST, len(z) // 3)
    if len(z) != len(labels) or not np.isfinite(z).all():
        raise ValueError(f"downstream: expected finite latents, one a label, got {len(z)} for {len(labels)} labels")
    if classes < 2 or classes * LEAST_PER_CLASS > few:
        raise ValueError(f"downstream: expected 2 to {few // LEAST_PER_CLASS} classes, got {classes}")
    if len(z) - test < few:
        raise ValueError(f"downstream: expected {math.ceil(1.5 * few)} samples or more, got {len(z)}")
    random = np.random.default_rng([seed, 3])
    order = random.permutation(len(z))
    held_out, rest = order[:test], order[test:]
    found = [accuracy(z, labels, random.permutation(rest)[:few], held_out) for _ in range(DRAWS)]
    all_of_them = accuracy(z, labels, rest[:many], held_out)
    return Efficiency(
        few=float(np.mean(found)),
        many=all_of_them,
        ratio=float(np.mean(found)) / max(all_of_them, 1 / test),
        deviation=float(np.std(found, ddof=1)),
        chance=float(np.unique(labels[held_out], return_counts=True)[1].max() / test),
        labels=min(many, len(rest)),
        classes=classes,
    )


def accuracy(latents: Float, labels: Int, train: Int, test: Int) -> float:
    """Share of the rows ``test`` whose label a classifier gives that was fitted to the rows ``train``."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if len(np.unique(labels[train])) == 1:
        return float((labels[test] == labels[train[0]]).mean())
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return float(classifier.fit(latents[train], labels[train]).score(latents[test], labels[test]))
