"""The ground truth of a sequence in the place of a detector."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from flatsort.tools.runs.open_run import resolve
from flatsort.tracker.io.mot import read_table
from flatsort.tracker.io.video import open_source
from flatsort.tracker.metrics.preprocessing import PEDESTRIAN, UNKNOWN
from flatsort.tracker.pipeline import Run
from flatsort.tracker.track_config import TrackConfig
from flatsort.tracker.types import Detections, Frame, Int


class GroundTruthDetector:
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


def open_ground_truth(text: str, config: TrackConfig) -> Run:
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
        raise FileNotFoundError(f"{text}: expected ground truth in {path} for --boxes gt, got no such file")
    detector = GroundTruthDetector(path)
    return resolve(open_source(text, length=detector.length), detector, config)
