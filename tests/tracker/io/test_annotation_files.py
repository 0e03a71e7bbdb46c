"""Exports of annotation tools: frames from 1, identities, classes by name, and what is to be ignored."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flatsort.tracker.io.mot import read_detections, read_table

CVAT = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <meta><task><labels><label><name>car</name></label><label><name>person</name></label></labels></task></meta>
  <track id="0" label="person">
    <box frame="0" keyframe="1" outside="0" xtl="10" ytl="20" xbr="50" ybr="100"/>
    <box frame="4" keyframe="1" outside="0" xtl="18" ytl="20" xbr="58" ybr="100"/>
    <box frame="5" keyframe="1" outside="1" xtl="18" ytl="20" xbr="58" ybr="100"/>
    <box frame="9" keyframe="1" outside="0" xtl="30" ytl="20" xbr="70" ybr="100"/>
  </track>
  <track id="1" label="dog"><box frame="2" outside="0" xtl="1.5" ytl="2" xbr="3" ybr="4"/></track>
</annotations>
"""


def test_tracks_of_cvat_with_frames_between_key_frames(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(CVAT)
    table = read_table(tmp_path / "a.xml")
    person = table.ids == 1
    assert table.frames[person].tolist() == [1, 2, 3, 4, 5, 10]
    np.testing.assert_allclose(table.boxes[person][:, 0], [10, 12, 14, 16, 18, 30])
    assert (table.frames[~person].tolist(), table.boxes[~person].tolist()) == ([3], [[1.5, 2, 3, 4]])
    assert table.class_names == {1: "car", 2: "person", 3: "dog"}
    assert set(table.classes[person].tolist()) == {2}


def test_pictures_of_cvat_have_no_identities(tmp_path: Path) -> None:
    file = tmp_path / "a.xml"
    box = '<box label="car" xtl="1" ytl="2" xbr="3" ybr="4"/>'
    file.write_text(f'<annotations><image id="4" name="e.png" width="9" height="9">{box}</image></annotations>')
    assert {n: each.boxes.tolist() for n, each in read_detections(file).items()} == {5: [[1, 2, 3, 4]]}
    with pytest.raises(ValueError, match=r"a\.xml: expected identities"):
        read_table(file)


@pytest.mark.parametrize("frame", ["9" * 400, "-1", "1.5", "1_0", "x", "10000000", "200000"])
def test_frames_of_cvat_are_whole_and_bounded(tmp_path: Path, frame: str) -> None:
    (tmp_path / "a.xml").write_text(CVAT.replace('frame="9"', f'frame="{frame}"').replace('outside="1"', 'outside="0"'))
    with pytest.raises(ValueError, match=r"a\.xml: expected boxes as .*, got (CVAT's XML with|expected a number)"):
        read_table(tmp_path / "a.xml")


def coco(**changes: Any) -> dict[str, Any]:
    images = [{"id": 7, "frame_id": 0, "video_id": 1}, {"id": 9, "frame_id": 1, "video_id": 1}]
    boxes = [
        {"id": 1, "image_id": 9, "track_id": 3, "category_id": 2, "bbox": [10, 20, 40, 80]},
        {"id": 2, "image_id": 7, "track_id": 3, "category_id": 2, "bbox": [9, 20, 40, 80], "iscrowd": 1},
    ]
    return {"images": images, "annotations": boxes, "categories": [{"id": 2, "name": "car"}], **changes}


@pytest.mark.parametrize(
    "images",
    [
        [{"id": 7, "frame_id": 0}, {"id": 9, "frame_id": 1}],
        [{"id": 7, "frame_id": 1}, {"id": 9, "frame_id": 2}],
        [{"id": 7, "frame_index": 0}, {"id": 9, "frame_index": 1}],
        [{"id": 9, "file_name": "b.png"}, {"id": 7, "file_name": "a.png"}],
    ],
    ids=["from 0", "from 1", "TAO", "by name"],
)
def test_one_video_of_coco(tmp_path: Path, images: list[dict[str, Any]]) -> None:
    (tmp_path / "a.json").write_text(json.dumps(coco(images=images)))
    table = read_table(tmp_path / "a.json")
    assert (table.frames.tolist(), table.ids.tolist(), table.scores.tolist()) == ([2, 1], [3, 3], [1, 0])
    assert table.boxes[0].tolist() == [10, 20, 50, 100]
    assert (table.classes.tolist(), table.class_names) == ([2, 2], {2: "car"})


def test_identities_among_the_attributes_of_coco(tmp_path: Path) -> None:
    """As datumaro 1.13 writes it; its export to CVAT's format drops them, which `read_table` refuses."""
    box = {"image_id": 7, "category_id": 2, "bbox": [10, 20, 40, 80]}
    document = coco(annotations=[box | {"attributes": {"track_id": 5}}])
    (tmp_path / "a.json").write_text(json.dumps(document))
    assert read_table(tmp_path / "a.json").ids.tolist() == [5]
    (tmp_path / "a.json").write_text(json.dumps(coco(annotations=[box])))
    with pytest.raises(ValueError, match=r"a\.json: expected identities \(.*\), got boxes without them"):
        read_table(tmp_path / "a.json")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"images": [{"id": 7, "video_id": 1}, {"id": 9, "video_id": 2}]}, "COCO's JSON that is damaged or of several"),
        ({"images": []}, "COCO's JSON that is damaged"),
        ({"annotations": [{"image_id": 7, "category_id": 1, "bbox": [1, 2, 3]}]}, "COCO's JSON that is damaged"),
        ({"annotations": 3}, "COCO's JSON that is damaged"),
    ],
)
def test_coco_of_another_shape(tmp_path: Path, changes: dict[str, Any], sentence: str) -> None:
    (tmp_path / "a.json").write_text(json.dumps(coco(**changes)))
    with pytest.raises(ValueError, match=sentence):
        read_table(tmp_path / "a.json")


