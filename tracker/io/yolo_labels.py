"""A folder of YOLO's labels: one text file a picture, boxes as shares of the picture.

References
----------
Ultralytics 8.3, documentation of the detection data set format and of ``save_txt``, ``save_conf``: lines
``class x y w h[ score[ id]]`` with the centre and the size in 0..1, in files that are named after the pictures, or
``NAME_FRAME.txt`` for a video; pictures without objects have no file. Classes count from 0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from flatsort.tracker.class_names import read_class_names
from flatsort.tracker.io.box_rows import MAX_FRAME
from flatsort.tracker.io.layouts import MAX_CLASS
from flatsort.tracker.io.mot import DetectionFile
from flatsort.tracker.io.text_table import decode, number, numbered_lines, read_bytes
from flatsort.tracker.types import Detections, Float

NAMES = ("classes.txt", "labels.txt", "obj.names")
"""Files in the folder, or beside it, with the name of a class in each line, from class 0 on."""
COLUMNS = (5, 6, 7)


@dataclass(frozen=True, eq=False)
class YoloLabels:
    """The labels of a folder; boxes are xyxy in shares of the picture, see `in_pixels`.

    Attributes
    ----------
    path : Path
    files : mapping of str to Detections
        By the name of the file without suffix; pictures without objects are absent or empty.
    class_names : mapping of int to str
    """

    path: Path
    files: Mapping[str, Detections]
    class_names: Mapping[int, str]

    def by_frame(self, pictures: Sequence[str | None] = ()) -> DetectionFile:
        """The labels by frame: that of the picture of the same name, else the last number in the file's name.

        Where one of the numbers is 0, frames count from 0 and get 1 added, as pictures do.

        Parameters
        ----------
        pictures : sequence of str or None
            Name of each frame's picture without suffix; used where it has all of the files.

        Raises
        ------
        ValueError
            If a file is of no picture and has no number of its own in its name.
        """
        frames = {name: index for index, name in enumerate(pictures, 1) if name is not None}
        if not self.files.keys() <= frames.keys():
            frames = _numbers(self.path, list(self.files))
        kept = {frames[name]: each for name, each in self.files.items() if len(each)}
        return DetectionFile(self.path, dict(sorted(kept.items())), self.class_names)


def read_yolo_labels(folder: Path) -> YoloLabels:
    """Read the labels of a folder. Scores are column 6, 1 where there is none.

    Raises
    ------
    OSError
        If a file cannot be read.
    ValueError
        If there are no labels, or a file is none.
    """
    files = sorted(path for path in folder.glob("*.txt") if path.name not in NAMES and not path.name.startswith("."))
    if not files:
        raise ValueError(
            f"{folder}: expected a file of detections or a folder of YOLO's labels NAME_FRAME.txt, got none"
        )
    rows = {path.stem: _read(path) for path in files}
    present = {int(number) for each in rows.values() for number in each[:, 0]}
    names = {number: str(number) for number in present} | _names(folder)
    labels = {}
    for name, each in rows.items():
        centre, half = each[:, 1:3], each[:, 3:5] / 2
        labels[name] = Detections.of(np.hstack([centre - half, centre + half]), each[:, 5], each[:, 0])
    return YoloLabels(folder, labels, names)


def in_pixels(detections: Detections, width: int, height: int) -> Detections:
    """Detections of `read_yolo_labels` in a picture of this size."""
    scale = np.array([width, height, width, height], np.float64)
    return Detections(detections.boxes * scale, detections.scores, detections.classes)


def _numbers(folder: Path, names: Sequence[str]) -> dict[str, int]:
    """Frame of each file, from its name."""
    taken: dict[int, str] = {}
    for name in names:
        digits = re.findall("[0-9]+", name)
        frame = int(digits[-1][-18:]) if digits else -1
        if not 0 <= frame < MAX_FRAME:
            raise ValueError(f"{folder / name}.txt: expected a picture of this name, or the frame's number at its end")
        if frame in taken:
            raise ValueError(
                f"{folder / name}.txt: expected labels of different frames, {taken[frame]}.txt is of {frame} too"
            )
        taken[frame] = name
    shift = 1 if 0 in taken else 0
    return {name: frame + shift for frame, name in taken.items()}


def _read(path: Path) -> Float:
    """Rows [n 6] of a file: class, centre, size, score."""
    rows = []
    for place, line in numbered_lines(decode(read_bytes(path))):
        try:
            values = [number(field) for field in line.split()]
        except ValueError:
            values = []
        if len(values) not in COLUMNS or not (values[0].is_integer() and 0 <= values[0] <= MAX_CLASS):
            raise ValueError(
                f"{path} line {place}: expected YOLO's class x y w h[ score[ id]], got {line.strip()[:60]!r}"
            )
        if not all(-0.5 <= share <= 1.5 for share in values[1:5]):
            raise ValueError(f"{path} line {place}: expected shares of the picture, 0 to 1, got {line.strip()[:60]!r}")
        # without scores the sixth column is an id
        score = values[5] if len(values) > 5 and 0 <= values[5] <= 1 else 1.0
        rows.append([*values[:5], score])
    return np.array(rows, np.float64).reshape(-1, 6)


def _names(folder: Path) -> dict[int, str]:
    places = [place / name for place in (folder, folder.resolve().parent) for name in NAMES]
    file = next((place for place in places if place.is_file()), None)
    return {} if file is None else dict(enumerate(read_class_names(file)))
