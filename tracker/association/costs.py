"""Costs of pairing a track with a detection: full [t n] matrices, smaller is better."""

from __future__ import annotations

from collections.abc import Callable

from tracker.association.problem import Problem
from tracker.types import Float


def iou(problem: Problem) -> Float:
    """1 − intersection over union of prediction and detection, 0..1."""
    return 1.0 - problem.iou


def score_iou(problem: Problem) -> Float:
    """1 − IoU · score: sure detections come first (ByteTrack's fused score)."""
    return 1.0 - problem.iou * problem.detections.scores


def latent(problem: Problem) -> Float:
    """Euclidean distance in latent space.

    Raises
    ------
    ValueError
        If the detections bring no latents.
    """
    if problem.latent_distance is None:
        raise ValueError("cost 'latent': expected detections with latents, got none")
    return problem.latent_distance


COSTS: dict[str, Callable[[Problem], Float]] = {"iou": iou, "score_iou": score_iou, "latent": latent}
