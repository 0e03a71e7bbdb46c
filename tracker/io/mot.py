"""Tracks and detections in files: tables of ground truth and results, detections by frame, rows of results.

A row of a MOTChallenge file is ``frame, id, x, y, w, h[, score[, class[, visibility]]]``. x and y are read and written
as the benchmark writes them, without a shift by one pixel, as in the benchmark's own evaluation and in other trackers.

References
----------
Wojke et al., "Simple online and realtime tracking with a deep association metric", ICIP 2017: the layout of the
``.npy`` detections that its authors publish.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from flatsort.tracker.boxes import xyxy_to_xywh
from flatsort.tracker.class_names import choose_classes
from flatsort.tracker.io.box_files import FileFormat, read_rows
from flatsort.tracker.io.box_rows import MAX_FRAME, BoxRows
from flatsort.tracker.io.layouts import Layout, class_column, names_of, recognise, require_layout
from flatsort.tracker.types import Bool, Detections, Float, Int, Tracks

ROW_COLUMNS = ("frames", "ids", "boxes", "scores", "classes", "visibility")
"""Attributes of a `MotTable` that have an entry for each row."""


@dataclass(frozen=True, slots=True, eq=False)
class MotTable:
    """The rows of a ground truth or result file, in the file's order.

    Attributes
    ----------
    path : Path
        The file, for error messages.
    frames, ids : int64 [n]
        1-based frame; identity (−1 in detection files).
    boxes : float64 [n 4]
        xyxy, pixels; not checked.
    scores : float64 [n]
        Column 7: confidence of a prediction, "consider" flag of a ground truth; 1 where absent.
    classes : int64 [n]
        Column 8; −1 where absent.
    visibility : float64 [n]
        Column 9, 0..1; 1 where absent.
    columns : int
        Columns of the file; 6 when it has no rows.
    layout : str
        ``mot15``: ten columns, world coordinates or −1 from the eighth on, or fewer than eight. ``mot``: class and
        visibility, as in MOT16 to MOT20. ``visdrone``: score 0 or 1, category, truncation, occlusion. ``uavdt``: as its
        ``_gt_whole.txt``; ``scores`` are then 1, ``classes`` its categories.
    class_names : mapping of int to str
        Names that come with the file: its own, those of a ``labels.txt`` beside it, VisDrone's, UAVDT's; else empty.
    lines : int64 [n] or None
        1-based line of each row; None where rows are no lines.
    """

    path: Path
    frames: Int
    ids: Int
    boxes: Float
    scores: Float
    classes: Int
    visibility: Float
    columns: int
    layout: Layout = "mot"
    class_names: Mapping[int, str] = field(default_factory=dict)
    lines: Int | None = None

    def __len__(self) -> int:
        return len(self.frames)

    def take(self, mask: Bool) -> MotTable:
        """The table with some of its rows."""
        columns = {name: getattr(self, name)[mask] for name in ROW_COLUMNS}
        lines = np.flatnonzero(mask) + 1 if self.lines is None else self.lines[mask]
        return replace(self, **columns, lines=lines)

    def place(self, row: int) -> str:
        """Where a row (0-based) stands in the file, for error messages."""
        return f"row {row + 1}" if self.lines is None else f"line {self.lines[row]}"


@dataclass(frozen=True, slots=True, eq=False)
class DetectionFile:
    """The detections of a file.

    Attributes
    ----------
    path : Path
    frames : dict of int to Detections
        By 1-based frame, ascending; frames without detections are absent.
    class_names : mapping of int to str
        Every class of the file, or named for it, and its name, the number itself where it has none; empty where the
        file has no classes.
    """

    path: Path
    frames: dict[int, Detections]
    class_names: Mapping[int, str]

    def of_classes(self, classes: Sequence[str] | None) -> DetectionFile:
        """The detections of some classes, by name or number; all of them if none is named.

        Raises
        ------
        ValueError
            If the file has no classes, or none of that name or number.
        """
        if not classes:
            return self
        if not self.class_names:
            raise ValueError(
                f"{self.path}: expected classes, to keep {', '.join(classes)}, but no column of the file has any"
            )
        chosen = choose_classes(self.class_names, classes)
        kept = {frame: rows[np.isin(rows.classes, chosen)] for frame, rows in self.frames.items()}
        return DetectionFile(self.path, {frame: rows for frame, rows in kept.items() if len(rows)}, self.class_names)


def read_table(path: str | Path, layout: Layout | None = None, *, file_format: FileFormat = "auto") -> MotTable:
    """Read a ground truth or result file: MOTChallenge rows, a table with a header, or our JSON.

    Parameters
    ----------
    path : str or Path
    layout : str, optional
        What the columns mean; by default that is recognised.
    file_format : str
        See `tracker.io.box_files.read_rows`.

    Raises
    ------
    ValueError
        If a row has too few columns, a field that is no number, a frame outside 1..`MAX_FRAME`, or a frame, id or class
        that is no whole number; the message names file and line. If the file is of another format, or not of the layout
        that is asked for.
    """
    path = Path(path)
    rows = read_rows(path, file_format)
    if not rows.has_ids:
        raise ValueError(f"{path}: expected identities (a column id or track_id, tracks), got boxes without them")
    found = recognise(rows)
    if layout is not None and layout != found:
        require_layout(rows, layout)
        found = layout
    n, k = rows.rest.shape
    scores, classes, visibility = rows.scores, np.full(n, -1), np.ones(n)
    if found == "uavdt":
        scores, classes = np.ones(n), _integers(rows, rows.rest[:, 1], "category")
    elif found != "mot15" and k:
        classes = _integers(rows, rows.rest[:, 0], "class")
        visibility = _visibility(rows.rest[:, 1]) if found == "mot" and k > 1 else visibility
    elif layout is None and (known := class_column(rows)) is not None:
        classes, visibility = known, _visibility(rows.rest[:, 1])
    return MotTable(
        path=path,
        frames=_integers(rows, rows.frames, "frame", 1, MAX_FRAME),
        ids=_integers(rows, rows.ids, "id"),
        boxes=rows.boxes,
        scores=scores,
        classes=classes,
        visibility=visibility,
        columns=rows.columns,
        layout=found,
        class_names=names_of(rows, found, classes),
        lines=rows.lines,
    )


def read_detections(path: str | Path) -> dict[int, Detections]:
    """Frame number → detections of a file; see `read_detection_file`."""
    return read_detection_file(path).frames


def read_detection_file(path: str | Path, file_format: FileFormat = "auto") -> DetectionFile:
    """Read a detection file, in the file's order within a frame.

    Scores are column 7; they are 1 where it is absent or −1 in every row. Classes are column 8 where it holds whole
    numbers from 0 on and no world coordinates follow; else they are 0. Latents are the features of a ``.npy`` file that
    has some. Boxes are not checked: they may be not finite or without area.

    Parameters
    ----------
    path : str or Path
    file_format : str
        See `tracker.io.box_files.read_rows`.

    Raises
    ------
    ValueError
        As `read_table`, but for identities; if only some rows have a class; if a ``.npy`` file is not complete or is no
        table of numbers with at least ten columns.
    """
    path = Path(path)
    rows = read_rows(path, file_format)
    frames = _integers(rows, rows.frames, "frame", 1, MAX_FRAME)
    # the benchmark writes −1 for an unknown score
    no_scores = (rows.scores == -1).all() or recognise(rows) == "uavdt"
    scores = np.ones(len(frames)) if no_scores else rows.scores
    known = class_column(rows)
    numbers = np.zeros(len(frames), np.int64) if known is None else known
    names: Mapping[int, str] = {}
    if known is not None:
        if (known < 0).any():
            row = int(np.flatnonzero(known < 0)[0])
            raise ValueError(f"{path} {rows.place(row)}: no class (−1), expected one in every row or in none")
        names = {n: str(n) for n in np.unique(known).tolist()} | dict(names_of(rows, recognise(rows), known))
    order = np.argsort(frames, kind="stable")
    latents = None if rows.latents is None else rows.latents[order]
    ordered = Detections.of(rows.boxes[order], scores[order], numbers[order], latents)
    present, starts = np.unique(frames[order], return_index=True)
    ends = starts + np.diff(starts, append=len(order))
    parts = zip(present.tolist(), starts.tolist(), ends.tolist(), strict=True)
    return DetectionFile(path, {frame: ordered[start:end] for frame, start, end in parts}, names)


def format_rows(frame: int, tracks: Tracks, *, classes: bool = False) -> str:
    """Format the tracks of a frame as lines ``frame,id,x,y,w,h,score,class,-1,-1``; an empty string without tracks.

    Parameters
    ----------
    frame : int
    tracks : Tracks
    classes : bool
        Whether classes are known; else they are written as −1.

    Raises
    ------
    ValueError
        If a box or a score is not finite.
    """
    values = np.column_stack([xyxy_to_xywh(tracks.boxes), tracks.scores])
    bad = ~np.isfinite(values).all(axis=1)
    if bad.any():
        raise ValueError(f"frame {frame}, track {tracks.ids[bad][0]}: expected finite numbers, got {values[bad][0]}")
    numbers = tracks.classes.tolist() if classes else [-1] * len(tracks)
    return "".join(
        f"{frame},{track},{x:.2f},{y:.2f},{w:.2f},{h:.2f},{score:.4f},{class_},-1,-1\n"
        for track, (x, y, w, h, score), class_ in zip(tracks.ids.tolist(), values.tolist(), numbers, strict=True)
    )


def _visibility(column: Float) -> Float:
    """Visibility 0..1; 1 where it is unknown (−1), and for all rows where the column holds something else."""
    known = np.where(column == -1, 1.0, column)
    return known if ((known >= 0) & (known <= 1)).all() else np.ones(len(known))


def _integers(rows: BoxRows, values: Float, name: str, least: int = -(2**53), most: int = 2**53) -> Int:
    """A column as int64 [n]; an error where it is no whole number from ``least`` to ``most``."""
    bad = ~((values == np.floor(values)) & (values >= least) & (values <= most))
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        expected = "a whole number" + (f" from {least} to {most}" if least > 0 else "")
        hint = "; where a file counts frames from 0, add 1 to each" if name == "frame" and values[row] == 0 else ""
        raise ValueError(f"{rows.path} {rows.place(row)}: {name} {values[row]:.15g}, expected {expected}{hint}")
    return values.astype(np.int64)
