"""Detections of a file: its rows by frame, and which frames it names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from flatsort.tracker.detectors import DETECTORS
from flatsort.tracker.detectors.mot_file import MotFileConfig, MotFileDetector
from flatsort.tracker.protocols import Detector
from flatsort.tracker.types import Frame

ROWS = "2,-1,10,20,30,40,0.9\n1,-1,1,2,3,4,0.2\n2,-1,50,60,10,10,-0.5\n"


@pytest.fixture
def path(tmp_path: Path) -> str:
    file = tmp_path / "det.txt"
    file.write_text(ROWS)
    return str(file)


def test_frames_get_their_own_rows_in_the_order_of_the_file(path: str) -> None:
    detector = DETECTORS.build(MotFileConfig(path=path))
    assert isinstance(detector, Detector)
    assert not detector.needs_image
    detections = detector.detect(Frame(2, None, 0.0))
    np.testing.assert_array_equal(detections.boxes, [[10, 20, 40, 60], [50, 60, 60, 70]])
    np.testing.assert_array_equal(detections.scores, [0.9, -0.5])
    assert len(detector.detect(Frame(1, None, 0.0))) == 1
    assert len(detector.detect(Frame(3, None, 0.0))) == 0


def test_least_score(path: str) -> None:
    detector = DETECTORS.build(MotFileConfig(path=path, min_score=0.5))
    assert [len(detector.detect(Frame(i, None, 0.0))) for i in (1, 2)] == [0, 1]


def test_no_file_named() -> None:
    with pytest.raises(ValueError, match=r"detector\.path: expected the FILE\.txt"):
        DETECTORS.build(MotFileConfig())


def test_file_absent(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"absent\.txt"):
        DETECTORS.build(MotFileConfig(path=str(tmp_path / "absent.txt")))


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


def test_classes_of_the_file_and_their_names(tmp_path: Path) -> None:
    file = tmp_path / "det.txt"
    file.write_text("1,-1,1,1,5,5,0.9,2\n2,-1,1,1,5,5,0.8,0\n")
    detector = MotFileDetector(MotFileConfig(path=str(file)))
    assert (list(detector.class_names), detector.has_classes) == (["0", "1", "2"], True)
    chosen = MotFileDetector(MotFileConfig(path=str(file), classes=("2",)))
    assert [len(chosen.detect(Frame(i, None, 0.0))) for i in (1, 2)] == [1, 0]
    assert chosen.length == 2
    file.write_text("1,-1,1,1,5,5,0.9\n")
    assert not MotFileDetector(MotFileConfig(path=str(file))).has_classes


def test_a_format_that_was_asked_for(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"detector\.format: expected one of auto, mot, csv, json, npy, got 'xml'"):
        MotFileConfig(format="xml")
    file = tmp_path / "det.txt"
    file.write_text("frame,left,top,right,bottom\n1,1,1,5,5\n")
    assert MotFileDetector(MotFileConfig(path=str(file), format="csv")).length == 1
    with pytest.raises(ValueError, match=r"expected rows of numbers \(format mot\), got a header 'frame, left"):
        MotFileDetector(MotFileConfig(path=str(file), format="mot"))
    with pytest.raises(ValueError, match=r"det\.txt: expected boxes as .*, got text that is no JSON"):
        MotFileDetector(MotFileConfig(path=str(file), format="json"))
    with pytest.raises(ValueError, match=r"expected a complete \.npy file"):
        MotFileDetector(MotFileConfig(path=str(file), format="npy"))
    file.write_text("1,-1,1,1,5,5\n")
    with pytest.raises(ValueError, match=r"expected a header that names the columns \(format csv\), got '1,-1,1"):
        MotFileDetector(MotFileConfig(path=str(file), format="csv"))


def test_labels_of_yolo_need_the_picture(tmp_path: Path) -> None:
    (tmp_path / "a_3.txt").write_text("2 0.5 0.5 0.5 0.5 0.9\n")
    detector = MotFileDetector(MotFileConfig(path=str(tmp_path)))
    assert (detector.needs_image, detector.has_latents, detector.length) == (True, False, None)
    detector.follow(())
    assert detector.length == 3
    assert len(detector.detect(Frame(3, None, 0.0))) == 0
    detections = detector.detect(Frame(3, np.zeros((20, 40, 3), np.uint8), 0.0))
    np.testing.assert_array_equal(detections.boxes, [[10, 5, 30, 15]])
    assert detections.classes.tolist() == [2]
