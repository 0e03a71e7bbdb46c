"""A run is a chain of generators: frames → detect → track → sinks. Nothing flows backwards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from tracker.io.results import with_detector_boxes
from tracker.motion.camera import CameraMotion
from tracker.protocols import Detector
from tracker.smoothing import SmoothConfig, smooth
from tracker.sort import SortConfig, SortTracker
from tracker.types import Detections, Frame, FrameResult, Tracks, concatenate


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


def smoothed(results: Sequence[FrameResult], config: SmoothConfig) -> list[FrameResult]:
    """The results of a whole source with their tracks smoothed and gaps filled: one row an id and frame.

    The boxes of the matched detections are smoothed. A filled row takes score and class of the row before the gap.
    """
    tracks = [with_detector_boxes(result).tracks for result in results]
    counts = [len(t) for t in tracks]
    frames = np.repeat(np.arange(len(results)), counts)
    every = concatenate(tracks)
    rows = smooth(frames, every.ids, every.boxes, every.source >= 0, config)

    before = np.lexsort((frames, every.ids))
    stride = len(results) + 1
    place = np.searchsorted((every.ids * stride + frames)[before], rows.ids * stride + rows.frames, side="right") - 1
    origin = before[place]
    source = np.where(rows.source >= 0, every.source[origin], -1)
    merged = Tracks(rows.ids, rows.boxes, every.scores[origin], every.classes[origin], source)
    starts = np.searchsorted(rows.frames, np.arange(stride))
    return [replace(r, tracks=merged[a:b]) for r, a, b in zip(results, starts[:-1], starts[1:], strict=True)]
