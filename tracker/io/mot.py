"""MOTChallenge files: ground truth, results and detections; DeepSORT's ``.npy`` detections.

Every row is ``frame, id, x, y, w, h[, score[, class[, visibility]]]``, separated by commas or blanks, in any order.
x and y are read and written as the benchmark writes them, without a shift by one pixel, as in the benchmark's own
evaluation and in other trackers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError

import numpy as np

from flatsort.tracker.boxes import xywh_to_xyxy, xyxy_to_xywh
from flatsort.tracker.types import Detections, Float, Float32, Int, Tracks

MIN_COLUMNS = 6
"""The columns that every row has: frame, id, x, y, w, h."""

MAX_FRAME = 10_000_000
"""Highest frame number that is accepted: days of video."""

NPY_SUFFIX = ".npy"
NPY_COLUMNS = 10
"""Columns of a ``.npy`` file before the features: frame, id, x, y, w, h, score and three unused ones."""


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
    """

    path: Path
    frames: Int
    ids: Int
    boxes: Float
    scores: Float
    classes: Int
    visibility: Float
    columns: int

    def __len__(self) -> int:
        return len(self.frames)


def read_table(path: str | Path) -> MotTable:
    """Read a ground truth or result file.

    Raises
    ------
    ValueError
        If a row has too few columns, a field that is no number, a frame outside 1..`MAX_FRAME`, or a frame, id or class
        that is no whole number; the message names file and line.
    """
    path = Path(path)
    rows = _read_text(path)
    n, columns = rows.shape
    return MotTable(
        path=path,
        frames=_integers(path, rows, 0, "frame", 1, MAX_FRAME),
        ids=_integers(path, rows, 1, "id"),
        boxes=xywh_to_xyxy(rows[:, 2:6]),
        scores=rows[:, 6] if columns > 6 else np.ones(n),
        # in MOT15 the columns from 8 on are world coordinates, not classes
        classes=_integers(path, rows, 7, "class") if columns in (8, 9) else np.full(n, -1),
        visibility=rows[:, 8] if columns == 9 else np.ones(n),
        columns=columns,
    )


def read_detections(path: str | Path) -> dict[int, Detections]:
    """Read a detection file: frame number → detections, in the file's order within a frame.

    Frames without detections are absent. Scores are column 7; they are 1 where it is absent or −1 in every row. Classes
    are 0. Latents are the features of a ``.npy`` file that has some. Boxes are not checked: they may be not finite or
    without area.

    Raises
    ------
    ValueError
        As `read_table`; or if a ``.npy`` file is not complete or is no table of numbers with at least ten columns.

    References
    ----------
    Wojke et al., "Simple online and realtime tracking with a deep association metric", ICIP 2017: the layout of the
    ``.npy`` detections that its authors publish.
    """
    path = Path(path)
    rows, features = _read_npy(path) if path.suffix.lower() == NPY_SUFFIX else (_read_text(path), None)
    frames = _integers(path, rows, 0, "frame", 1, MAX_FRAME)
    order = np.argsort(frames, kind="stable")
    rows, frames = rows[order], frames[order]
    features = None if features is None else features[order]
    boxes = xywh_to_xyxy(rows[:, 2:6])
    scores = rows[:, 6] if rows.shape[1] > 6 else np.ones(len(rows))
    if (scores == -1).all():  # the benchmark writes −1 for an unknown score
        scores = np.ones(len(rows))
    numbers, starts = np.unique(frames, return_index=True)
    ends = starts + np.diff(starts, append=len(rows))
    return {
        int(frame): Detections.of(
            boxes[start:end], scores[start:end], latents=None if features is None else features[start:end]
        )
        for frame, start, end in zip(numbers, starts, ends, strict=True)
    }


