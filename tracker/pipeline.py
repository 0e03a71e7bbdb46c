"""A run is a chain of generators: frames → detect → embed → track → sinks. Nothing flows backwards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from flatsort.tracker.io.file_source import FileSource
from flatsort.tracker.io.live import LiveSource
from flatsort.tracker.io.results import with_detector_boxes
from flatsort.tracker.latent_reuse import LatentReuse
from flatsort.tracker.motion.camera import CameraMotion
from flatsort.tracker.protocols import Detector, Embedder, FrameSource
from flatsort.tracker.smoothing import SmoothConfig, smooth
from flatsort.tracker.sort import SortTracker
from flatsort.tracker.track_config import TrackConfig
from flatsort.tracker.types import Detections, Float, Frame, FrameResult, Tracks, concatenate

ROUNDING = 0.1
"""Of a frame: by how much timestamps of a constant rate differ, which many containers round to 1 ms."""
DetectionStream = Iterator[tuple[Frame, Detections]]


@dataclass(frozen=True, eq=False)
class Run:
    """A source and the parts that its frames pass through. Nothing of it is chosen or changed afterwards.

    Attributes
    ----------
    source : FrameSource
    detector : Detector
    config : TrackConfig
        Resolved: with the detector that was chosen, the source's frame rate and the embedder's threshold.
    embedder : Embedder or None
    notes : tuple of str
        Choices that the user should know of, a sentence each.
    """

    source: FrameSource
    detector: Detector
    config: TrackConfig
    embedder: Embedder | None = None
    notes: tuple[str, ...] = ()

    @property
    def live(self) -> bool:
        """Whether frames come from a camera or stream, which has no end."""
        return isinstance(self.source, LiveSource)

    @property
    def rate(self) -> float:
        """Nominal frames per second that are worked on."""
        return self.source.fps / (self.source.lag if isinstance(self.source, FileSource) else 1)

    @property
    def smooths(self) -> bool:
        """Whether tracks are smoothed once all are known."""
        return self.config.offline and not self.live

    def length(self, max_frames: int | None = None) -> int | None:
        """Number of frames, ``max_frames`` at most; None where the source does not tell."""
        total = self.source.length
        return total if max_frames is None else min(max_frames, total or max_frames)

    def frames(self, max_frames: int | None = None) -> Iterator[Frame]:
        """The frames of the source from its first one, ``max_frames`` at most."""
        return islice(iter(self.source), max_frames)

    def detect(self, frames: Iterable[Frame]) -> DetectionStream:
        """Each frame with its detections."""
        return detect(frames, self.detector)

    def embed(self, stream: Iterable[tuple[Frame, Detections]]) -> DetectionStream:
        """Each frame with its detections and their latents, where the run has an embedder."""
        if self.embedder is None:
            return iter(stream)
        settings = self.config.embed
        return embed(
            stream,
            self.embedder,
            batch=1 if self.live else settings.batch,
            max_reuse=settings.max_reuse(self.rate),
            dim=settings.dim(self.embedder.dim),
        )

    def tracker(self) -> SortTracker:
        """A new tracker of this config."""
        return SortTracker(self.config)

    def track(self, stream: Iterable[tuple[Frame, Detections]], tracker: SortTracker) -> Iterator[FrameResult]:
        """Each frame with its detections and tracks."""
        return track(stream, tracker, self.source.size)

    def smooth(self, results: Sequence[FrameResult]) -> list[FrameResult]:
        """All results of a source with their tracks smoothed and gaps filled."""
        return smooth_results(results, self.config.smooth, self.source.fps)


def detect(frames: Iterable[Frame], detector: Detector) -> Iterator[tuple[Frame, Detections]]:
    """Each frame with its detections; none where it needs an image and there is none.

    Raises
    ------
    ValueError
        If the detector gives anything but `Detections`.
    """
    for frame in frames:
        lacks_image = detector.needs_image and frame.image is None
        detections = Detections.empty() if lacks_image else detector.detect(frame)
        if not isinstance(detections, Detections):
            expected = f"detector {type(detector).__name__}, frame {frame.index}: expected Detections"
            raise ValueError(f"{expected}, got {type(detections).__name__}")
        yield frame, detections


def embed(
    stream: Iterable[tuple[Frame, Detections]],
    embedder: Embedder,
    *,
    batch: int = 1,
    max_reuse: int = 1,
    dim: int | None = None,
) -> Iterator[tuple[Frame, Detections]]:
    """Each frame with its detections and their latents; without detections where the image cannot be read.

    Parameters
    ----------
    stream : iterable of Frame and Detections
    embedder : Embedder
    batch : int
        Frames that share a call of the embedder; the first of them waits for the last.
    max_reuse : int
        Frames that a box that follows another without doubt keeps its latent; see `tracker.latent_reuse`.
    dim : int, optional
        Numbers that are kept, from the first on, of each latent; all of them by default.
    """
    reuse, frames = LatentReuse(max_reuse), iter(stream)
    while pairs := list(islice(frames, batch)):
        pairs = [(frame, each if frame.image is not None else Detections.empty()) for frame, each in pairs]
        origins = [reuse.origins(each) for _, each in pairs]
        boxes = [each.boxes[origin < 0] for (_, each), origin in zip(pairs, origins, strict=True)]
        images = {row: f.image for row, (f, _) in enumerate(pairs) if f.image is not None and len(boxes[row])}
        latents = embedder.embed(list(images.values()), [boxes[row] for row in images]) if images else []
        own = {row: each[:, :dim] for row, each in zip(images, latents, strict=True)}
        none = np.empty((0, embedder.dim), np.float32)[:, :dim]
        for row, (frame, each) in enumerate(pairs):
            yield frame, replace(each, latents=reuse.fill(origins[row], own.get(row, none)))


def track(
    stream: Iterable[tuple[Frame, Detections]], tracker: SortTracker, size: tuple[int, int] | None = None
) -> Iterator[FrameResult]:
    """Each frame with its detections and tracks.

    Camera motion is estimated where the tracker's config asks for it. ``size`` is width and height of the images, for
    frames that come without. Where the tracker has seen frames of another source, these follow after them.
    """
    start = tracker.next_time
    config = tracker.config.camera
    camera = CameraMotion(config) if config.method != "none" else None
    for frame, detections in stream:
        affine = None if camera is None else camera.estimate(frame.image, detections.boxes)
        shape = size if frame.image is None else (frame.image.shape[1], frame.image.shape[0])
        yield FrameResult(frame, detections, tracker.step(detections, start + frame.time, affine, shape))


def clock_of(results: Sequence[FrameResult], fps: float) -> Float | None:
    """Times in nominal frames from the first frame on; None where frames come at the nominal rate, but for rounding."""
    times = np.array([result.frame.time for result in results]) * fps
    steps = np.diff(times)
    regular = np.abs(steps - 1.0) <= ROUNDING
    if regular.all() or not (steps > 0).all():
        return None
    return np.concatenate([[0.0], np.cumsum(np.where(regular, 1.0, steps))])


def smooth_results(results: Sequence[FrameResult], config: SmoothConfig, fps: float | None = None) -> list[FrameResult]:
    """The results of a whole source with their tracks smoothed and gaps filled: one row an id and frame.

    The boxes of the matched detections are smoothed, over the frames' times where ``fps`` nominal frames a second are
    given. A filled row takes score and class of the row before the gap.
    """
    tracks = [with_detector_boxes(result).tracks for result in results]
    counts = [len(t) for t in tracks]
    frames = np.repeat(np.arange(len(results)), counts)
    every = concatenate(tracks)
    rows = smooth(frames, every.ids, every.boxes, every.source >= 0, config, clock_of(results, fps) if fps else None)

    before = np.lexsort((frames, every.ids))
    stride = len(results) + 1
    place = np.searchsorted((every.ids * stride + frames)[before], rows.ids * stride + rows.frames, side="right") - 1
    origin = before[place]
    source = np.where(rows.source >= 0, every.source[origin], -1)
    merged = Tracks(rows.ids, rows.boxes, every.scores[origin], every.classes[origin], source)
    starts = np.searchsorted(rows.frames, np.arange(stride))
    return [replace(r, tracks=merged[a:b]) for r, a, b in zip(results, starts[:-1], starts[1:], strict=True)]
