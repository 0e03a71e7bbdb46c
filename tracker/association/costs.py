"""Costs of pairing a track with a detection: full [t n] matrices, smaller is better.

``weight`` is the stage's share of appearance; only `blend` looks at it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from flatsort.tracker.association.problem import Problem
from flatsort.tracker.types import Float

FARTHEST = 2.0
"""Latent distance, in units of its threshold, from which on a pair is as unlike as can be."""


def iou(problem: Problem, weight: float = 0.0) -> Float:  # noqa: ARG001  # one signature for all
    """1 − intersection over union of prediction and detection, 0..1."""
    return 1.0 - problem.iou


def score_iou(problem: Problem, weight: float = 0.0) -> Float:  # noqa: ARG001
    """1 − IoU · score: sure detections come first (ByteTrack's fused score)."""
    return 1.0 - problem.iou * problem.detections.scores


def latent(problem: Problem, weight: float = 1.0) -> Float:  # noqa: ARG001
    """Euclidean distance in latent space, in units of the threshold up to which two latents may show one object.

    Raises
    ------
    ValueError
        If the detections bring no latents.
    """
    if problem.latent_distance is None:
        raise ValueError("stages: expected detections with latents for the costs latent and blend, got none")
    return problem.latent_distance


def blend(problem: Problem, weight: float) -> Float:
    """``weight`` of the latent distance, up to `FARTHEST`, and the rest of 1 − IoU; raises as `latent`."""
    return weight * np.minimum(latent(problem), FARTHEST) + (1.0 - weight) * (1.0 - problem.iou)


COSTS: dict[str, Callable[[Problem, float], Float]] = {
    "iou": iou,
    "score_iou": score_iou,
    "latent": latent,
    "blend": blend,
}
LATENT_COSTS = ("latent", "blend")
