"""Gates: pairs that cannot be, whatever their cost. A gate gives values [t n] and the highest one it lets through."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from flatsort.tracker.association.problem import Problem
from flatsort.tracker.types import Float

CHI2_95 = 9.487729036781154
"""95 % quantile of the chi-square distribution with four degrees of freedom."""


def mahalanobis(problem: Problem) -> tuple[Float, float]:
    """Squared Mahalanobis distance of prediction and detection, up to its 95 % quantile (DeepSORT, equation 1)."""
    return problem.motion.squared_mahalanobis(problem.state, problem.measured), CHI2_95


def same_class(problem: Problem) -> tuple[Float, float]:
    """1 where the classes differ."""
    return (problem.classes[:, None] != problem.detections.classes).astype(np.float64), 0.0


GATES: dict[str, Callable[[Problem], tuple[Float, float]]] = {"mahalanobis": mahalanobis, "same_class": same_class}