KITTI = """\
0 -1 DontCare -1 -1 -10 10 10 60 60 -1 -1 -1 -1000 -1000 -1000 -10
0 -1 DontCare -1 -1 -10 70 10 90 60 -1 -1 -1 -1000 -1000 -1000 -10
0 2 Car 0 0 -1.57 100 100 180 160 1.5 1.6 4 1 2 9 -1.6
1 2 Car 0 0 -1.57 102 100 182 160 1.5 1.6 4 1 2 9 -1.6
"""


def test_labels_of_kitti(tmp_path: Path) -> None:
    (tmp_path / "0001.txt").write_text(KITTI)
    table = read_table(tmp_path / "0001.txt")
    assert (table.layout, table.frames.tolist()) == ("kitti", [1, 1, 1, 2])
    assert (table.ids.tolist(), table.scores.tolist()) == ([-1, -2, 2, 2], [0, 0, 1, 1])
    assert table.boxes[2].tolist() == [100, 100, 180, 160]
    assert [table.class_names[number] for number in table.classes.tolist()] == ["DontCare", "DontCare", "Car", "Car"]
    (tmp_path / "0001.txt").write_text(KITTI.replace("1 2 Car", "9" * 400 + " 2 Car"))
    with pytest.raises(ValueError, match=r"0001\.txt line 4: frame inf, expected a whole number"):
        read_table(tmp_path / "0001.txt")
    (tmp_path / "0001.txt").write_text(KITTI + "1 x Car 0 0 -1.57 102 100 182 160 1.5 1.6 4 1 2 9 -1.6\n")
    with pytest.raises(ValueError, match=r"0001\.txt line 5: expected KITTI's 17 or 18 columns, got '1 x Car"):
        read_table(tmp_path / "0001.txt")


@pytest.mark.parametrize("member", ["gt/gt.txt", "annotations.xml"])
def test_an_archive_as_cvat_gives_it(tmp_path: Path, member: str) -> None:
    with zipfile.ZipFile(tmp_path / "export.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, CVAT if member.endswith("xml") else "3,1,1.5,2,1.5,2,1,2,1\n")
        if member.endswith("txt"):
            archive.writestr("gt/labels.txt", "car\nperson\n")
    table = read_table(tmp_path / "export.zip")
    assert [1.5, 2, 3, 4] in table.boxes.tolist()
    assert table.class_names[2] == "person"
    assert (table.frames[table.boxes[:, 0] == 1.5]).tolist() == [3]


@pytest.mark.parametrize("damage", [slice(0, 60), slice(0, -30)])
def test_an_archive_that_is_cut(tmp_path: Path, damage: slice) -> None:
    file = tmp_path / "export.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("gt/gt.txt", "3,1,1.5,2,1.5,2,1,2,1\n" * 50)
    file.write_bytes(file.read_bytes()[damage])
    with pytest.raises(ValueError, match=r"export\.zip: expected boxes as .*, got a ZIP archive"):
        read_table(file)