def format_rows(frame: int, tracks: Tracks) -> str:
    """Format the tracks of a frame as lines ``frame,id,x,y,w,h,score,-1,-1,-1``; an empty string without tracks.

    Raises
    ------
    ValueError
        If a box or a score is not finite.
    """
    values = np.column_stack([xyxy_to_xywh(tracks.boxes), tracks.scores])
    bad = ~np.isfinite(values).all(axis=1)
    if bad.any():
        raise ValueError(f"frame {frame}, track {tracks.ids[bad][0]}: expected finite numbers, got {values[bad][0]}")
    return "".join(
        f"{frame},{track},{x:.2f},{y:.2f},{w:.2f},{h:.2f},{score:.4f},-1,-1,-1\n"
        for track, (x, y, w, h, score) in zip(tracks.ids.tolist(), values.tolist(), strict=True)
    )


def line_of(path: Path, row: int) -> int:
    """1-based line number of a table's row (0-based); blank lines are not counted as rows."""
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    return [number for number, line in enumerate(lines, 1) if line.strip()][row]


def _read_text(path: Path) -> Float:
    """All rows of a text file [n columns]."""
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    first = next((line for line in lines if line.strip()), "")
    if not first:
        return np.empty((0, MIN_COLUMNS))
    try:
        rows = np.loadtxt(lines, delimiter="," if "," in first else None, comments=None, ndmin=2)
    except ValueError:
        rows = _read_text_by_line(path, lines)
    if rows.shape[1] < MIN_COLUMNS:
        raise ValueError(f"{path} line {line_of(path, 0)}: {rows.shape[1]} columns, expected at least {MIN_COLUMNS}")
    return rows


def _read_text_by_line(path: Path, lines: list[str]) -> Float:
    """As `_read_text`, slower, with mixed separators allowed and the number of a wrong line in the error message."""
    rows: list[list[float]] = []
    for number, line in enumerate(lines, 1):
        fields = re.split(r"\s*[,;]\s*|\s+", line.strip().rstrip(",;").rstrip())
        if fields == [""]:
            continue
        expected = max(MIN_COLUMNS, len(rows[0])) if rows else MIN_COLUMNS
        if len(fields) < expected or (rows and len(fields) > len(rows[0])):
            least = "" if rows else "at least "
            raise ValueError(f"{path} line {number}: {len(fields)} columns, expected {least}{expected}")
        try:
            rows.append([float(field) for field in fields])
        except ValueError:
            raise ValueError(f"{path} line {number}: expected numbers, got {line.strip()[:60]!r}") from None
    return np.array(rows)


def _integers(path: Path, rows: Float, column: int, name: str, least: int = -(2**53), most: int = 2**53) -> Int:
    """A column as int64 [n]; an error where it is no whole number from ``least`` to ``most``."""
    values = rows[:, column]
    bad = ~((values == np.floor(values)) & (values >= least) & (values <= most))
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        expected = "a whole number" + (f" from {least} to {most}" if least > 0 else "")
        place = f"row {row + 1}" if path.suffix.lower() == NPY_SUFFIX else f"line {line_of(path, row)}"
        raise ValueError(f"{path} {place}: {name} {values[row]:.15g}, expected {expected}")
    return values.astype(np.int64)


def _read_npy(path: Path) -> tuple[Float, Float32 | None]:
    """Rows [n 10] of a ``.npy`` file and their features [n d], None where there are no further columns; not checked."""
    try:
        # memory-mapped, so that a header that announces too much is refused before memory is taken; never unpickled
        array = np.lib.format.open_memmap(path, mode="r")
    except (ValueError, EOFError, SyntaxError, TokenError) as error:
        raise ValueError(f"{path}: expected a complete .npy file with an array of numbers ({error})") from error
    if array.ndim != 2 or array.shape[1] < NPY_COLUMNS or array.dtype.kind not in "fiu":
        got = f"shape {list(array.shape)} of {array.dtype}"
        raise ValueError(f"{path}: expected numbers of shape [n {NPY_COLUMNS}] or [n {NPY_COLUMNS}+d], got {got}")
    features = np.array(array[:, NPY_COLUMNS:], np.float32) if array.shape[1] > NPY_COLUMNS else None
    return np.array(array[:, :NPY_COLUMNS], np.float64), features
