"""Rows of boxes from every kind of file that holds a table: text with and without a header, our JSON, ``.npy``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tokenize import TokenError
from typing import Any, Literal

import numpy as np

from flatsort.tracker.boxes import xywh_to_xyxy
from flatsort.tracker.io import unread_formats
from flatsort.tracker.io.text_table import CLASS_COLUMN, MIN_COLUMNS, TextTable, is_name, read_text, read_text_table
from flatsort.tracker.types import Float, Float32, Int

FileFormat = Literal["auto", "mot", "csv", "json", "npy"]
FORMATS: tuple[FileFormat, ...] = ("auto", "mot", "csv", "json", "npy")
"""MOTChallenge rows without a header; a table whose header names its columns; our JSON; DeepSORT's array."""
TEXT_SUFFIXES = (".txt", ".csv", ".json")
"""Names that results and ground truth may end with, the preferred one first."""
NPY_SUFFIX = ".npy"
NPY_COLUMNS = 10
"""Columns of a ``.npy`` file before the features: frame, id, x, y, w, h, score and three unused ones."""

_NAMES: dict[str, str] = {
    "frame": "frame frameid frameno framenumber framenr frameindex frameidx fn",
    "id": "id trackid trackerid identity tid objectid objid targetid trackingid track instanceid personid",
    "left": "left x xmin x1 xtl minx xleft bbleft bboxleft boxleft bbx bboxx xmintl bboxx1 bbxmin bboxxmin",
    "top": "top y ymin y1 ytl miny ytop bbtop bboxtop boxtop bby bboxy bboxy1 bbymin bboxymin",
    "width": "width w bbwidth bboxwidth boxwidth bbw bboxw",
    "height": "height h bbheight bboxheight boxheight bbh bboxh",
    "right": "right x2 xmax xbr maxx xright bbright bboxright bboxx2 bbxmax bboxxmax",
    "bottom": "bottom y2 ymax ybr maxy ybottom bbbottom bboxbottom bboxy2 bbymax bboxymax",
    "score": "score conf confidence prob probability detectionscore detectionconfidence consider",
    "class": "class classid cls clsid label labelid category categoryid objectcategory objectclass type",
    "name": "classname labelname categoryname name",
    "visibility": "visibility vis visibilityratio",
}
ROLES = {spelling: role for role, spellings in _NAMES.items() for spelling in spellings.split()}
"""Name of a column in lower case, letters and digits only → what the column holds."""


@dataclass(frozen=True, eq=False)
class BoxRows:
    """The rows of a file as they are written: nothing is checked but that they are numbers.

    Attributes
    ----------
    path : Path
    frames, ids, scores : float64 [n]
        Ids are −1 and scores 1 where the file has none.
    boxes : float64 [n 4]
        xyxy, pixels.
    rest : float64 [n k]
        The columns from the eighth on: class, visibility, …
    columns : int
        Columns of the file, as a MOTChallenge file would have them.
    class_names : mapping of int to str
        The names of classes that the file holds itself.
    latents : float32 [n d] or None
    lines : int64 [n] or None
        1-based line of each row; None where rows are no lines.
    has_ids : bool
        Whether the file has a column of identities.
    """

    path: Path
    frames: Float
    ids: Float
    boxes: Float
    scores: Float
    rest: Float
    columns: int
    class_names: Mapping[int, str] = field(default_factory=dict)
    latents: Float32 | None = None
    lines: Int | None = None
    has_ids: bool = True

    def place(self, row: int) -> str:
        """Where a row (0-based) stands, for error messages."""
        return f"row {row + 1}" if self.lines is None else f"line {self.lines[row]}"


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
    if file_format == "json" or (file_format == "auto" and path.suffix.lower() == ".json"):
        return _of_json(path)
    table = read_text_table(path)
    if file_format == "mot" and table.header:
        raise ValueError(
            f"{path}: expected rows of numbers (format mot), got a header {', '.join(table.header)[:60]!r}"
        )
    if file_format == "csv" and not table.header and len(table.rows):
        raise ValueError(f"{path}: expected a header that names the columns (format csv), got {table.rows[0][:60]!r}")
    return _of_header(table) if table.header else _of_columns(table)


def _of_columns(table: TextTable) -> BoxRows:
    """Rows of a MOTChallenge file."""
    values = table.values()
    n, columns = values.shape
    if columns < MIN_COLUMNS:
        raise ValueError(f"{table.path} line {table.lines[0]}: {columns} columns, expected at least {MIN_COLUMNS}")
    rest = values[:, CLASS_COLUMN:]
    names: dict[int, str] = {}
    if table.words:
        rest[:, 0], names = _numbered(table.words)
    return BoxRows(
        path=table.path,
        frames=values[:, 0],
        ids=values[:, 1],
        boxes=xywh_to_xyxy(values[:, 2:6]),
        scores=values[:, 6] if columns > 6 else np.ones(n),
        rest=rest,
        columns=columns,
        class_names=names,
        lines=table.lines,
    )


