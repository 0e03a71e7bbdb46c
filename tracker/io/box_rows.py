"""Rows of boxes as a file holds them, whatever its format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from flatsort.tracker.types import Float, Float32, Int

MAX_FRAME = 10_000_000
"""Highest frame number that is accepted: days of video."""


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
    layout : str
        The layout of a format that has only one; else empty.
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
    layout: Literal["", "kitti"] = ""
    has_ids: bool = True

    def place(self, row: int) -> str:
        """Where a row (0-based) stands, for error messages."""
        return f"row {row + 1}" if self.lines is None else f"line {self.lines[row]}"
