"""The crops of a source for ``flatsort crop``: which boxes are taken, and why the others are left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field

import numpy as np

from flatsort.embedding.data.writer import SetWriter
from flatsort.tools.cli import progress
from flatsort.tools.runs.ground_truth import GroundTruthDetector
from flatsort.tracker.boxes import iou, valid
from flatsort.tracker.crops import crop
from flatsort.tracker.io.file_source import FileSource
from flatsort.tracker.io.live import LiveSource
from flatsort.tracker.pipeline import Run
from flatsort.tracker.types import Bool, Detections, Float, Frame, Image, Int

THUMBNAIL = (8, 16)
"""Width and height in pixels of the grey images that near duplicates are told by."""
SAME_PLACE = 0.5
"""IoU from which boxes of successive used frames are taken for one object where no track says so."""


@dataclass(frozen=True)
class CropSelection:
    """Which crops are taken.

    Attributes
    ----------
    size : tuple of int
        Width and height of the crops, pixels.
    min_height : float
        Of a box, pixels.
    stride : int
        Every how many frames.
    frames : int or None
        Where to stop.
    max_overlap : float
        Largest share of a box that another box may cover.
    duplicates : float
        A crop that differs less from the last one taken of its object is a duplicate: mean absolute difference of
        8×16 grey images, in levels of 255.
    tracklets : bool
        Whether boxes are linked by motion.
    """

    size: tuple[int, int]
    min_height: float = 0.0
    stride: int = 1
    frames: int | None = None
    max_overlap: float = 1.0
    duplicates: float = 0.0
    tracklets: bool = False


@dataclass
class CropCounts:
    """How many frames were used, and what was left out of them.

    Attributes
    ----------
    left_out : Counter
        Boxes that were not taken, by reason.
    skipped : list of str
        One sentence for each image that could not be used.
    """

    frames: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    skipped: list[str] = field(default_factory=list)

    @property
    def sentence(self) -> str:
        """What was left out, and why; empty if nothing was."""
        parts = [f"{count} {reason}" for reason, count in self.left_out.items() if count]
        if self.skipped:
            parts.append(f"{len(self.skipped)} images that cannot be used")
        return f"left out: {', '.join(parts)}" if parts else ""


def crop_source(run: Run, name: str, selection: CropSelection, writer: SetWriter, counts: CropCounts) -> None:
    """Add the crops of a source to a set.

    Raises
    ------
    ValueError, OSError
        If the source ends in an error.
    """
    writer.begin_source()
    duplicates = DuplicateFilter(selection.duplicates)
    with ExitStack() as stack:
        if isinstance(run.source, LiveSource):
            stack.enter_context(closing(run.source))
        first = run.source.first if isinstance(run.source, FileSource) else 1
        frames = progress(run.frames(selection.frames), run.length(selection.frames), name)
        for frame, detections, tracklets in _with_tracklets(frames, run, selection):
            if (frame.index - first) % selection.stride:
                continue
            counts.frames += 1
            if frame.image is None:
                counts.skipped.append(f"{name}, frame {frame.index}: cannot be read")
                continue
            detector, unknown = run.detector, np.full(len(detections), -1)
            identities = detector.identities(frame) if isinstance(detector, GroundTruthDetector) else unknown
            rows = _select(detections, frame.image, selection, run.config.min_score, counts)
            keys = tracklets if selection.tracklets else identities
            new = duplicates.new(frame.image, detections.boxes[rows], keys[rows])
            counts.left_out["near duplicates"] += int((~new).sum())
            rows = rows[new]
            if len(rows):
                crops = crop(frame.image, detections.boxes[rows], selection.size)
                writer.add(crops, name, frame=frame.index, identity=identities[rows], track=tracklets[rows])


class DuplicateFilter:
    """Tells near duplicates from crops that show something new.

    A crop is compared with the last new one of its object. The object is the one that has the same key in the frame
    before, or without keys, the one whose box overlaps most.

    Parameters
    ----------
    threshold : float
        Least mean absolute difference of small grey images, in levels of 255; 0: all is new.
    """

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._boxes, self._keys = np.empty((0, 4)), np.empty(0, np.int64)
        self._shown = np.empty((0, THUMBNAIL[1], THUMBNAIL[0]))

    def new(self, image: Image, boxes: Float, keys: Int) -> Bool:
        """Which boxes of the next frame show something new, [n].

        Parameters
        ----------
        image : uint8 [h w 3]
        boxes : float64 [n 4]
        keys : int64 [n]
            Of the objects; −1 where unknown.
        """
        new = np.ones(len(boxes), bool)
        if not self._threshold:
            return new
        shown = crop(image, boxes, THUMBNAIL).mean(axis=3)
        if len(boxes) and len(self._boxes):
            same = np.where(keys[:, None] >= 0, keys[:, None] == self._keys, iou(boxes, self._boxes))
            before = same.argmax(axis=1)
            change = np.abs(shown - self._shown[before]).mean(axis=(1, 2))
            new = (same.max(axis=1) < SAME_PLACE) | (change >= self._threshold)
            shown = np.where(new[:, None, None], shown, self._shown[before])
        self._boxes, self._keys, self._shown = boxes, keys, shown
        return new


def _with_tracklets(
    frames: Iterable[Frame], run: Run, selection: CropSelection
) -> Iterator[tuple[Frame, Detections, Int]]:
    """Frames, their detections, and the tracklet of each detection: −1 without one."""
    stream = run.detect(frames)
    if not selection.tracklets:
        yield from ((frame, detections, np.full(len(detections), -1)) for frame, detections in stream)
        return
    numbers = TrackletNumbers()
    for result in run.track(stream, run.tracker()):
        detections = result.detections
        ids = np.full(len(detections), -1)
        matched = result.tracks[result.tracks.source >= 0]
        ids[matched.source] = matched.ids
        covered = hidden(detections, selection.max_overlap, run.config.min_score)
        yield result.frame, detections, numbers.of(ids, covered)


class TrackletNumbers:
    """Numbers of tracklets: a track goes on as another one after it was hidden, when it may have become another object.

    That costs next to no views, and a fifth to a third of the wrong ones (public detections of MOT15 and MOT17).
    """

    def __init__(self) -> None:
        self._hidden: Counter[int] = Counter()
        self._numbers: dict[tuple[int, int], int] = {}

    def of(self, ids: Int, hidden: Bool) -> Int:
        """Tracklet of each box of the next frame, [n]; −1 without one.

        Parameters
        ----------
        ids : int64 [n]
            Of the tracks; −1 without one.
        hidden : bool [n]
        """
        numbers = np.full(len(ids), -1)
        self._hidden.update(ids[hidden].tolist())
        for row in np.flatnonzero((ids >= 0) & ~hidden).tolist():
            piece = (int(ids[row]), self._hidden[int(ids[row])])
            numbers[row] = self._numbers.setdefault(piece, len(self._numbers))
        return numbers


def _select(
    detections: Detections, image: Image, selection: CropSelection, min_score: float | None, counts: CropCounts
) -> Int:
    """Rows of the boxes to take; the others are counted by the first reason against them."""
    boxes = detections.boxes
    usable = valid(boxes) & np.isfinite(detections.scores)
    height, width = image.shape[:2]
    usable &= (boxes[:, 2] > 0) & (boxes[:, 3] > 0) & (boxes[:, 0] < width) & (boxes[:, 1] < height)
    confident = usable & _above(detections, min_score)
    tall = confident & (boxes[:, 3] - boxes[:, 1] >= selection.min_height)
    taken = tall & ~hidden(detections, selection.max_overlap, min_score)
    for reason, before, after in (
        ("bad boxes", np.ones(len(detections), bool), usable),
        ("of low score", usable, confident),
        ("too low", confident, tall),
        ("overlapping", tall, taken),
    ):
        counts.left_out[reason] += int((before & ~after).sum())
    return np.flatnonzero(taken)


def hidden(detections: Detections, max_overlap: float, min_score: float | None) -> Bool:
    """Which boxes are covered by another one of enough score beyond the largest share, [n]."""
    rows = np.flatnonzero(valid(detections.boxes) & _above(detections, min_score))
    out = np.zeros(len(detections), bool)
    out[rows] = largest_cover(detections.boxes[rows]) > max_overlap
    return out


def _above(detections: Detections, min_score: float | None) -> Bool:
    above: Bool = detections.scores >= (-np.inf if min_score is None else min_score)
    return above


def largest_cover(boxes: Float) -> Float:
    """Largest share of each box [n 4] that one of the others covers, [n] in 0..1."""
    overlap = iou(boxes, boxes)
    np.fill_diagonal(overlap, 0.0)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    shared = overlap / (1 + overlap) * (areas[:, None] + areas)  # of the union back to the intersection
    share: Float = np.minimum((shared / areas[:, None]).max(axis=1, initial=0.0), 1.0)
    return share
