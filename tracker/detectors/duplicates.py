"""Boxes of one object: non-maximum suppression, and copies of a box under several classes."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from flatsort.tracker.boxes import xyxy_to_xywh
from flatsort.tracker.types import Detections

COPY = 0.95
"""Boxes with a higher IoU are one object, whatever their classes."""


def suppress(parts: Sequence[Detections], max_overlap: float) -> Detections:
    """Non-maximum suppression: drop boxes that overlap a better one of their class by an IoU above ``max_overlap``.

    The rest comes best first.
    """
    found = join(parts)
    if len(found) == 0:
        return found
    xywh = xyxy_to_xywh(found.boxes).tolist()
    kept = cv2.dnn.NMSBoxesBatched(xywh, found.scores.tolist(), found.classes.tolist(), 0.0, max_overlap)
    return found[np.asarray(kept, dtype=np.int64).reshape(-1)]


def drop_copies(found: Detections) -> Detections:
    """Drop boxes that repeat a better one, mostly under another class, by an IoU above `COPY`; best first.

    Heads of the DETR family name the classes of a query one by one, so that one object would become several tracks.
    """
    if len(found) == 0:
        return found
    kept = cv2.dnn.NMSBoxes(xyxy_to_xywh(found.boxes).tolist(), found.scores.tolist(), 0.0, COPY)
    return found[np.asarray(kept, dtype=np.int64).reshape(-1)]


def join(parts: Sequence[Detections]) -> Detections:
    """All detections of several parts."""
    return Detections(
        np.concatenate([p.boxes for p in parts]),
        np.concatenate([p.scores for p in parts]),
        np.concatenate([p.classes for p in parts]),
    )
