"""What columns mean: layouts of benchmarks, classes and their names."""

from __future__ import annotations

from pathlib import Path

import pytest

from flatsort.tracker.io.layouts import UAVDT_CLASSES, VISDRONE_CLASSES, Layout
from flatsort.tracker.io.mot import read_detection_file, read_table

VISDRONE = "1,0,0,0,200,240,0,0,0,0\n1,1,274,60,50,60,1,1,0,0\n1,2,294,120,50,60,1,4,1,2\n1,3,9,9,50,60,0,11,0,1\n"
MOT17 = "1,1,9,9,5,5,1,1,1\n1,2,9,9,5,5,0,12,0.5\n"
UAVDT = "1,1,9,9,5,5,1,1,1\n1,2,9,9,5,5,3,4,2\n"


@pytest.mark.parametrize(
    ("text", "layout", "classes"),
    [
        (MOT17, "mot", [1, 12]),
        ("1,1,9,9,5,5,1,3\n", "mot", [3]),
        (VISDRONE, "visdrone", [0, 1, 4, 11]),
        (UAVDT, "uavdt", [1, 2]),
        ("1,1,9,9,5,5,1,-1,-1,-1\n", "mot15", [-1]),
        ("1,1,9,9,5,5,1,-5.12,3.4,0\n", "mot15", [-1]),
        ("1,1,9,9,5,5,1,-5,3,0\n1,2,9,9,5,5,1,2,-4,0\n", "mot15", [-1, -1]),
        ("1,1,9,9,5,5,1,0,0,0\n", "mot15", [-1]),
        ("1,1,9,9,5,5,0.9,2,-1,-1\n1,2,9,9,5,5,1,0,-1,-1\n", "mot15", [2, 0]),
        ("1,1,9,9,5,5,1\n", "mot15", [-1]),
    ],
    ids=["MOT17", "8 columns", "VisDrone", "UAVDT", "MOT15", "world", "whole world", "zeros", "results", "7 columns"],
)
def test_layouts_are_told_by_their_columns(tmp_path: Path, text: str, layout: str, classes: list[int]) -> None:
    file = tmp_path / "gt.txt"
    file.write_text(text)
    table = read_table(file)
    assert (table.layout, table.classes.tolist()) == (layout, classes)
    assert table.class_names == {"visdrone": VISDRONE_CLASSES, "uavdt": UAVDT_CLASSES}.get(layout, {})


def test_flags_of_uavdt_are_no_flags_of_motchallenge(tmp_path: Path) -> None:
    file = tmp_path / "M0203_gt_whole.txt"
    file.write_text("1,1,9,9,5,5,1,4,1\n")
    table = read_table(file)
    assert (table.layout, table.classes.tolist(), table.visibility.tolist()) == ("uavdt", [1], [1])


@pytest.mark.parametrize(
    ("text", "layout", "sentence"),
    [
        ("1,1,9,9,5,5,1", "mot", "7 columns, expected 8 or 9 or 10 in the layout mot"),
        (MOT17, "visdrone", "9 columns, expected 10 in the layout visdrone"),
        ("1,1,9,9,5,5,0.7,-1,-1,-1", "visdrone", "expected the layout visdrone, but the columns .* hold other values"),
        ("1,1,9,9,5,5,1,-5.12,3.4,0", "mot", "line 1: class -5.12, expected a whole number"),
    ],
)
def test_a_layout_that_was_asked_for_is_refused(tmp_path: Path, text: str, layout: Layout, sentence: str) -> None:
    file = tmp_path / "gt.txt"
    file.write_text(text)
    with pytest.raises(ValueError, match=sentence):
        read_table(file, layout)


def test_a_layout_that_was_asked_for_is_obeyed(tmp_path: Path) -> None:
    file = tmp_path / "gt.txt"
    file.write_text(VISDRONE)
    assert read_table(file, "mot").classes.tolist() == [0, 1, 4, 11]
    assert read_table(file, "mot15").classes.tolist() == [-1] * 4
    file.write_text(MOT17)
    assert read_table(file, "mot15").classes.tolist() == [-1, -1]


