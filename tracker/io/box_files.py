"""Files of boxes in every format that is read: tables of text, JSON, XML, archives of CVAT, ``.npy``."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from flatsort.tracker.boxes import xywh_to_xyxy
from flatsort.tracker.io import unread_formats
from flatsort.tracker.io.annotation_files import is_kitti, member, of_coco, of_cvat, of_kitti
from flatsort.tracker.io.box_rows import BoxRows
from flatsort.tracker.io.named_columns import numbered_words, of_header
from flatsort.tracker.io.text_table import (
    CLASS_COLUMN,
    MAX_BYTES,
    MIN_COLUMNS,
    TextTable,
    decode,
    numbered_lines,
    parse_table,
    read_bytes,
)
from flatsort.tracker.stored_data import map_array
from flatsort.tracker.types import Float

FileFormat = Literal["auto", "mot", "csv", "json", "npy"]
FORMATS: tuple[FileFormat, ...] = ("auto", "mot", "csv", "json", "npy")
"""MOTChallenge rows without a header; a table whose header names its columns; our JSON; DeepSORT's array."""
TEXT_SUFFIXES = (".txt", ".csv", ".json")
"""Names that results and ground truth may end with, the preferred one first."""
NPY_SUFFIX = ".npy"
NPY_COLUMNS = 10
"""Columns of a ``.npy`` file before the features: frame, id, x, y, w, h, score, class and two more."""

_HEAD = 4096


def read_rows(path: Path, file_format: FileFormat = "auto") -> BoxRows:
    """Read the boxes of a file.

    Parameters
    ----------
    path : Path
    file_format : str
        One of `FORMATS`; auto: by the name of the file and by its content.

    Raises
    ------
    OSError
        If it cannot be opened.
    ValueError
        If it is of another format than was asked for, or of none that can be read; the sentence names the line and,
        where it is known, the format.
    """
    if file_format == "npy" or (file_format == "auto" and path.suffix.lower() == NPY_SUFFIX):
        return _of_npy(path)
    data = read_bytes(path)
    labels: list[str] = []
    if data[:4] in unread_formats.ZIP:
        path, data, labels = _unpacked(path, data)
    text = decode(data)
    start = text.lstrip()[:1]
    if file_format == "json" or (file_format == "auto" and (start in ("{", "[") or path.suffix.lower() == ".json")):
        return _of_json(path, text)
    if file_format == "auto" and start == "<":
        return _of_xml(path, text)
    lines = numbered_lines(text[:_HEAD])
    if file_format == "auto" and lines and is_kitti(lines[0][1]):
        return of_kitti(path, numbered_lines(text))
    table = parse_table(path, text)
    if file_format == "mot" and table.header:
        got = ", ".join(table.header)[:60]
        raise ValueError(f"{path}: expected rows of numbers (format mot), got a header {got!r}")
    if file_format == "csv" and not table.header and len(table.rows):
        raise ValueError(f"{path}: expected a header that names the columns (format csv), got {table.rows[0][:60]!r}")
    rows = of_header(table) if table.header else _of_columns(table)
    return replace(rows, class_names=dict(enumerate(labels, 1))) if labels and not rows.class_names else rows


def _corners(values: Float) -> Float:
    """Boxes xyxy of rows; sums that are too large or of opposite infinities become boxes that are not finite."""
    with np.errstate(invalid="ignore", over="ignore"):
        return xywh_to_xyxy(values[:, 2:6])


def _of_columns(table: TextTable) -> BoxRows:
    """Rows of a MOTChallenge file."""
    values = table.values()
    n, columns = values.shape
    if columns < MIN_COLUMNS:
        raise ValueError(f"{table.path} line {table.lines[0]}: {columns} columns, expected at least {MIN_COLUMNS}")
    rest = values[:, CLASS_COLUMN:]
    names: dict[int, str] = {}
    if table.words:
        rest[:, 0], names = numbered_words(table.words)
    return BoxRows(
        path=table.path,
        frames=values[:, 0],
        ids=values[:, 1],
        boxes=_corners(values),
        scores=values[:, 6] if columns > 6 else np.ones(n),
        rest=rest,
        columns=columns,
        class_names=names,
        lines=table.lines,
    )


def _of_json(path: Path, text: str) -> BoxRows:
    """Rows of the JSON that `JsonSink` writes, or of COCO's JSON of one video."""
    try:
        document = json.loads(text)
        if isinstance(document, dict) and "annotations" in document:
            return of_coco(path, document)
        rows = [
            (frame["frame"], track["id"], *track["box"], track["score"], track["class"])
            for frame in document["frames"]
            for track in frame["tracks"]
        ]
        values = np.array(rows, np.float64).reshape(-1, 8)
        names = {int(number): str(name) for number, name in document.get("classes", {}).items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
        raise unread_formats.refusal(path, unread_formats.of_json(text)) from error
    known = bool(names) or bool((values[:, 7] > 0).any())
    frames, ids, scores = values[:, 0], values[:, 1], values[:, 6]
    rest = values[:, 7:] if known else values[:, :0]
    return BoxRows(path, frames, ids, values[:, 2:6], scores, rest, 8 if known else 7, names)


def _of_xml(path: Path, text: str) -> BoxRows:
    try:
        return of_cvat(path, text)
    except KeyError as error:
        raise unread_formats.refusal(path, f"CVAT's XML with a box without {error}") from error
    except (ValueError, RecursionError) as error:
        raise unread_formats.refusal(path, unread_formats.of_text([text]) or str(error)) from error


def _unpacked(path: Path, data: bytes) -> tuple[Path, bytes, list[str]]:
    """Place, content and names of classes of the annotations in an archive of CVAT."""
    try:
        name, content, labels = member(data, MAX_BYTES)
    except ValueError as error:
        raise unread_formats.refusal(path, unread_formats.of_zip(data)) from error
    return path / name, content, labels


def _of_npy(path: Path) -> BoxRows:
    """Rows of a ``.npy`` file and their features as latents, where there are further columns."""
    array = map_array(path)
    if array.ndim != 2 or array.shape[1] < NPY_COLUMNS or array.dtype.kind not in "fiu":
        got = f"shape {list(array.shape)} of {array.dtype}"
        raise ValueError(f"{path}: expected numbers of shape [n {NPY_COLUMNS}] or [n {NPY_COLUMNS}+d], got {got}")
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused or left out as such
        latents = np.array(array[:, NPY_COLUMNS:], np.float32) if array.shape[1] > NPY_COLUMNS else None
        values = np.array(array[:, :NPY_COLUMNS], np.float64)
    boxes, rest = _corners(values), values[:, CLASS_COLUMN:]
    return BoxRows(path, values[:, 0], values[:, 1], boxes, values[:, 6], rest, NPY_COLUMNS, latents=latents)
