"""Costs and gates of pairing a track with a detection; stages name them.

A cost is a full [t n] matrix of which smaller is better. A gate rules pairs out whatever their cost: it gives values
[t n] and the highest value that passes. To add one, write a function and register it; no other file changes::

    @COSTS.register("centre_distance")
    def centre_distance(problem: AssociationProblem, weight: float) -> Float: ...
"""

from __future__ import annotations

import numpy as np

from flatsort.tracker.association.problem import AssociationProblem
from flatsort.tracker.registry import Registry
from flatsort.tracker.types import Float

COSTS: Registry[Float] = Registry("cost", "flatsort.tracker.association.costs")
"""Cost functions: called with the problem and the stage's ``weight``, the share of appearance in a mixed cost."""
GATES: Registry[tuple[Float, float]] = Registry("gate", "flatsort.tracker.association.costs")
"""Gate functions: called with the problem."""

LATENTS = "latents"
"""Tag of the costs that compare latents, so that the tracker knows that it needs them."""
MAX_LATENT_DISTANCE = 2.0
"""Where a cost mixes appearance with overlap, larger latent distances (in units of the threshold) count as this one."""
CHI2_95 = 9.487729036781154
"""95 % quantile of the chi-square distribution with four degrees of freedom."""


@COSTS.register("iou")
def iou(problem: AssociationProblem, weight: float = 0.0) -> Float:  # noqa: ARG001  # one signature for all
    """1 − intersection over union of prediction and detection, 0..1."""
    return 1.0 - problem.iou


@COSTS.register("score_iou")
def score_iou(problem: AssociationProblem, weight: float = 0.0) -> Float:  # noqa: ARG001
    """1 − IoU · score: confident detections come first (ByteTrack's fused score)."""
    return 1.0 - problem.iou * problem.detections.scores


@COSTS.register("latent", tags=(LATENTS,))
def latent(problem: AssociationProblem, weight: float = 1.0) -> Float:  # noqa: ARG001
    """Euclidean distance in latent space, in units of the appearance threshold.

    Raises
    ------
    ValueError
        If the detections have no latents.
    """
    if problem.latent_distance is None:
        raise ValueError("stages: expected detections with latents for the costs latent and blend, got none")
    return problem.latent_distance


@COSTS.register("blend", tags=(LATENTS,))
def blend(problem: AssociationProblem, weight: float) -> Float:
    """``weight`` · latent distance (at most `MAX_LATENT_DISTANCE`) + (1 − ``weight``) · (1 − IoU).

    Raises as `latent`.
    """
    return weight * np.minimum(latent(problem), MAX_LATENT_DISTANCE) + (1.0 - weight) * (1.0 - problem.iou)


@GATES.register("mahalanobis")
def mahalanobis(problem: AssociationProblem) -> tuple[Float, float]:
    """Squared Mahalanobis distance of prediction and detection, up to its 95 % quantile (DeepSORT, equation 1)."""
    return problem.motion.squared_mahalanobis(problem.state, problem.measured), CHI2_95


@GATES.register("same_class")
def same_class(problem: AssociationProblem) -> tuple[Float, float]:
    """1 where the classes differ, which does not pass."""
    return (problem.classes[:, None] != problem.detections.classes).astype(np.float64), 0.0
