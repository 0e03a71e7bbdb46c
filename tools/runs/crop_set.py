"""Crops of one source for ``flatsort crop``: which boxes are taken, and what became of the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from flatsort.embedding.data.writer import SetWriter
from flatsort.tools.cli import progress
from flatsort.tools.runs.track_run import Job
from flatsort.tools.runs.ground_truth import Truth
from flatsort.tracker.boxes import iou, valid
from flatsort.tracker.crops import crop
from flatsort.tracker.io.live import LiveSource
from flatsort.tracker.pipeline import at_rate, detect, track
from flatsort.tracker.sort import SortTracker
from flatsort.tracker.types import Bool, Detections, Float, Frame, Image, Int

THUMBNAIL = (8, 16)
"""Width and height in pixels of the grey pictures that near duplicates are told by."""
SAME_PLACE = 0.5
"""IoU from which boxes of successive used frames are taken for one object where no track says so."""


@dataclass(frozen=True)
class Wanted:
    """Which crops a run shall take.

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
        8×16 grey pictures, in levels of 255.
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
class Tally:
    """What became of frames and boxes.

    Attributes
    ----------
    left_out : Counter
        Boxes that were not taken, by reason.
    skipped : list of str
        One sentence for each picture that could not be used.
    """

    frames: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    skipped: list[str] = field(default_factory=list)

    @property
    def sentence(self) -> str:
        """What was left out, and why; empty if nothing was."""
        parts = [f"{count} {reason}" for reason, count in self.left_out.items() if count]
        if self.skipped:
            parts.append(f"{len(self.skipped)} pictures that cannot be used")
        return f"left out: {', '.join(parts)}" if parts else ""


def crop_source(job: Job, name: str, wanted: Wanted, writer: SetWriter, tally: Tally) -> None:
    """Add the crops of a source to a set.

    Raises
    ------
    ValueError, OSError
        If the source ends in an error.
    """
    writer.begin_source()
    novelty = Novelty(wanted.duplicates)
    with ExitStack() as stack:
        if isinstance(job.source, LiveSource):
            stack.enter_context(closing(job.source))
        total = job.source.length
        frames = progress(
            islice(job.source, wanted.frames), min(total, wanted.frames or total) if total else None, name
        )
        for frame, found, tracks in _linked(frames, job, wanted):
            if (frame.index - 1) % wanted.stride:
                continue
            tally.frames += 1
            if frame.image is None:
                tally.skipped.append(f"{name}, frame {frame.index}: cannot be read")
                continue
            truth = job.detector
            identities = truth.identities(frame) if isinstance(truth, Truth) else np.full(len(found), -1)
            rows = _select(found, frame.image, wanted, job.config.min_score, tally)
            keys = tracks if wanted.tracklets else identities
            new = novelty.new(frame.image, found.boxes[rows], keys[rows])
            tally.left_out["near duplicates"] += int((~new).sum())
            rows = rows[new]
            if len(rows):
                crops = crop(frame.image, found.boxes[rows], wanted.size)
                writer.add(crops, name, frame=frame.index, identity=identities[rows], track=tracks[rows])


class Novelty:
    """Tells crops that show something new from near duplicates.

    A crop is compared with the last new one of its object. The object is the one that has the same key in the frame
    before, or without keys, the one whose box overlaps most.

    Parameters
    ----------
    limit : float
        Least mean absolute difference of small grey pictures, in levels of 255; 0: all is new.
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
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
        if not self._limit:
            return new
        shown = crop(image, boxes, THUMBNAIL).mean(axis=3)
        if len(boxes) and len(self._boxes):
            same = np.where(keys[:, None] >= 0, keys[:, None] == self._keys, iou(boxes, self._boxes))
            before = same.argmax(axis=1)
            change = np.abs(shown - self._shown[before]).mean(axis=(1, 2))
            new = (same.max(axis=1) < SAME_PLACE) | (change >= self._limit)
            shown = np.where(new[:, None, None], shown, self._shown[before])
        self._boxes, self._keys, self._shown = boxes, keys, shown
        return new


def _linked(frames: Iterable[Frame], job: Job, wanted: Wanted) -> Iterator[tuple[Frame, Detections, Int]]:
    """Frames, what is detected in them, and the tracklet of each detection: −1 without one."""
    seen = detect(frames, job.detector)
    if not wanted.tracklets:
        yield from ((frame, found, np.full(len(found), -1)) for frame, found in seen)
        return
    numbers = Tracklets()
    for result in track(seen, SortTracker(at_rate(job.config, job.source.fps))):
        found = result.detections
        ids = np.full(len(found), -1)
        matched = result.tracks[result.tracks.source >= 0]
        ids[matched.source] = matched.ids
        yield result.frame, found, numbers.of(ids, hidden(found, wanted.max_overlap, job.config.min_score))


class Tracklets:
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


def _select(found: Detections, image: Image, wanted: Wanted, min_score: float | None, tally: Tally) -> Int:
    """Rows of the boxes to take; the others are counted by the first reason against them."""
    boxes = found.boxes
    usable = valid(boxes) & np.isfinite(found.scores)
    height, width = image.shape[:2]
    usable &= (boxes[:, 2] > 0) & (boxes[:, 3] > 0) & (boxes[:, 0] < width) & (boxes[:, 1] < height)
    sure = usable & _sure(found, min_score)
    tall = sure & (boxes[:, 3] - boxes[:, 1] >= wanted.min_height)
    taken = tall & ~hidden(found, wanted.max_overlap, min_score)
    for reason, before, after in (
        ("bad boxes", np.ones(len(found), bool), usable),
        ("of low score", usable, sure),
        ("too low", sure, tall),
        ("overlapping", tall, taken),
    ):
        tally.left_out[reason] += int((before & ~after).sum())
    return np.flatnonzero(taken)


def hidden(found: Detections, max_overlap: float, min_score: float | None) -> Bool:
    """Which boxes are covered by another one of enough score beyond the largest share, [n]."""
    rows = np.flatnonzero(valid(found.boxes) & _sure(found, min_score))
    out = np.zeros(len(found), bool)
    out[rows] = covered(found.boxes[rows]) > max_overlap
    return out


def _sure(found: Detections, min_score: float | None) -> Bool:
    sure: Bool = found.scores >= (-np.inf if min_score is None else min_score)
    return sure


def covered(boxes: Float) -> Float:
    """Largest share of each box [n 4] that one of the others covers, [n] in 0..1."""
    overlap = iou(boxes, boxes)
    np.fill_diagonal(overlap, 0.0)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    shared = overlap / (1 + overlap) * (areas[:, None] + areas)  # of the union back to the intersection
    share: Float = np.minimum((shared / areas[:, None]).max(axis=1, initial=0.0), 1.0)
    return share
