"""The frames of a run, opened by what its detections need, and the check of detections against them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from flatsort.tracker.detectors.mot_file import MotFileDetector
from flatsort.tracker.images import ValueRange
from flatsort.tracker.input_check import InputBoxes, check_input, stride_note, thresholds_of
from flatsort.tracker.io.file_source import FileSource
from flatsort.tracker.io.video import open_source
from flatsort.tracker.protocols import Detector, FrameSource
from flatsort.tracker.track_config import TrackConfig


@dataclass(frozen=True)
class SourceOptions:
    """How a source is opened.

    Attributes
    ----------
    images : bool or None
        Whether images are needed; None: where there are any.
    needs_embedder : bool
        Whether they are needed for an embedder.
    may_lack : bool
        Whether a source without images will do all the same.
    fps, values, stride
        See `tracker.io.video.open_source`.
    """

    images: bool | None
    needs_embedder: bool
    may_lack: bool
    fps: float | None = None
    values: ValueRange | None = None
    stride: int | None = None


def open_input(text: str, detector: Detector, options: SourceOptions) -> tuple[FrameSource, str]:
    """Open a source, and tell the detections of a file its frames.

    Returns
    -------
    FrameSource
    str
        What it lacks of the images that only an embedder needs.

    Raises
    ------
    ValueError, OSError
        If it cannot be opened, or is live and detections are of a file.
    """
    source, lack = _open(text, detector, options)
    if isinstance(detector, MotFileDetector):
        if not isinstance(source, FileSource):
            live = "a live source drops frames"
            raise ValueError(f"{source.name}: detections of a file belong to frames by number, {live}")
        detector.follow(source.pictures)
    return source, lack


def notes_on_input(text: str, detector: Detector, source: FrameSource, options: SourceOptions) -> list[str]:
    """Sentences on choices that were made while opening."""
    if not isinstance(source, FileSource):
        return []
    notes = []
    if options.stride is None:
        path = detector.file.path if isinstance(detector, MotFileDetector) else text
        notes.append(stride_note(path, "detections", source))
    if options.values is None and source.values is not None:
        low, high = source.values.low, source.values.high
        notes.append(f"{source.name}: pictures of many levels, {low:.0f} is shown black and {high:.0f} white (--range)")
    return notes


def check_detections(text: str, detector: Detector, source: FrameSource, config: TrackConfig) -> list[str]:
    """Compare the detections of a file with the source and with the tracker's thresholds of scores.

    Raises
    ------
    ValueError
        If they can only be wrong there.
    """
    if not isinstance(detector, MotFileDetector) or not isinstance(source, FileSource):
        return []
    given = InputBoxes.of(detector.file.path, detector.file.frames)
    if detector.needs_image:  # shares of the picture fit any
        given = replace(given, boxes=np.empty((0, 4)))
    least = getattr(config.detector, "min_score", None)
    return check_input(given, source, picture_size(text, source), thresholds_of(config, least))


def picture_size(text: str, source: FileSource) -> tuple[int, int] | None:
    """Width and height of a source's images, of which one is read where that is not known; None without images."""
    if source.size is None and source.absent < (source.length or 0):
        with suppress(ValueError, OSError):
            return open_source(text).size
    return source.size


def _open(text: str, detector: Detector, options: SourceOptions) -> tuple[FrameSource, str]:
    frames, length = None, None
    if isinstance(detector, MotFileDetector):
        length = detector.length
        frames = None if detector.needs_image else np.array(list(detector.file.frames), np.int64)
    known = partial(open_source, text, fps=options.fps, values=options.values, length=length)
    opened = partial(known, frames=frames, stride=options.stride)
    images, for_embedder = options.images, options.needs_embedder
    pictured = detector.needs_image or for_embedder
    try:
        source = opened(images=images or images is None or for_embedder, pictured=pictured)
    except ValueError:
        if images or (for_embedder and not options.may_lack) or not (for_embedder or images is None):
            raise
        return opened(images=False), "no images that can be read"
    if not isinstance(source, FileSource) or 2 * source.absent <= (source.length or 0):
        return source, ""
    lack = f"{source.absent} of {source.length} frames have no image"
    return (source if images or not (for_embedder and options.may_lack) else opened(images=False)), lack
