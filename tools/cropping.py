"""Crops of one source for ``flatsort crop``: which boxes are taken, and what became of the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

from embedding.data.writer import SetWriter
from tools.cli import progress
from tools.tracking import Job, TrackConfig
from tracker.boxes import iou, valid
from tracker.crops import crop
from tracker.io.live import LiveSource
from tracker.io.mot import read_table
from tracker.io.video import open_source
from tracker.metrics.mot16 import PEDESTRIAN, UNKNOWN
from tracker.pipeline import at_rate, detect, track
from tracker.sort import SortTracker
from tracker.types import Bool, Detections, Float, Frame, Image, Int

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


class Truth:
    """Boxes and identities that a sequence's ground truth holds, as a detector: those that MOTChallenge evaluates.

    Raises
    ------
    ValueError
        If a line of the file is no box.
    """

    class_names: Sequence[str] = ("person",)
    needs_image = False

    def __init__(self, path: Path) -> None:
        table = read_table(path)
        rows = np.flatnonzero((table.scores != 0) & np.isin(table.classes, (PEDESTRIAN, UNKNOWN)))
        self.length: int | None = int(table.frames.max(initial=0)) or None
        self._rows: dict[int, Int] = {f: rows[table.frames[rows] == f] for f in np.unique(table.frames[rows]).tolist()}
        self._table = table

    def detect(self, frame: Frame) -> Detections:
        """The boxes of this frame."""
        return Detections.of(self._table.boxes[self._of(frame)])

    def identities(self, frame: Frame) -> Int:
        """Identity of each of them, [n]."""
        ids: Int = self._table.ids[self._of(frame)]
        return ids

    def _of(self, frame: Frame) -> Int:
        return self._rows.get(frame.index, np.empty(0, np.int64))


def open_truth(text: str, config: TrackConfig, fps: float | None = None) -> Job:
    """A sequence folder with its ground truth in the place of a detector.

    Raises
    ------
    FileNotFoundError
        If it has none.
    ValueError
        If frames or ground truth cannot be read.
    """
    folder = Path(text).parent if Path(text).name == "img1" else Path(text)
    path = folder / "gt" / "gt.txt"
    if not path.is_file():
        raise FileNotFoundError(f"{text}: expected ground truth in {path} for --boxes gt, found no such file")
    truth = Truth(path)
    return Job(open_source(text, fps=fps, length=truth.length), truth, config)


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
    for result in track(seen, SortTracker(at_rate(job.config, job.source.fps))):
        ids = np.full(len(result.detections), -1)
        matched = result.tracks[result.tracks.source >= 0]
        ids[matched.source] = matched.ids
        yield result.frame, result.detections, ids


def _select(found: Detections, image: Image, wanted: Wanted, min_score: float | None, tally: Tally) -> Int:
    """Rows of the boxes to take; the others are counted by the first reason against them."""
    boxes = found.boxes
    usable = valid(boxes) & np.isfinite(found.scores)
    height, width = image.shape[:2]
    usable &= (boxes[:, 2] > 0) & (boxes[:, 3] > 0) & (boxes[:, 0] < width) & (boxes[:, 1] < height)
    sure = found.scores >= (-np.inf if min_score is None else min_score)
    rows = np.flatnonzero(usable & sure)
    tall = boxes[rows, 3] - boxes[rows, 1] >= wanted.min_height
    free = covered(boxes[rows]) <= wanted.max_overlap
    for reason, count in (
        ("bad boxes", (~usable).sum()),
        ("of low score", (usable & ~sure).sum()),
        ("too low", (~tall).sum()),
        ("overlapping", (tall & ~free).sum()),
    ):
        tally.left_out[reason] += int(count)
    taken: Int = rows[tall & free]
    return taken


def covered(boxes: Float) -> Float:
    """Largest share of each box [n 4] that one of the others covers, [n] in 0..1."""
    overlap = iou(boxes, boxes)
    np.fill_diagonal(overlap, 0.0)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    shared = overlap / (1 + overlap) * (areas[:, None] + areas)  # of the union back to the intersection
    share: Float = np.minimum((shared / areas[:, None]).max(axis=1, initial=0.0), 1.0)
    return share
