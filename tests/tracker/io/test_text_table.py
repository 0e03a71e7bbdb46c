"""Tables of text: separators, decimal commas, headers by name, and what is no table."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import pytest

from flatsort.tracker.io import text_table
from flatsort.tracker.io.mot import MotTable, read_detections, read_table

BOX = [[100.5, 80.25, 140.5, 171.0]]


def read(path: Path, text: str | bytes) -> MotTable:
    file = path / "t.txt"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_table(file)


def refused(path: Path, text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        read(path, text)


@pytest.mark.parametrize("separator", [";", "\t", " ", "; ", "\t "])
def test_decimal_commas_where_something_else_separates(tmp_path: Path, separator: str) -> None:
    whole_first = separator.join(["1", "7", "100", "80", "40", "90", "1"])
    text = separator.join(["1", "7", "100,50", "80,25", "40,00", "90,75", "0,90"])
    table = read(tmp_path, text)
    np.testing.assert_allclose(table.boxes, BOX)
    assert (table.ids[0], table.scores[0]) == (7, 0.9)
    later = read(tmp_path, f"{whole_first}\n{text}\n")
    np.testing.assert_allclose(later.boxes, [[100.0, 80.0, 140.0, 170.0], *BOX])


def test_blanks_and_tabs_may_mix(tmp_path: Path) -> None:
    np.testing.assert_allclose(read(tmp_path, "1 7\t100.5  80.25 \t 40 90.75 1").boxes, BOX)
    np.testing.assert_allclose(read(tmp_path, "1 \t7\t 100.5\t80.25\t40\t90.75\t\n").boxes, BOX)


def test_commas_and_blanks_separate_together(tmp_path: Path) -> None:
    np.testing.assert_allclose(read(tmp_path, "1, 7, 100.5, 80.25, 40, 90.75, 1").boxes, BOX)
    np.testing.assert_allclose(read(tmp_path, "1 ,7 ,100.5 ,80.25 ,40 ,90.75").boxes, BOX)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("1;1;100,5;80.25;40;90", r"line 1: expected decimal commas or decimal points in a file, got both"),
        ("1;1;100,5;80;40;90\n1;2;100.5;80;40;90", r"line 2: expected decimal commas or decimal points"),
        ("1;1;1.100,50;80;40;90", r"line 1: expected numbers, got '1;1;1.100,50"),
        ("1,1,100,50,80,25,40,00,90,75", r"line 1: expected numbers, .*; decimal commas can be read where semicolons"),
        ("1,1,10,10,5,5,1\n1;1;10;10;5;5;1", r"line 2: 1 columns, expected 7"),
        ("1\t\t10\t20\t5\t5\t0.9", r"line 1: expected numbers"),
        ("1\t1\t10\t20\t5\t5\n1\t1\t10\t\t20\t5\t5", r"line 2: 7 columns, expected 6"),
        ("1 2 3,4 5 6", r"line 1: 2 columns, expected at least 6"),
        ("1,2;3,4;5,6", r"line 1: 3 columns, expected at least 6"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    refused(tmp_path, text, sentence)


@pytest.mark.parametrize("number", ["1_0", "١٠", "0x10", "1d3", "1,5", "ten", "--1", "1.2.3", ""])
def test_what_is_no_number(tmp_path: Path, number: str) -> None:
    refused(tmp_path, f"1;1;10;10;5;5;1\n1;2;{number};10;5;5;1.5", r"line 2: expected (numbers|decimal)")


def test_a_column_of_names_is_one_of_classes(tmp_path: Path) -> None:
    table = read(
        tmp_path, "1,1,11,10,40,80,1,person,1\n1,2,11,10,40,80,1,traffic light,0.5\n2,1,11,10,40,80,1,person,1\n"
    )
    assert table.classes.tolist() == [1, 2, 1]
    assert table.class_names == {1: "person", 2: "traffic light"}
    assert table.visibility.tolist() == [1, 0.5, 1]
    refused(tmp_path, "1,1,11,10,40,80,high,1", r"line 1: expected numbers")


@pytest.mark.parametrize(
    "header",
    [
        "frame,id,left,top,width,height,score,class,source,time\n3,7,100.5,80.25,40,90.75,0.9,2,0,0.1",
        "frame_id,track_id,x,y,w,h,conf,class_id,file\n3,7,100.5,80.25,40,90.75,0.9,2,a b",
        "frame_number;identity;xmin;ymin;xmax;ymax;confidence;category\n3;7;100,5;80,25;140,5;171;0,9;2",
        "# frame,tid,bb_left,bb_top,bb_width,bb_height,score,class\n3,7,100.5,80.25,40,90.75,0.9,2",
        '"Frame","Object ID","X1","Y1","X2","Y2","Score","Label"\n"3","7","100.5","80.25","140.5","171","0.9","2"',
        ",frame,id,left,top,right,bottom,score,class\n0,3,7,100.5,80.25,140.5,171,0.9,2",
        "frame,id,left,top,width,height,score,class,note\n3,7,100.5,80.25,40,90.75,0.9,2,\n",
        'frame,id,left,top,width,height,score,class,note,\n3,7,100.5,80.25,40,90.75,0.9,2,"a",',
        "frame,id,xc,yc,width,height,score,class\n3,7,120.5,125.625,40,90.75,0.9,2",
        "frame,id,width,height,class,xmin,ymin,xmax,ymax,score\n3,7,640,360,2,100.5,80.25,140.5,171,0.9",
        'frame,id,left,top,width,height,score,class\n"3","7","100,5","80,25","40","90,75","0,9","2"',
        "class score height width top left id frame\n2 0.9 90.75 40 80.25 100.5 7 3",
        "frame\tid\tleft\ttop\twidth\theight\tscore\tclass\tnote\n3\t7\t100,5\t80,25\t40\t90,75\t0,9\t2\ta, b",
    ],
)
def test_a_header_names_the_columns(tmp_path: Path, header: str) -> None:
    table = read(tmp_path, header)
    np.testing.assert_allclose(table.boxes, BOX)
    assert (table.frames[0], table.ids[0], table.scores[0], table.classes[0]) == (3, 7, 0.9, 2)
    assert table.place(0) == "line 2"
    (detections,) = read_detections(table.path).values()
    np.testing.assert_allclose(detections.boxes, BOX)
    assert detections.classes.tolist() == [2]


def test_a_line_that_tells_excel_the_separator(tmp_path: Path) -> None:
    np.testing.assert_allclose(read(tmp_path, "sep=;\n1;7;100,5;80,25;40;90,75;0,9\n").boxes, BOX)
    table = read(tmp_path, '"sep=;"\nframe;id;x;y;w;h\n1;7;100,5;80,25;40;90,75\n')
    assert (table.boxes.tolist(), table.place(0)) == (BOX, "line 3")


def test_names_of_classes_beside_their_numbers(tmp_path: Path) -> None:
    table = read(tmp_path, "frame,id,x,y,w,h,class_id,class_name\n1,1,0,0,9,9,7,car\n1,2,0,0,9,9,3,van\n")
    assert (table.classes.tolist(), table.class_names) == ([7, 3], {7: "car", 3: "van"})
    table = read(tmp_path, "frame,id,x,y,w,h,label\n1,1,0,0,9,9,car\n1,2,0,0,9,9,van\n")
    assert (table.classes.tolist(), table.class_names) == ([1, 2], {1: "car", 2: "van"})
    table = read(tmp_path, "frame,id,x,y,w,h,label\n1,1,0,0,9,9,car\n1,2,0,0,9,9,1\n1,3,0,0,9,9," + "9" * 400)
    assert table.class_names == {2: "car", 1: "1", 3: "9" * 400}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("frame,id,x,y,w\n1,1,1,1,1", r"expected columns frame, left, .*, got no height among frame, id, x, y, w"),
        ("a,b,c,d,e,f\n1,1,1,1,1,1", r"got no frame and no left and no width and no top and no height among a, b"),
        ("frame,id,x,left,y,w,h\n1,1,1,1,1,1,1", r"expected one column of left, got x and left"),
        ("frame,id,xc,yc,x2,y2\n1,1,1,1,1,1", r"got no width and no height among frame, id, xc"),
        ("frame,x,y,w,h\n1,1,1,1,1", r"expected identities \(a column id or track_id, tracks\)"),
        ("frame,id,x,y,w,h\n1,1,1,1,1", r"line 2: 5 columns, expected 6"),
        ("frame,id,x,y,w,h\n\n1,1,1,1,wide,1", r"line 3: expected numbers, got '1,1,1,1,wide,1'"),
        ("frame,id,x,y,w,h\n0,1,1,1,1,1", r"line 2: frame 0, expected a whole number .* counts frames from 0, add 1"),
    ],
)
def test_headers_that_lack_something(tmp_path: Path, text: str, sentence: str) -> None:
    refused(tmp_path, text, sentence)


def test_sides_that_are_not_finite_come_through(tmp_path: Path) -> None:
    boxes = read(tmp_path, "frame,id,x,y,w,h\n1,1,-inf,0,inf,9\n1,2,1e308,0,1e308,9\n1,3,inf,nan,-inf,9\n").boxes
    assert np.isnan(boxes[0, 2])
    assert np.isinf(boxes[1, 2])
    boxes = read(tmp_path, "1,1,-inf,0,inf,9\n1,2,1e308,0,1e308,9\n").boxes
    assert np.isnan(boxes[0, 2])


def test_comments_before_the_rows_are_left_out(tmp_path: Path) -> None:
    assert read(tmp_path, "# made in spring\n# 2026\n1,2,3,4,5,6\n").ids.tolist() == [2]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    assert read(tmp_path, "1,7,10,20,5,5,.5\r\n2,7,10,20,5,5,.5\r\n".encode(encoding)).frames.tolist() == [1, 2]


def test_a_device_or_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"expected a file of boxes, got a folder"):
        read_detections(tmp_path)
    if Path("/dev/zero").exists():
        with pytest.raises(ValueError, match=r"/dev/zero: expected a file of boxes, got a device"):
            read_detections("/dev/zero")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
def test_a_pipe_is_read_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=("1,-1,1,1,5,5,.5\n0,-1,1,1,5,5,.5\n",))
    writer.start()
    with pytest.raises(ValueError, match=r"pipe line 2: frame 0"):
        read_detections(pipe)
    writer.join()


def test_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_table, "MAX_BYTES", 10)
    refused(tmp_path, "1,2,3,4,5,6,7\n", r"t\.txt: expected at most 0 MiB, got more")
