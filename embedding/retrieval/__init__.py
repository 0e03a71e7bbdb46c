"""Retrieval: how well distances between latents separate objects (rank-k, mAP, ROC), and calibration of thresholds.

>>> from flatsort.embedding.retrieval import Labels, rank
>>> rank(latents, Labels.of(len(latents), identity=identity, frame=frame, sequence=sequence), "frames").rank(1)
"""

from flatsort.embedding.retrieval.calibration import calibrate_model, pairs_from_boxes, pairs_from_tracks
from flatsort.embedding.retrieval.ranking import PROTOCOLS, Labels, Ranking, protocols_for, rank
from flatsort.embedding.retrieval.separation import Separation, between_frames, distance_histograms, roc_curves

__all__ = [
    "PROTOCOLS",
    "Labels",
    "Ranking",
    "Separation",
    "between_frames",
    "calibrate_model",
    "distance_histograms",
    "pairs_from_boxes",
    "pairs_from_tracks",
    "protocols_for",
    "rank",
    "roc_curves",
]
