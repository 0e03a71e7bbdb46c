"""``seqinfo.ini``: what a MOTChallenge sequence folder says of itself."""

from __future__ import annotations

import configparser
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from flatsort.tracker.io.box_rows import MAX_FRAME
from flatsort.tracker.io.text_table import number


@dataclass(frozen=True, slots=True)
class SeqInfo:
    """Contents of the ``seqinfo.ini`` of a sequence folder.

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
        Folder of the images; it may be missing.
    """

    name: str
    fps: float
    length: int
    size: tuple[int, int]
    image_dir: Path


def read_seqinfo(folder: str | Path) -> SeqInfo | None:
    """Read ``seqinfo.ini`` of a sequence folder; None if there is no such file.

    Raises
    ------
    ValueError
        If the file is no INI file, or a required entry is missing or is no positive number.
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
            value = number(text)
        except ValueError:
            value = 0.0
        if not (0 < value < np.inf):
            raise ValueError(f"{path}: {key}: expected a number above 0, got {' '.join(text.split())[:60]}")
        return value

    length = positive("seqLength")
    if not (1 <= length <= MAX_FRAME):
        raise ValueError(f"{path}: seqLength: expected 1 to {MAX_FRAME} frames, got {length:.15g}")
    return SeqInfo(
        name=entries.get("name", folder.resolve().name),
        fps=positive("frameRate"),
        length=int(length),
        size=(int(positive("imWidth")), int(positive("imHeight"))),
        image_dir=folder / entries.get("imDir", "img1"),
    )