def test_visibility_is_a_share_or_unknown(tmp_path: Path) -> None:
    file = tmp_path / "gt.txt"
    file.write_text("1,1,9,9,5,5,1,1,-1\n1,2,9,9,5,5,1,1,0.25\n")
    assert read_table(file).visibility.tolist() == [1, 0.25]
    file.write_text("1,1,9,9,5,5,0.9,1,0\n1,2,9,9,5,5,0.8,1,7\n")  # some trackers write the detection's number
    assert read_table(file).visibility.tolist() == [1, 1]
    file.write_text("1,1,9,9,5,5,1,3,0.5,-1\n1,2,9,9,5,5,1,1,1,-1\n")  # ten columns, the last of them unused
    assert read_table(file).visibility.tolist() == [0.5, 1]


def test_labels_beside_the_file_name_its_classes(tmp_path: Path) -> None:
    for name in ("gt", "det"):
        (tmp_path / name).mkdir()
    (tmp_path / "gt" / "labels.txt").write_text("car\nperson\ndog\n")
    gt, det = tmp_path / "gt" / "gt.txt", tmp_path / "det" / "det.txt"
    gt.write_text("1,1,9,9,5,5,1,3,1\n")
    assert read_table(gt).class_names == {1: "car", 2: "person", 3: "dog"}
    det.write_text("1,-1,9,9,5,5,0.5,3\n1,-1,9,9,5,5,0.5,7\n")
    assert read_detection_file(det).class_names == {1: "car", 2: "person", 3: "dog", 7: "7"}
    det.write_text("1,-1,9,9,5,5,0.5,2\n1,-1,9,9,5,5,0.5,0\n")  # classes from 0
    assert read_detection_file(det).class_names == {0: "car", 1: "person", 2: "dog"}


@pytest.mark.parametrize(
    ("rest", "classes"),
    [
        (["2", "0"], [2, 0]),
        (["2,0.5", "0,1"], [2, 0]),
        (["2,-1,-1", "1,-1,-1"], [2, 1]),
        (["-1,-1,-1", "-1,-1,-1"], None),
        (["1.5", "2"], None),
        (["10000", "2"], None),
        (["3.5,1,0", "2,1,0"], None),
        (["2,7,0", "2,1,0"], None),
    ],
)
def test_classes_of_detections(tmp_path: Path, rest: list[str], classes: list[int] | None) -> None:
    file = tmp_path / "det.txt"
    file.write_text("".join(f"1,-1,9,9,5,5,0.5,{each}\n" for each in rest))
    read = read_detection_file(file)
    assert read.frames[1].classes.tolist() == (classes or [0, 0])
    assert bool(read.class_names) == (classes is not None)


def test_classes_are_chosen_by_name_or_number(tmp_path: Path) -> None:
    file = tmp_path / "det.txt"
    file.write_text("1,-1,9,9,5,5,0.5,2\n2,-1,9,9,5,5,0.5,1\n2,-1,8,8,5,5,0.5,2\n")
    (tmp_path / "labels.txt").write_text("person\ncar\n")
    read = read_detection_file(file)
    assert {n: len(each) for n, each in read.of_classes(("car",)).frames.items()} == {1: 1, 2: 1}
    assert list(read.of_classes(("1",)).frames) == [2]
    assert read.of_classes(()) is read
    with pytest.raises(ValueError, match=r"unknown class 'dog' \(known: car, person\)"):
        read.of_classes(("dog",))


def test_a_class_in_some_rows_only_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "det.txt"
    file.write_text("1,-1,9,9,5,5,0.5,2\n2,-1,9,9,5,5,0.5,-1\n")
    with pytest.raises(ValueError, match=r"det.txt line 2: no class \(−1\), expected one in every row or in none"):
        read_detection_file(file)
    file.write_text("1,-1,9,9,5,5,0.5\n")
    with pytest.raises(ValueError, match=r"expected classes, to keep car, but no column of the file has any"):
        read_detection_file(file).of_classes(("car",))
