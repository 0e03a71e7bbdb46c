"""Tracks and detections in files: tables of ground truth and results, detections by frame, rows of results.

A row of a MOTChallenge file is ``frame, id, x, y, w, h[, score[, class[, visibility]]]``. x and y are read and written
as the benchmark writes them, without a shift by one pixel, as in the benchmark's own evaluation and in other trackers.

References
----------
Milan et al., MOT16: A benchmark for multi-object tracking, 2016, table 4: columns of ground truth and results.
VisDrone2018-MOT-toolkit, README: the ten columns of its ground truth, and its categories.
Du et al., The unmanned aerial vehicle benchmark (UAVDT), ECCV 2018, toolkit's README: the columns of ``_gt_whole.txt``.
Wojke et al., "Simple online and realtime tracking with a deep association metric", ICIP 2017: the layout of the
``.npy`` detections that its authors publish.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from flatsort.tracker.boxes import xyxy_to_xywh
from flatsort.tracker.class_names import choose_classes, labels_beside
from flatsort.tracker.io.box_rows import BoxRows, FileFormat, read_rows
from flatsort.tracker.types import Detections, Float, Int, Tracks

Layout = Literal["mot15", "mot", "visdrone", "uavdt"]

MAX_FRAME = 10_000_000
"""Highest frame number that is accepted: days of video."""
MAX_CLASS = 9999
"""Highest number that is taken for a class of detections."""

_MOT = (
    *("pedestrian", "person on vehicle", "car", "bicycle", "motorbike", "non-motorized vehicle", "static person"),
    *("distractor", "occluder", "occluder on the ground", "occluder full", "reflection", "crowd"),
)
MOT_CLASSES = dict(enumerate(_MOT, 1))
"""Classes of MOT16, MOT17 and MOT20 (Milan et al., table 3; 13: MOT20's crowd)."""
_VISDRONE = (
    *("ignored regions", "pedestrian", "people", "bicycle", "car", "van", "truck", "tricycle", "awning-tricycle"),
    *("bus", "motor", "others"),
)
VISDRONE_CLASSES = dict(enumerate(_VISDRONE))
UAVDT_CLASSES = {1: "car", 2: "truck", 3: "bus"}


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

    def place(self, row: int) -> str:
        """Where a row (0-based) stands in the file, for error messages."""
        return f"row {row + 1}" if self.lines is None else f"line {self.lines[row]}"


@dataclass(frozen=True, slots=True, eq=False)
class DetectionFile:
    """The detections of a file.

    Attributes
    ----------
    frames : dict of int to Detections
        By 1-based frame, ascending; frames without detections are absent.
    class_names : mapping of int to str
        Every class of the file, or named for it, and its name, the number itself where it has none; empty where the
        file has no classes.
    """

    frames: dict[int, Detections]
    class_names: Mapping[int, str]


def read_table(path: str | Path, layout: Layout | None = None, *, file_format: FileFormat = "auto") -> MotTable:
    """Read a ground truth or result file: MOTChallenge rows, a table with a header, or our JSON.

    Parameters
    ----------
    path : str or Path
    layout : str, optional
        What the columns mean; by default that is recognised.
    file_format : str
        See `tracker.io.box_rows.read_rows`.

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
        raise ValueError(f"{path}: expected a column of identities in its header (id, track_id), got none")
    found = recognise(rows)
    if layout is not None and layout != found:
        _require_layout(rows, layout)
        found = layout
    n, k = rows.rest.shape
    scores, classes, visibility = rows.scores, np.full(n, -1), np.ones(n)
    if found == "uavdt":
        scores, classes = np.ones(n), _integers(rows, rows.rest[:, 1], "category")
    elif found != "mot15" and k:
        classes = _integers(rows, rows.rest[:, 0], "class")
        visibility = _visibility(rows.rest[:, 1]) if found == "mot" and k > 1 else visibility
    elif layout is None:
        known = class_column(rows)
        classes = classes if known is None else known
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
        class_names=_names(rows, found, classes),
        lines=rows.lines,
    )


def read_detections(path: str | Path) -> dict[int, Detections]:
    """Frame number → detections of a file; see `read_detection_file`."""
    return read_detection_file(path).frames


def read_detection_file(
    path: str | Path, file_format: FileFormat = "auto", classes: Sequence[str] | None = None
) -> DetectionFile:
    """Read a detection file, in the file's order within a frame.

    Scores are column 7; they are 1 where it is absent or −1 in every row. Classes are column 8 where it holds whole
    numbers from 0 on and no world coordinates follow; else they are 0. Latents are the features of a ``.npy`` file that
    has some. Boxes are not checked: they may be not finite or without area.

    Parameters
    ----------
    path : str or Path
    file_format : str
        See `tracker.io.box_rows.read_rows`.
    classes : sequence of str, optional
        Names or numbers of the classes to keep; by default, or if empty, all.

    Raises
    ------
    ValueError
        As `read_table`, but for identities; if a class is asked for that the file does not have, or some rows only have
        a class; if a ``.npy`` file is not complete or is no table of numbers with at least ten columns.
    """
    path = Path(path)
    rows = read_rows(path, file_format)
    frames = _integers(rows, rows.frames, "frame", 1, MAX_FRAME)
    # the benchmark writes −1 for an unknown score
    scores = np.ones(len(frames)) if (rows.scores == -1).all() else rows.scores
    known = class_column(rows)
    numbers = np.zeros(len(frames), np.int64) if known is None else known
    names: Mapping[int, str] = {}
    if known is not None:
        if (known < 0).any():
            row = int(np.flatnonzero(known < 0)[0])
            raise ValueError(f"{path} {rows.place(row)}: no class (−1), expected one in every row or in none")
        names = {n: str(n) for n in np.unique(known).tolist()} | dict(_names(rows, recognise(rows), known))
    order = np.argsort(frames, kind="stable")
    if classes:
        if known is None:
            raise ValueError(f"{path}: expected classes to choose {', '.join(classes)} from, but the file has none")
        order = order[np.isin(numbers[order], choose_classes(names, classes))]
    latents = None if rows.latents is None else rows.latents[order]
    ordered = Detections.of(rows.boxes[order], scores[order], numbers[order], latents)
    present, starts = np.unique(frames[order], return_index=True)
    ends = starts + np.diff(starts, append=len(order))
    parts = zip(present.tolist(), starts.tolist(), ends.tolist(), strict=True)
    return DetectionFile({frame: ordered[start:end] for frame, start, end in parts}, names)


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


def recognise(rows: BoxRows) -> Layout:
    """What the columns of a file mean, by what they hold."""
    rest = rows.rest
    if rest.shape[1] == 3 and len(rest):
        category, truncation, occlusion = rest.T
        fits = np.isin(rows.scores, (0, 1)) & np.isin(category, range(12))
        fits &= np.isin(truncation, (0, 1)) & np.isin(occlusion, (0, 1, 2))
        fits &= (category > 0) | (rows.scores == 0)  # an ignored region is never to be considered
        return "visdrone" if fits.all() else "mot15"
    if rest.shape[1] == 2 and len(rest):
        fits = np.isin(rows.scores, (1, 2, 3)) & np.isin(rest[:, 0], (1, 2, 3, 4)) & np.isin(rest[:, 1], (1, 2, 3))
        beyond = bool((rows.scores > 1).any() or (rest[:, 1] > 1).any()) or "gt_whole" in rows.path.name
        return "uavdt" if fits.all() and beyond else "mot"
    return "mot" if rest.shape[1] in (1, 2) else "mot15"


def class_column(rows: BoxRows) -> Int | None:
    """The column of classes [n]; None where the file has none, or −1 only, or world coordinates in its place."""
    rest = rows.rest
    if not len(rest) or rest.shape[1] not in (1, 2, 3):
        return None
    if recognise(rows) == "uavdt":
        return rest[:, 1].astype(np.int64)
    column = rest[:, 0]
    whole = (column == np.floor(column)) & (column >= -1) & (column <= MAX_CLASS)
    if not whole.all() or (column < 0).all():
        return None
    if rest.shape[1] == 3:
        visibility, last = rest[:, 1], rest[:, 2]
        no_world = ((visibility == -1) | ((visibility >= 0) & (visibility <= 1))) & np.isin(last, (-1, 0, 1, 2))
        if not no_world.all() or not rest.any():
            return None
    return column.astype(np.int64)


def _names(rows: BoxRows, layout: Layout, classes: Int) -> Mapping[int, str]:
    """Names of classes that come with a file."""
    if layout in ("visdrone", "uavdt"):
        return VISDRONE_CLASSES if layout == "visdrone" else UAVDT_CLASSES
    if rows.class_names:
        return rows.class_names
    labels = labels_beside(rows.path)
    if labels and 0 in classes and classes.max(initial=0) < len(labels):  # the first line is class 0
        return {number - 1: name for number, name in labels.items()}
    return labels


def _require_layout(rows: BoxRows, layout: Layout) -> None:
    """Refuse a file that cannot be of a layout that was asked for."""
    columns = {"mot15": range(7, 11), "mot": range(8, 11), "visdrone": (10,), "uavdt": (9,)}[layout]
    if len(rows.frames) and rows.columns not in columns:
        least, most = min(columns), max(columns)
        expected = f"{least}" if least == most else f"{least} to {most}"
        raise ValueError(f"{rows.path}: {rows.columns} columns, expected {expected} in the layout {layout}")
    if layout in ("visdrone", "uavdt") and len(rows.frames):
        raise ValueError(
            f"{rows.path}: expected the layout {layout}, but the columns from the seventh on hold other values"
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
