"""Accuracy of a linear classifier on a representation, with few labels and with many."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from flatsort.tracker.types import Float, Int

FEW, MANY = 100, 10_000
"""Numbers of labels."""
TEST = 5_000
"""Held-out samples, at most; at most a third of all."""
DRAWS = 10
"""Times that the few labels are drawn."""
LEAST_PER_CLASS = 2
"""Few labels per class, in the mean: with fewer, many classes have no label at all."""


@dataclass(frozen=True)
class LabelEfficiency:
    """Accuracy on held-out samples.

    Attributes
    ----------
    few, many : float
        With 100 labels (mean over ten draws of them), and with 10,000 or all there are.
    ratio : float
        Statistical efficiency: few / many.
    deviation : float
        Standard deviation of ``few`` over the draws.
    chance : float
        Accuracy of always guessing the most frequent class.
    labels : int
        Labels of ``many``.
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
) -> LabelEfficiency:
    """Accuracy of predicting labels from latents, with a hundred labels relative to ten thousand.

    Multinomial logistic regression on standardised latents, with scikit-learn's L2 penalty (C = 1). Mean and standard
    deviation are those of the labelled samples only.

    Parameters
    ----------
    latents : float [n d]
    labels : int64 [n]
    seed : int
        Draws the held-out samples and the labelled ones.
    few, many : int
        Numbers of labels.

    Raises
    ------
    ValueError
        If there is one class only, too many classes for the few labels, or too few samples.

    References
    ----------
    Locatello et al., Challenging common assumptions in the unsupervised learning of disentangled representations, ICML
    2019, section 5.5 (statistical efficiency).
    """
    z, classes = np.asarray(latents, np.float64), len(np.unique(labels))
    test = min(TEST, len(z) // 3)
    if len(z) != len(labels) or not np.isfinite(z).all():
        raise ValueError(f"downstream: expected finite latents, one per label, got {len(z)} for {len(labels)} labels")
    if classes < 2 or classes * LEAST_PER_CLASS > few:
        raise ValueError(f"downstream: expected 2 to {few // LEAST_PER_CLASS} classes, got {classes}")
    if len(z) - test < few:
        raise ValueError(f"downstream: expected {math.ceil(1.5 * few)} samples or more, got {len(z)}")
    random = np.random.default_rng([seed, 3])
    order = random.permutation(len(z))
    held_out, rest = order[:test], order[test:]
    accuracies = [accuracy(z, labels, random.permutation(rest)[:few], held_out) for _ in range(DRAWS)]
    with_many = accuracy(z, labels, rest[:many], held_out)
    return LabelEfficiency(
        few=float(np.mean(accuracies)),
        many=with_many,
        ratio=float(np.mean(accuracies)) / max(with_many, 1 / test),
        deviation=float(np.std(accuracies, ddof=1)),
        chance=float(np.unique(labels[held_out], return_counts=True)[1].max() / test),
        labels=min(many, len(rest)),
        classes=classes,
    )


def accuracy(latents: Float, labels: Int, train: Int, test: Int) -> float:
    """Accuracy on the rows ``test`` of a classifier that is fitted to the rows ``train``."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if len(np.unique(labels[train])) == 1:
        return float((labels[test] == labels[train[0]]).mean())
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return float(classifier.fit(latents[train], labels[train]).score(latents[test], labels[test]))
