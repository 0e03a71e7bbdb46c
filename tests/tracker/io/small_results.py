"""Small results to write."""

from __future__ import annotations

import numpy as np

from flatsort.tracker.types import Detections, Frame, FrameResult, Image, Tracks


def result(index: int = 1, image: Image | None = None, *, time: float | None = None) -> FrameResult:
    """Two tracks: 3 was matched to detection 1, 7 is only predicted."""
    detections = Detections.of([[0, 0, 4, 4], [11, 21, 31, 61]], [0.3, 0.875])
    tracks = Tracks(
        ids=np.array([3, 7]),
        boxes=np.array([[10.0, 20.0, 30.0, 60.5], [5.0, 6.0, 7.0, 9.0]]) + index - 1,
        scores=np.array([0.875, 0.625]),
        classes=np.array([0, 2]),
        source=np.array([1, -1]),
    )
    return FrameResult(Frame(index, image, (index - 1) / 10 if time is None else time), detections, tracks)


def nothing(index: int) -> FrameResult:
    """A frame without detections and tracks."""
    return FrameResult(Frame(index, None, (index - 1) / 10), Detections.empty(), Tracks.empty())
