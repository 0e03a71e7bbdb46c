"""``import flatsort``: nothing that is handed over is left out without a word; what does not fit is told at once."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import flatsort
from flatsort.tracker.types import Detections, Frame


class Finder:
    """A detector of one's own."""

    class_names: Sequence[str] = ("thing",)
    needs_image = False

    def detect(self, frame: Frame) -> Detections:
        """One box that moves."""
        return Detections.of([[10.0 + frame.index, 10, 40, 80]])


@pytest.fixture
def det(tmp_path: Path) -> str:
    path = tmp_path / "det.txt"
    path.write_text("".join(f"{f},-1,{f},20,30,60,0.9\n" for f in range(1, 9)))
    return str(path)


def test_an_object_works(det: str) -> None:
    assert len(list(flatsort.track(det, "sort", detector=Finder()))) == 8


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"detector": Finder}, r"detector: expected an object, got the class Finder; write Finder\(\)"),
        ({"detector": object()}, "detector object: expected an object with detect, has no detect"),
        ({"embedder": object()}, "embedder object: expected an object with dim and embed, has no dim"),
        ({"frames": -1}, "frames: expected 1 or more, got -1"),
        ({"frames": 0}, "frames: expected 1 or more"),
        ({"min_scor": 0.5}, "unknown option 'min_scor'; did you mean 'min_score'"),
        ({"values": {}}, "unknown option 'values'"),
        (
            {"detector": Finder(), "detections": "det.txt"},
            "detections: expected none beside a detector that is an object",
        ),
        ({"detector": Finder(), "classes": "person"}, "classes: expected none beside"),
        ({"detector": Finder(), "overrides": ["detector.min_score=1"]}, "detector.min_score=1: expected none beside"),
        ({"overrides": "min_score=1"}, "overrides: expected a list of key=value texts, got the text 'min_score=1'"),
        ({"weights": "x.onnx"}, "weights: expected a detector that takes them"),
        ({"detections": "a.txt", "detector": "onnx"}, "expected detections or the detector onnx, got both"),
    ],
)
def test_what_does_not_fit(det: str, arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        flatsort.track(det, "sort", **arguments)


def test_an_embedder_that_no_stage_compares_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        flatsort.load_tracker("sort", embedder="pixels")
    assert "tracker sort does not use appearance: the embedder is left out" in caplog.text


def test_overrides_of_a_tracker_are_a_list() -> None:
    with pytest.raises(ValueError, match="overrides: expected a list"):
        flatsort.load_tracker("sort", "lifecycle.max_age=3")
