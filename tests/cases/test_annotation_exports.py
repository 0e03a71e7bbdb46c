"""Ground truth as annotation tools export it is scored as it is."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from tests.e2e.conftest import Flatsort

KITTI = "".join(
    f"{n} -1 DontCare -1 -1 -10 0 0 90 90 -1 -1 -1 -1000 -1000 -1000 -10\n"
    f"{n} 4 Car 0 0 -1.5 {100 + n} 100 180 160 1.5 1.6 4 1 2 9 -1.6\n"
    for n in range(3)
)
CVAT = (
    '<annotations><track id="0" label="car">'
    '<box frame="0" outside="0" keyframe="1" xtl="100" ytl="100" xbr="180" ybr="160"/>'
    '<box frame="2" outside="0" keyframe="1" xtl="102" ytl="100" xbr="180" ybr="160"/></track></annotations>'
)
COCO = json.dumps(
    {
        "images": [{"id": n, "frame_id": n} for n in range(3)],
        "annotations": [
            {"id": n, "image_id": n, "track_id": 1, "category_id": 3, "bbox": [100 + n, 100, 80 - n, 60]}
            for n in range(3)
        ],
        "categories": [{"id": 3, "name": "car"}],
    }
)
NAMES = "".join(f"{n + 1},1,{100 + n},100,{80 - n},60,1,car,1\n" for n in range(3))


@pytest.mark.parametrize("name", ["0001.txt", "annotations.xml", "coco.json", "names.txt", "export.zip"])
def test_perfect_tracks_score_100(flatsort: Flatsort, tmp_path: Path, name: str) -> None:
    gt, pred, scores = tmp_path / name, tmp_path / "pred.txt", tmp_path / "scores.json"
    if name == "export.zip":
        with zipfile.ZipFile(gt, "w") as archive:
            archive.writestr("annotations.xml", CVAT)
    else:
        gt.write_text({"0001.txt": KITTI, "annotations.xml": CVAT, "coco.json": COCO, "names.txt": NAMES}[name])
    rows = [f"{n + 1},9,{100 + n},100,{80 - n},60,0.9,-1,-1,-1\n" for n in range(3)]
    if name == "0001.txt":  # a track in a region that nobody labelled
        rows += [f"{n + 1},8,10,10,50,60,0.9,-1,-1,-1\n" for n in range(3)]
    pred.write_text("".join(rows))
    done = flatsort("evaluate", "--gt", gt, "--pred", pred, "--json", scores)
    assert done.code == 0, done.err
    overall = json.loads(scores.read_text())["overall"]
    assert (overall["mota"], overall["idf1"]) == (100, 100)
    assert "car" in done.out.lower()


def test_frames_from_0_are_told(flatsort: Flatsort, tmp_path: Path) -> None:
    gt, pred = tmp_path / "gt.txt", tmp_path / "pred.txt"
    gt.write_text("0,0,10,10,40,80,1,1,1.0\n1,0,11,10,40,80,1,1,1.0\n")
    pred.write_text("1,1,11,10,40,80,0.9,-1,-1,-1\n")
    sentence = flatsort("evaluate", "--gt", gt, "--pred", pred).sentence
    assert "gt.txt line 1: frame 0, expected a whole number from 1" in sentence
    assert "counts frames from 0, add 1 to each" in sentence
