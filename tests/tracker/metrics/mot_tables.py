"""Small tables for tests: boxes of 30 × 30 pixels on one line, so that a shift of s has IoU (30 − s) / (30 + s)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from flatsort.tracker.io.mot import MotTable

SIDE = 30.0
HALF = 10.0
"""The shift of IoU exactly 0.5."""


def table(rows: Iterable[Sequence[float]], columns: int = 9) -> MotTable:
    """Rows (frame, id, x[, flag = 1[, class = 1]])."""
    full = np.array([[*row, *(1.0, 1.0)[len(row) - 3 :]] for row in rows], float).reshape(-1, 5)
    x = full[:, 2]
    return MotTable(
        path=Path("table.txt"),
        frames=full[:, 0].astype(np.int64),
        ids=full[:, 1].astype(np.int64),
        boxes=np.stack([x, np.zeros(len(x)), x + SIDE, np.full(len(x), SIDE)], axis=1),
        scores=full[:, 3],
        classes=full[:, 4].astype(np.int64),
        visibility=np.ones(len(x)),
        columns=columns,
        layout="mot" if columns in (8, 9) else "mot15",
        lines=np.arange(len(x)) + 1 + (np.arange(len(x)) > 0),  # the second line is blank
    )


def track(identity: int, x: float, frames: Iterable[int]) -> list[tuple[float, ...]]:
    """Rows of an object that stands still."""
    return [(frame, identity, x) for frame in frames]
