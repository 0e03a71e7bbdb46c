"""MOTChallenge files: tables, detections and result rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatsort.tracker.boxes import xyxy_to_xywh
from flatsort.tracker.io.mot import format_rows, read_detections, read_table
from flatsort.tracker.types import Detections, Tracks

GT = """\
1,1,912,484,97,109,0,7,1
1,2,1338,418,167,379,1,1,0.5

2,1,912,484,97,109,0,7,0.25
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "gt.txt"


def test_ground_truth_with_classes(file: Path) -> None:
    file.write_text(GT)
    table = read_table(file)
    assert (len(table), table.columns) == (3, 9)
    np.testing.assert_array_equal(table.frames, [1, 1, 2])
    np.testing.assert_array_equal(table.ids, [1, 2, 1])
    np.testing.assert_array_equal(table.boxes[1], [1338, 418, 1338 + 167, 418 + 379])
    np.testing.assert_array_equal(table.scores, [0, 1, 0])
    np.testing.assert_array_equal(table.classes, [7, 1, 7])
    np.testing.assert_array_equal(table.visibility, [1, 0.5, 0.25])


@pytest.mark.parametrize(
    ("row", "score", "columns"),
    [
        ("3,-1,10,20,5,5", 1, 6),
        ("3,-1,10,20,5,5,0.25", 0.25, 7),
        ("3,-1,10,20,5,5,0.25,-1,-1,-1", 0.25, 10),
        ("3,4,10,20,5,5,1,-5.12,3.4,0", 1, 10),
    ],
)
def test_without_classes(file: Path, row: str, score: float, columns: int) -> None:
    file.write_text(row)
    table = read_table(file)
    assert table.columns == columns
    assert (table.scores[0], table.classes[0], table.visibility[0]) == (score, -1, 1)
    np.testing.assert_array_equal(table.boxes, [[10, 20, 15, 25]])


@pytest.mark.parametrize(
    "text",
    [
        "2 7 10 20 5 5 .5\n1 7 10 20 5 5 .5\n",
        "2, 7, 10, 20, 5, 5, .5\n1, 7, 10, 20, 5, 5, .5",
        "2\t7\t10\t20\t5\t5\t.5\r\n1\t7\t10\t20\t5\t5\t.5\r\n",
        "2,7,10,20,5,5,.5,\n1,7,10,20,5,5,.5,\n",
        "\n\n2;7;10;20;5;5;.5\n1;7;10;20;5;5;.5\n\n",
        "\ufeff2,7.0,10,20,5,5,.5\n1,7.0,1e1,20,5,5,.5\n",
    ],
)
def test_separators(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8", newline="")
    table = read_table(file)
    np.testing.assert_array_equal(table.frames, [2, 1])
    np.testing.assert_array_equal(table.ids, 7)
    np.testing.assert_array_equal(table.boxes, [[10, 20, 15, 25]] * 2)
    np.testing.assert_array_equal(table.scores, 0.5)


@pytest.mark.parametrize("text", ["", "\n", "  \n\n"])
def test_no_rows(file: Path, text: str) -> None:
    file.write_text(text)
    assert len(read_table(file)) == 0
    assert read_table(file).boxes.shape == (0, 4)
    assert read_detections(file) == {}


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("1,2,3,4,5", r"line 4: 5 columns, expected 9"),
        ("1,2,3,4,5,6,7,8,9,10", r"line 4: 10 columns, expected 9"),
        ("1,x,3,4,5,6,1,1,1", r"line 4: expected numbers, got '1,x,3,4,5,6,1,1,1'"),
        ("1,,3,4,5,6,1,1,1", r"line 4: expected numbers, got '1,,3"),
        ("0,2,3,4,5,6,1,1,1", r"line 4: frame 0, expected a whole number from 1"),
        ("99999999999999,2,3,4,5,6,1,1,1", r"line 4: frame 99999999999999, expected a whole number from 1 to 10000000"),
        ("nan,2,3,4,5,6,1,1,1", r"line 4: frame nan, expected a whole number from 1"),
        ("1.5,2,3,4,5,6,1,1,1", r"line 4: frame 1.5, expected a whole number from 1"),
        ("1,2.5,3,4,5,6,1,1,1", r"line 4: id 2.5, expected a whole number"),
        ("1,2,3,4,5,6,1,1.5,1", r"line 4: class 1.5, expected a whole number"),
        ("1,inf,3,4,5,6,1,1,1", r"line 4: id inf, expected a whole number"),
    ],
)
def test_a_bad_line_is_named(file: Path, line: str, sentence: str) -> None:
    lines = GT.splitlines()
    lines[3] = line
    file.write_text("\n".join(lines))
    with pytest.raises(ValueError, match="gt.txt " + sentence):
        read_table(file)


