"""Folders of YOLO's labels: frames by name, classes, scores, and boxes in pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from flatsort.tracker.io.yolo_labels import in_pixels, read_yolo_labels


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "labels").mkdir()
    return tmp_path / "labels"


def test_boxes_classes_and_scores(folder: Path) -> None:
    (folder / "street_12.txt").write_text("2 0.5 0.5 0.25 0.1 0.75\n0 0.25 0.5 0.5 0.5 0.5 7\n")
    (folder / "street_2.txt").write_text("1 0.5 0.5 1 1\n")
    (folder / "street_3.txt").write_text("")
    labels = read_yolo_labels(folder).by_frame()
    assert (list(labels.frames), labels.class_names) == ([2, 12], {0: "0", 1: "1", 2: "2"})
    detections = in_pixels(labels.frames[12], 640, 200)
    np.testing.assert_allclose(detections.boxes, [[240, 90, 400, 110], [0, 50, 320, 150]])
    assert (detections.scores.tolist(), detections.classes.tolist()) == ([0.75, 0.5], [2, 0])
    assert labels.frames[2].scores.tolist() == [1.0]


def test_a_sixth_column_above_1_is_an_id(folder: Path) -> None:
    (folder / "1.txt").write_text("0 0.5 0.5 0.25 0.1 17\n")
    assert read_yolo_labels(folder).by_frame().frames[1].scores.tolist() == [1.0]


def test_frames_from_0_are_numbered_as_pictures_are(folder: Path) -> None:
    for number in (0, 1, 2):
        (folder / f"{number:04}.txt").write_text("0 0.5 0.5 0.25 0.1\n")
    assert list(read_yolo_labels(folder).by_frame().frames) == [1, 2, 3]


def test_pictures_of_the_same_names_say_the_frames(folder: Path) -> None:
    for name in ("a", "c", "000001"):
        (folder / f"{name}.txt").write_text("0 0.5 0.5 0.25 0.1\n")
    labels = read_yolo_labels(folder)
    assert list(labels.by_frame(["a", "b", None, "c", "000000", "000001"]).frames) == [1, 4, 6]
    with pytest.raises(ValueError, match=r"a\.txt: expected a picture of this name, or the frame's number at its end"):
        labels.by_frame(["a", "b"])
    (folder / "a.txt").unlink()
    (folder / "c.txt").unlink()
    assert list(read_yolo_labels(folder).by_frame(["000000", "000001"]).frames) == [2]
    assert list(read_yolo_labels(folder).by_frame(["x", "y"]).frames) == [1]


@pytest.mark.parametrize("place", ["labels/classes.txt", "labels/labels.txt", "classes.txt", "obj.names"])
def test_names_of_classes_count_from_0(folder: Path, place: str) -> None:
    (folder / "1.txt").write_text("1 0.5 0.5 0.25 0.1\n")
    (folder.parent / place).write_text("person\ncar\n")
    assert read_yolo_labels(folder).class_names == {0: "person", 1: "car"}


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({}, r"labels: expected a file of detections or a folder of YOLO's labels NAME_FRAME.txt, got none"),
        (
            {"street.txt": "0 .5 .5 .1 .1"},
            r"street.txt: expected a picture of this name, or the frame's number at its end",
        ),
        ({"a_1.txt": "", "b_01.txt": ""}, r"b_01.txt: .* different frames, a_1.txt is of 1 too"),
        ({"1.txt": "0 .5 .5 .1 .1\n0 .5 .5 .1"}, r"1.txt line 2: expected YOLO's class x y w h"),
        ({"1.txt": "1,-1,10,10,20,40,0.9"}, r"1.txt line 1: expected YOLO's class x y w h"),
        ({"1.txt": "1_0 .5 .5 .1 .1"}, r"1.txt line 1: expected YOLO's class x y w h"),
        ({"1.txt": "1.5 .5 .5 .1 .1"}, r"1.txt line 1: expected YOLO's class x y w h"),
        ({"1.txt": "1 -1 10 10 20 40 0.9"}, r"1.txt line 1: expected shares of the picture, 0 to 1"),
        ({"1.txt": "0 nan .5 .1 .1"}, r"1.txt line 1: expected shares of the picture"),
    ],
)
def test_what_is_no_folder_of_labels(folder: Path, files: dict[str, str], sentence: str) -> None:
    for name, text in files.items():
        (folder / name).write_text(text)
    with pytest.raises(ValueError, match=sentence):
        read_yolo_labels(folder).by_frame()
