"""The ground truth of a sequence: which boxes are taken as labelled objects, and these in the place of a detector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from flatsort.tools.runs.open_run import resolve
from flatsort.tracker.class_names import choose_classes
from flatsort.tracker.images import ValueRange
from flatsort.tracker.input_check import InputBoxes, check_input
from flatsort.tracker.io.file_source import FileSource
from flatsort.tracker.io.layouts import IGNORED
from flatsort.tracker.io.mot import MotTable, read_table
from flatsort.tracker.io.video import open_source
from flatsort.tracker.metrics.scoring_rules import PEDESTRIAN, UNKNOWN
from flatsort.tracker.pipeline import Run
from flatsort.tracker.track_config import TrackConfig
from flatsort.tracker.types import Bool, Detections, Frame, Int

MIN_VISIBILITY = 0.25
"""Least visible share of a box that is taken where none is asked for: 9.3 % of the boxes that MOT17's training set
evaluates have visibility 0 and show what stands in front."""


@dataclass(frozen=True)
class LabelledBoxes:
    """Which boxes of a ground truth are taken as labelled objects.

    Attributes
    ----------
    classes : tuple of str or None
        Names or numbers; none of them: all; None: pedestrians of a benchmark, all classes of any other file.
    min_visibility : float or None
        Least visibility (column 9), 0..1, where the file has that column; None: `MIN_VISIBILITY`.
    """

    classes: tuple[str, ...] | None = None
    min_visibility: float | None = None

    def rows(self, table: MotTable) -> tuple[Bool, str]:
        """Mask of the boxes to take, [n], and a sentence on those of them that are hardly visible; else an empty one.

        Raises
        ------
        ValueError
            If a class is asked for that the file does not have.
        """
        chosen = (table.scores != 0) & self._of_class(table)
        least = MIN_VISIBILITY if self.min_visibility is None else self.min_visibility
        hidden = chosen & (table.visibility < least)
        count = int(hidden.sum())
        note = f"{table.path}: left out {count} boxes that are visible for less than {least:g}" if count else ""
        return chosen & ~hidden, note

    def _of_class(self, table: MotTable) -> Bool:
        names = table.class_names
        if self.classes is None and not names:
            mask: Bool = np.isin(table.classes, (PEDESTRIAN, UNKNOWN))
            return mask
        numbers = set(np.unique(table.classes).tolist()) - set(IGNORED.get(table.layout, ()))
        known = {number: names.get(number, str(number)) for number in numbers}
        return np.isin(table.classes, choose_classes(known, self.classes or ()))


class GroundTruthDetector:
    """Boxes and identities that a sequence's ground truth holds, as a detector.

    Parameters
    ----------
    path : Path
        A ``gt.txt``.
    labelled : LabelledBoxes
        Which of its boxes.

    Attributes
    ----------
    table : MotTable
    chosen : bool [n]
        Which of its rows are used.
    note : str
        What was left out that users should know of.

    Raises
    ------
    ValueError
        If a line of the file is no box, or a class is unknown.
    """

    needs_image = False

    def __init__(self, path: Path, labelled: LabelledBoxes) -> None:
        table = read_table(path)
        self.chosen, self.note = labelled.rows(table)
        rows = np.flatnonzero(self.chosen)
        self.class_names: Sequence[str] = ("object",)
        self.length: int | None = int(table.frames.max(initial=0)) or None
        self._rows: dict[int, Int] = {f: rows[table.frames[rows] == f] for f in np.unique(table.frames[rows]).tolist()}
        self.table = table

    def detect(self, frame: Frame) -> Detections:
        """The boxes of this frame."""
        return Detections.of(self.table.boxes[self._of(frame)])

    def identities(self, frame: Frame) -> Int:
        """Identity of each of them, [n]."""
        ids: Int = self.table.ids[self._of(frame)]
        return ids

    def _of(self, frame: Frame) -> Int:
        return self._rows.get(frame.index, np.empty(0, np.int64))


def open_labelled(
    text: str,
    table: MotTable,
    chosen: Bool,
    *,
    length: int | None = None,
    values: ValueRange | None = None,
    check: bool = True,
) -> tuple[FileSource, list[str]]:
    """The frames of a sequence that its ground truth annotates, and what users should know of both.

    Parameters
    ----------
    text : str
        What `tracker.io.video.open_source` opens.
    table : MotTable
        The ground truth.
    chosen : bool [n]
        Which of its boxes are used.
    length, values
        See `tracker.io.video.open_source`.
    check : bool
        Whether the boxes are compared with the frames.

    Raises
    ------
    ValueError, OSError
        If the frames cannot be read, or the boxes can only be wrong there.
    """
    source = open_source(text, length=length, values=values, frames=table.frames, stride=None, pictured=True)
    if not isinstance(source, FileSource):
        raise ValueError(f"{text}: expected a sequence with ground truth, got a live source")
    if not check:
        return source, []
    used = table.take(chosen)
    boxes = InputBoxes(used.path, used.frames, used.boxes, used.scores, "boxes")
    return source, check_input(boxes, source, source.size)


def open_ground_truth(
    text: str,
    config: TrackConfig,
    labelled: LabelledBoxes,
    values: ValueRange | None = None,
    *,
    check: bool = True,
) -> Run:
    """A sequence folder with its ground truth in the place of a detector.

    Raises
    ------
    FileNotFoundError
        If it has none.
    ValueError
        If frames or ground truth cannot be read, or do not belong together.
    """
    folder = Path(text).parent if Path(text).name == "img1" else Path(text)
    path = folder / "gt" / "gt.txt"
    if not path.is_file():
        raise FileNotFoundError(f"{text}: expected ground truth in {path} for --boxes gt, got no such file")
    detector = GroundTruthDetector(path, labelled)
    source, notes = open_labelled(
        text, detector.table, detector.chosen, length=detector.length, values=values, check=check
    )
    return resolve(source, detector, config, notes=[detector.note, *notes])