def test_too_few_columns_from_the_start(file: Path) -> None:
    file.write_text("\n1,2,3,4,5\n1,2,3,4,5\n")
    with pytest.raises(ValueError, match=r"gt.txt line 2: 5 columns, expected at least 6"):
        read_table(file)
    file.write_text("1,2,3,4,5\n1,2,3,4,5,6\n")
    with pytest.raises(ValueError, match=r"gt.txt line 1: 5 columns, expected at least 6"):
        read_detections(file)


def test_a_file_of_something_else(file: Path) -> None:
    file.write_bytes(bytes(range(256)) * 10)
    with pytest.raises(ValueError, match=r"gt.txt: expected boxes as .*, got binary data"):
        read_table(file)


def test_detections_of_an_unsorted_file(file: Path) -> None:
    file.write_text("9,-1,0,0,1,1,.1\n2,-1,0,0,2,2,.2\n9,-1,0,0,3,3,.3\n2,-1,0,0,4,4,.4\n")
    detections = read_detections(file)
    assert list(detections) == [2, 9]
    assert all(isinstance(value, Detections) for value in detections.values())
    np.testing.assert_array_equal(detections[9].boxes, [[0, 0, 1, 1], [0, 0, 3, 3]])
    np.testing.assert_array_equal(detections[2].scores, [0.2, 0.4])
    np.testing.assert_array_equal(detections[2].classes, [0, 0])


def test_bad_boxes_come_through(file: Path) -> None:
    file.write_text("1,-1,nan,0,1,1,.1\n1,-1,0,0,inf,2,.2\n1,-1,0,0,0,3,.3\n1,-1,0,0,-5,4,nan\n")
    (detections,) = read_detections(file).values()
    assert len(detections) == 4
    assert np.isnan(detections.boxes[0, 0])
    assert np.isinf(detections.boxes[1, 2])
    np.testing.assert_array_equal(detections.boxes[3], [0, 0, -5, 4])
    assert np.isnan(detections.scores[3])


def test_frames_of_detections_are_bounded_and_their_other_columns_free(file: Path) -> None:
    file.write_text("10000000,nan,0,0,1,1,.1,1.5,inf\n")
    assert list(read_detections(file)) == [10_000_000]
    file.write_text("1,-1,0,0,1,1,.1\n10000001,-1,0,0,1,1,.1\n")
    with pytest.raises(ValueError, match=r"gt.txt line 2: frame 10000001, expected a whole number from 1 to 10000000"):
        read_detections(file)


def tracks(ids: list[int], boxes: list[list[float]], scores: list[float]) -> Tracks:
    zeros = np.zeros(len(ids), np.int64)
    return Tracks(np.array(ids, np.int64), np.array(boxes, float).reshape(-1, 4), np.array(scores), zeros, zeros)


def test_result_rows() -> None:
    rows = format_rows(12, tracks([3, 40], [[1.5, 2, 11.5, 22.12345], [-3, 0, 1, 1e4]], [0.98765, 1]))
    assert rows == "12,3,1.50,2.00,10.00,20.12,0.9877,-1,-1,-1\n12,40,-3.00,0.00,4.00,10000.00,1.0000,-1,-1,-1\n"
    assert format_rows(1, Tracks.empty()) == ""


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_result_is_finite(bad: float) -> None:
    with pytest.raises(ValueError, match=r"frame 4, track 2: expected finite numbers"):
        format_rows(4, tracks([1, 2], [[0, 0, 1, 1], [0, 0, bad, 1]], [1, 1]))


sizes = st.floats(0.01, 5000)
places = st.floats(-5000, 5000)


@given(st.lists(st.tuples(places, places, sizes, sizes, st.floats(0, 1)), max_size=8), st.integers(1, 10**6))
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[float, ...]], frame: int
) -> None:
    boxes = [[x, y, x + w, y + h] for x, y, w, h, _ in rows]
    written = tracks(list(range(1, len(rows) + 1)), boxes, [row[4] for row in rows])
    file = tmp_path_factory.getbasetemp() / "written.txt"
    file.write_text(format_rows(frame, written))
    read = read_table(file)
    np.testing.assert_array_equal(read.ids, written.ids)
    np.testing.assert_array_equal(read.frames, frame)
    np.testing.assert_allclose(xyxy_to_xywh(read.boxes), xyxy_to_xywh(written.boxes), atol=0.005001)
    np.testing.assert_allclose(read.scores, written.scores, atol=0.00005001)


def test_scores_that_are_minus_one_throughout_are_unknown(tmp_path: Path) -> None:
    file = tmp_path / "det.txt"
    file.write_text("1,-1,10,10,20,40,-1\n2,-1,10,10,20,40,-1\n")
    assert [float(each.scores[0]) for each in read_detections(file).values()] == [1.0, 1.0]
    file.write_text("1,-1,10,10,20,40,-1\n2,-1,10,10,20,40,0.5\n")
    assert [float(each.scores[0]) for each in read_detections(file).values()] == [-1.0, 0.5]
