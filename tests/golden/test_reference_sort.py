"""The reference SORT's figures on its own detections."""

from __future__ import annotations

from pathlib import Path

import pytest

from flatsort.tracker.config import find, load
from flatsort.tracker.io.mot import format_rows, read_detections
from flatsort.tracker.io.seqinfo import read_seqinfo
from flatsort.tracker.metrics import evaluate
from flatsort.tracker.sort import SortConfig, SortTracker
from flatsort.tracker.types import Detections

FIGURES = {
    "TUD-Campus": {"recall": 68.5, "precision": 94.3, "fp": 15, "fn": 113, "ids": 6, "mota": 62.7},
    "PETS09-S2L1": {"hota": 30.2, "mota": 60.1, "idf1": 34.5, "ids": 105, "fp": 471, "fn": 1279},
}


@pytest.mark.data
@pytest.mark.parametrize("name", FIGURES)
def test_sort_gives_the_reference_figures(name: str, data: Path, tmp_path: Path) -> None:
    folder = data / "sequences" / name
    info = read_seqinfo(folder)
    assert info is not None
    detections = read_detections(folder / "det" / "det.txt")
    tracker = SortTracker(load(SortConfig, find("track", "sort")))
    rows = [
        format_rows(frame, tracker.step(detections.get(frame, Detections.empty())))
        for frame in range(1, info.length + 1)
    ]
    (tmp_path / f"{name}.txt").write_text("".join(rows))
    scores = evaluate(folder, tmp_path / f"{name}.txt").overall
    assert {key: round(getattr(scores, key), 1) for key in FIGURES[name]} == FIGURES[name]
