"""A run is a chain of generators: frames → detect → track → sinks. Nothing flows backwards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from tracker.motion.camera import CameraMotion
from tracker.protocols import Detector
from tracker.smoothing import smooth
from tracker.sort import SortConfig, SortTracker
from tracker.types import Detections, Frame, FrameResult, Tracks


def detect(frames: Iterable[Frame], detector: Detector) -> Iterator[tuple[Frame, Detections]]:
    """Each frame with what the detector sees in it; nothing where it needs an image and there is none."""
    for frame in frames:
        blind = detector.needs_image and frame.image is None
        yield frame, Detections.empty() if blind else detector.detect(frame)


def track(seen: Iterable[tuple[Frame, Detections]], tracker: SortTracker) -> Iterator[FrameResult]:
    """Each frame with its detections and tracks; camera motion is estimated where the tracker's config asks for it."""
    config = tracker.config.camera
    camera = CameraMotion(config) if config.method != "none" else None
    for frame, detections in seen:
        affine = None if camera is None else camera.estimate(frame.image, detections.boxes)
        yield FrameResult(frame, detections, tracker.step(detections, frame.time, affine))


def at_rate(config: SortConfig, fps: float) -> SortConfig:
    """The config for a source of ``fps`` frames a second, unless it names its own rate."""
    return config if config.frame_rate is not None else replace(config, frame_rate=fps)


def smoothed(results: Sequence[FrameResult], max_gap: int | None = None) -> list[FrameResult]:
    """The results with their tracks smoothed and gaps filled, once a whole source is tracked.

    Parameters
    ----------
    results : sequence of FrameResult
        Every frame in order.
    max_gap : int, optional
        Longest run of missing frames inside a track that is filled; None: any.
    """
    boxes, frames = [], []
    for number, result in enumerate(results):
        own = result.tracks.boxes.copy()
        measured = result.tracks.source >= 0
        own[measured] = result.detections.boxes[result.tracks.source[measured]]
        boxes.append(own)
        frames.append(np.full(len(own), number))
    tracks = [result.tracks for result in results]
    if not any(len(t) for t in tracks):
        return list(results)
    ids = np.concatenate([t.ids for t in tracks])
    scores, classes, source = (np.concatenate([getattr(t, k) for t in tracks]) for k in ("scores", "classes", "source"))
    frame = np.concatenate(frames)
    rows = smooth(frame, ids, np.concatenate(boxes), source >= 0, max_gap=max_gap)

    # A filled row takes score and class from the latest row of its track.
    order = np.lexsort((frame, ids))
    key = ids[order] * (len(results) + 1) + frame[order]
    origin = order[np.searchsorted(key, rows.ids * (len(results) + 1) + rows.frames, side="right") - 1]
    exact = frame[origin] == rows.frames
    merged = Tracks(rows.ids, rows.boxes, scores[origin], classes[origin], np.where(exact, source[origin], -1))
    starts = np.searchsorted(rows.frames, np.arange(len(results) + 1))
    return [
        replace(result, tracks=merged[slice(a, b)])
        for result, a, b in zip(results, starts[:-1], starts[1:], strict=True)
    ]
