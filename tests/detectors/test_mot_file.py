"""Detections of a file: which frames it names."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracker.detectors.mot_file import MotFileConfig, MotFileDetector


@pytest.mark.parametrize(
    ("text", "least", "length"),
    [
        ("7,-1,1,1,5,5,0.9\n3,-1,1,1,5,5,0.9\n", None, 7),
        ("7,-1,1,1,5,5,0.1\n3,-1,1,1,5,5,0.9\n", 0.5, 7),
        ("\n", None, None),
    ],
    ids=["unsorted", "last below the least score", "empty"],
)
def test_length_is_the_last_frame_of_the_file(
    tmp_path: Path, text: str, least: float | None, length: int | None
) -> None:
    (tmp_path / "det.txt").write_text(text)
    detector = MotFileDetector(MotFileConfig(path=str(tmp_path / "det.txt"), min_score=least))
    assert detector.length == length