def _of_header(table: TextTable) -> BoxRows:
    """Rows of a table whose header names the columns."""
    places = _places(table)
    roles = list(places)
    words = places.get("name", places.get("class", -1))
    values = table.values(list(places.values()), words)
    n = len(values)

    def column(role: str, default: float) -> Float:
        return values[:, roles.index(role)] if role in places else np.full(n, default)

    left, top = column("left", 0), column("top", 0)
    right = left + column("width", 0) if "width" in places else column("right", 0)
    bottom = top + column("height", 0) if "height" in places else column("bottom", 0)
    classes, names = column("class", -1), {}
    if table.words and "class" in places and words != places["class"]:
        names = {int(number): word for number, word in zip(classes.tolist(), table.words, strict=True)}
    elif table.words:
        classes, names = _numbered(table.words)
    rest = np.column_stack([classes, column("visibility", 1)])
    has_class = bool({"class", "name"} & places.keys())
    return BoxRows(
        path=table.path,
        frames=column("frame", 0),
        ids=column("id", -1),
        boxes=np.column_stack([left, top, right, bottom]),
        scores=column("score", 1),
        rest=rest if has_class else rest[:, :0],
        columns=9 if has_class else 7,
        class_names=names,
        lines=table.lines,
        has_ids="id" in places,
    )


def _places(table: TextTable) -> dict[str, int]:
    """What the columns of a header hold → their place.

    Raises
    ------
    ValueError
        If a column that is needed is missing, or two hold the same.
    """
    places: dict[str, int] = {}
    for place, name in enumerate(table.header):
        role = ROLES.get(re.sub(r"[^a-z0-9]", "", name.lower()), "")
        if role in places:
            raise ValueError(
                f"{table.path}: expected one column of {role}, got {table.header[places[role]]} and {name}"
            )
        if role:
            places[role] = place
    sides = ("right" if "right" in places else "width", "bottom" if "bottom" in places else "height")
    missing = [role for role in ("frame", "left", "top", *sides) if role not in places]
    if missing:
        got = ", ".join(table.header)[:120]
        raise ValueError(
            f"{table.path}: expected columns frame, left, top, width, height (or right, bottom) in its header, "
            f"got no {' and no '.join(missing)} among {got}"
        )
    return places


def _numbered(words: Sequence[str]) -> tuple[Float, dict[int, str]]:
    """Numbers of classes that are given by name, from 1 on in the order of their first row, and their names."""
    order = list(dict.fromkeys(words))
    taken = {word: int(word) for word in order if not is_name(word) and word.isdecimal()}
    free = (number for number in range(1, len(order) + len(taken) + 1) if number not in taken.values())
    numbers = {word: taken[word] if word in taken else next(free) for word in order}
    names = {number: word for word, number in numbers.items()}
    return np.array([numbers[word] for word in words], np.float64), names


def _of_json(path: Path) -> BoxRows:
    """Rows of the JSON that `JsonSink` writes."""
    text = read_text(path)
    try:
        document = json.loads(text)
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
    rest = values[:, 7:] if known else values[:, :0]
    frames, ids, scores = values[:, 0], values[:, 1], values[:, 6]
    return BoxRows(path, frames, ids, values[:, 2:6], scores, rest, 8 if known else 7, names)


def _of_npy(path: Path) -> BoxRows:
    """Rows of a ``.npy`` file and their features as latents, where there are further columns."""
    try:
        # memory-mapped, so that a header that announces too much is refused before memory is taken; never unpickled
        array: Any = np.lib.format.open_memmap(path, mode="r")
    except (ValueError, EOFError, SyntaxError, TokenError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(f"{path}: expected a complete .npy file with an array of numbers ({error})") from error
    if array.ndim != 2 or array.shape[1] < NPY_COLUMNS or array.dtype.kind not in "fiu":
        got = f"shape {list(array.shape)} of {array.dtype}"
        raise ValueError(f"{path}: expected numbers of shape [n {NPY_COLUMNS}] or [n {NPY_COLUMNS}+d], got {got}")
    latents = np.array(array[:, NPY_COLUMNS:], np.float32) if array.shape[1] > NPY_COLUMNS else None
    values = np.array(array[:, :NPY_COLUMNS], np.float64)
    boxes, none = xywh_to_xyxy(values[:, 2:6]), values[:, :0]
    return BoxRows(path, values[:, 0], values[:, 1], boxes, values[:, 6], none, NPY_COLUMNS, latents=latents)
