"""A run is a chain of generators: frames → detect → embed → track → sinks. Nothing flows backwards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np

from flatsort.tracker.io.results import with_detector_boxes
from flatsort.tracker.latent_reuse import LatentReuse
from flatsort.tracker.motion.camera import CameraMotion
from flatsort.tracker.protocols import Detector, Embedder
from flatsort.tracker.smoothing import SmoothConfig, smooth
from flatsort.tracker.sort import SortTracker
from flatsort.tracker.types import Detections, Frame, FrameResult, Tracks, concatenate


def detect(frames: Iterable[Frame], detector: Detector) -> Iterator[tuple[Frame, Detections]]:
    """Each frame with what the detector sees in it; nothing where it needs an image and there is none."""
    for frame in frames:
        blind = detector.needs_image and frame.image is None
        yield frame, Detections.empty() if blind else detector.detect(frame)


def embed(
    seen: Iterable[tuple[Frame, Detections]],
    embedder: Embedder,
    *,
    batch: int = 1,
    max_reuse: int = 1,
    dim: int | None = None,
) -> Iterator[tuple[Frame, Detections]]:
    """Each frame with its detections and their latents; without detections where the picture cannot be read.

    Parameters
    ----------
    seen : iterable of Frame and Detections
    embedder : Embedder
    batch : int
        Frames that share a call of the embedder; the first of them waits for the last.
    max_reuse : int
        Frames that a box which is followed without doubt keeps its latent; see `tracker.latent_reuse`.
    dim : int, optional
        Numbers that are kept, from the first on, of each latent; all of them by default.
    """
    carrier, stream = LatentReuse(max_reuse), iter(seen)
    while some := list(islice(stream, batch)):
        some = [(frame, each if frame.image is not None else Detections.empty()) for frame, each in some]
        origins = [carrier.origins(each) for _, each in some]
        wanted = [each.boxes[origin < 0] for (_, each), origin in zip(some, origins, strict=True)]
        asked = {row: f.image for row, (f, _) in enumerate(some) if f.image is not None and len(wanted[row])}
        found = embedder.embed(list(asked.values()), [wanted[row] for row in asked]) if asked else []
        own = {row: latents[:, :dim] for row, latents in zip(asked, found, strict=True)}
        none = np.empty((0, embedder.dim), np.float32)[:, :dim]
        for row, (frame, each) in enumerate(some):
            yield frame, replace(each, latents=carrier.fill(origins[row], own.get(row, none)))


def track(
    seen: Iterable[tuple[Frame, Detections]], tracker: SortTracker, size: tuple[int, int] | None = None
) -> Iterator[FrameResult]:
    """Each frame with its detections and tracks.

    Camera motion is estimated where the tracker's config asks for it. ``size`` is width and height of the pictures, for
    frames that come without.
    """
    config = tracker.config.camera
    camera = CameraMotion(config) if config.method != "none" else None
    for frame, detections in seen:
        affine = None if camera is None else camera.estimate(frame.image, detections.boxes)
        picture = size if frame.image is None else (frame.image.shape[1], frame.image.shape[0])
        yield FrameResult(frame, detections, tracker.step(detections, frame.time, affine, picture))


def smooth_results(results: Sequence[FrameResult], config: SmoothConfig) -> list[FrameResult]:
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
