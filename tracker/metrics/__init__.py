"""Tracking metrics: CLEAR MOT, identity metrics (IDF1) and HOTA.

>>> from flatsort.tracker.metrics import evaluate
>>> evaluate("MOT17/train", "runs/sort").overall.idf1
"""

from flatsort.tracker.metrics.evaluation import (
    Evaluation,
    Scores,
    SequenceResult,
    evaluate,
    evaluate_pair,
    evaluate_tables,
    pool,
)
from flatsort.tracker.metrics.sequence_files import FilePair, find_pairs

__all__ = [
    "Evaluation",
    "FilePair",
    "Scores",
    "SequenceResult",
    "evaluate",
    "evaluate_pair",
    "evaluate_tables",
    "find_pairs",
    "pool",
]
