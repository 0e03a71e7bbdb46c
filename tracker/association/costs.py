"""Costs of pairing a track with a detection: full [t n] matrices, smaller is better."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tracker.association.problem import Problem
from tracker.types import Float


def iou(problem: Problem, weight: float = 0.0) -> Float:
    """1 − intersection over union of prediction and detection, 0..1."""
    return 1.0 - problem.iou


def score_iou(problem: Problem, weight: float = 0.0) -> Float:
    """1 − IoU · score: sure detections come first (ByteTrack's fused score)."""
    return 1.0 - problem.iou * problem.detections.scores


def latent(problem: Problem, weight: float = 1.0) -> Float:
    """Euclidean distance in latent space.

    Raises
    ------
    ValueError
        If the detections bring no latents.
    """
    if problem.latent_distance is None:
        raise ValueError("cost 'latent': expected detections with latents, got none")
    return problem.latent_distance


def blend(problem: Problem, weight: float = 0.5) -> Float:
    """``weight`` of the latent distance, up to twice its limit, and the rest of 1 − IoU."""
    return weight * np.minimum(latent(problem), 2.0) + (1.0 - weight) * (1.0 - problem.iou)


COSTS: dict[str, Callable[[Problem, float], Float]] = {"iou": iou, "score_iou": score_iou, "latent": latent, "blend": blend}
