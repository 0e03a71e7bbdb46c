"""MOTChallenge text files: the only place that knows their columns.

Every row is ``frame, id, x, y, w, h[, score[, class[, visibility]]]``, separated by commas or blanks, in any order.
Detections also come as DeepSORT's ``.npy`` (`tracker.io.npy`): the same columns, then features.
x and y are taken as the benchmark writes them: no shift by one pixel, as in the benchmark's own evaluation and in other
trackers, so that boxes that were read and written again are the same.
"""

from __future__ import annotations

import configparser
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from flatsort.tracker.boxes import xywh_to_xyxy, xyxy_to_xywh
from flatsort.tracker.io import npy
from flatsort.tracker.types import Detections, Float, Int, Tracks

LEAST = 6
"""Columns without which a row is not a box: frame, id, x, y, w, h."""

LAST = 10_000_000
"""No file speaks of later frames: days of video."""


@dataclass(frozen=True, slots=True, eq=False)
class MotTable:
    """The rows of a ground truth or result file, in the file's order.

    Attributes
    ----------
    path : Path
        The file, for messages.
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


@dataclass(frozen=True, slots=True)
class SeqInfo:
    """What a sequence folder says about itself in ``seqinfo.ini``.

    Attributes
    ----------
    name : str
    fps : float
        Frames per second.
    length : int
        Number of frames.
    size : tuple of int
        Width and height in pixels.
    image_dir : Path
        Folder of the images; need not exist.
    """

    name: str
    fps: float
    length: int
    size: tuple[int, int]
    image_dir: Path


def read_table(path: str | Path) -> MotTable:
    """Read a ground truth or result file.

    Raises
    ------
    ValueError
        If a row has too few columns, a text that is no number, a frame outside 1..`LAST`, or a frame, id or class that
        is no whole number; the sentence names file and line.
    """
    path = Path(path)
    rows = _numbers(path)
    n, columns = rows.shape
    return MotTable(
        path=path,
        frames=_whole(path, rows, 0, "frame", 1, LAST),
        ids=_whole(path, rows, 1, "id"),
        boxes=xywh_to_xyxy(rows[:, 2:6]),
        scores=rows[:, 6] if columns > 6 else np.ones(n),
        # MOT15 writes world coordinates from column 8 on, which are no classes
        classes=_whole(path, rows, 7, "class") if columns in (8, 9) else np.full(n, -1),
        visibility=rows[:, 8] if columns == 9 else np.ones(n),
        columns=columns,
    )


def read_detections(path: str | Path) -> dict[int, Detections]:
    """Read a detection file: frame number → detections, in the file's order within a frame.

    Frames without detections are absent. Scores are column 7 (1 where absent, or −1 in every row), classes are 0,
    latents are the features of a ``.npy`` file that has some. Boxes are not checked: one that is not finite or has no
    area comes through.

    Raises
    ------
    ValueError
        As `read_table` and `tracker.io.npy.read_rows`.
    """
    path = Path(path)
    rows, features = npy.read_rows(path) if path.suffix.lower() == npy.SUFFIX else (_numbers(path), None)
    frames = _whole(path, rows, 0, "frame", 1, LAST)
    order = np.argsort(frames, kind="stable")
    rows, frames = rows[order], frames[order]
    features = None if features is None else features[order]
    boxes = xywh_to_xyxy(rows[:, 2:6])
    scores = rows[:, 6] if rows.shape[1] > 6 else np.ones(len(rows))
    if (scores == -1).all():  # the benchmark's sign for what is not known
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
    """Write the tracks of a frame as lines ``frame,id,x,y,w,h,score,-1,-1,-1``; an empty text without tracks.

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


def read_seqinfo(folder: str | Path) -> SeqInfo | None:
    """Read ``seqinfo.ini`` of a sequence folder; None if there is no such file.

    Raises
    ------
    ValueError
        If the file is no INI file, or a needed entry is absent or no positive number.
    """
    folder = Path(folder)
    path = folder / "seqinfo.ini"
    if not path.is_file():
        return None
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text(encoding="utf-8-sig", errors="replace"))
    except configparser.Error as error:
        raise ValueError(f"{path}: expected an INI file, {' '.join(str(error).split())}") from error
    if not parser.has_section("Sequence"):
        raise ValueError(f"{path}: expected a section [Sequence], got {parser.sections()}")
    entries = parser["Sequence"]

    def positive(key: str) -> float:
        text = entries.get(key, "nothing")
        try:
            value = float(text)
        except ValueError:
            value = 0.0
        if not (0 < value < np.inf):
            raise ValueError(f"{path}: {key}: expected a number above 0, got {text}")
        return value

    length = positive("seqLength")
    if not (1 <= length <= LAST):
        raise ValueError(f"{path}: seqLength: expected 1 to {LAST} frames, got {length:.15g}")
    return SeqInfo(
        name=entries.get("name", folder.resolve().name),
        fps=positive("frameRate"),
        length=int(length),
        size=(int(positive("imWidth")), int(positive("imHeight"))),
        image_dir=folder / entries.get("imDir", "img1"),
    )


def line_of(path: Path, row: int) -> int:
    """1-based line of the file that holds this row (0-based) of its table: blank lines are no rows."""
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    return [number for number, line in enumerate(lines, 1) if line.strip()][row]


def _numbers(path: Path) -> Float:
    """All rows [n columns]."""
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    first = next((line for line in lines if line.strip()), "")
    if not first:
        return np.empty((0, LEAST))
    try:
        rows = np.loadtxt(lines, delimiter="," if "," in first else None, comments=None, ndmin=2)
    except ValueError:
        rows = _numbers_line_by_line(path, lines)
    if rows.shape[1] < LEAST:
        raise ValueError(f"{path} line {line_of(path, 0)}: {rows.shape[1]} columns, expected at least {LEAST}")
    return rows


def _numbers_line_by_line(path: Path, lines: list[str]) -> Float:
    """As `_numbers`, forgiving about separators and able to say which line is wrong."""
    rows: list[list[float]] = []
    for number, line in enumerate(lines, 1):
        fields = re.split(r"\s*[,;]\s*|\s+", line.strip().rstrip(",;").rstrip())
        if fields == [""]:
            continue
        expected = max(LEAST, len(rows[0])) if rows else LEAST
        if len(fields) < expected or (rows and len(fields) > len(rows[0])):
            least = "" if rows else "at least "
            raise ValueError(f"{path} line {number}: {len(fields)} columns, expected {least}{expected}")
        try:
            rows.append([float(field) for field in fields])
        except ValueError:
            raise ValueError(f"{path} line {number}: expected numbers, got {line.strip()[:60]!r}") from None
    return np.array(rows)


def _whole(path: Path, rows: Float, column: int, name: str, least: int = -(2**53), most: int = 2**53) -> Int:
    """Return a column as int64 [n]."""
    values = rows[:, column]
    bad = ~((values == np.floor(values)) & (values >= least) & (values <= most))
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        expected = "a whole number" + (f" from {least} to {most}" if least > 0 else "")
        place = f"row {row + 1}" if path.suffix.lower() == npy.SUFFIX else f"line {line_of(path, row)}"
        raise ValueError(f"{path} {place}: {name} {values[row]:.15g}, expected {expected}")
    return values.astype(np.int64)
