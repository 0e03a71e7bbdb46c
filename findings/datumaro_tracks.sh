#!/usr/bin/env bash
# 2026-11-27, datumaro 1.13.12, numpy 2.4.6, Python 3.11.
# Guess: exports of a tracked video keep the frames' numbers and the track ids.
# Seen, of three pictures with one tracked box each (track_id 5, attribute "frame" 5, 10, 15, label 2 of 2):
# * mot_seq_gt numbers frames by their order where a picture's name is more than a number (frame_000005, …: frames 1, 2,
#   3); where it is a number (000005, …) frames are 5, 10, 15. So the rows of a gt.txt and the numbers in the pictures'
#   names may be two numberings of one export. Track ids are written anew, from 1. Classes are as guessed: from 1, in the
#   order of labels.txt.
# * cvat drops track ids without a word: tracks become boxes of single pictures.
# * coco keeps them, as attributes.track_id.
# Output seen:
#   names with a text: 1,1,5.0,20.0,30.0,40.0,1,2,1.0 2,1,10.0,20.0,30.0,40.0,1,2,1.0 3,1,15.0,20.0,30.0,40.0,1,2,1.0
#   names of digits: 5,1,5.0,20.0,30.0,40.0,1,2,1.0 10,1,10.0,20.0,30.0,40.0,1,2,1.0 15,1,15.0,20.0,30.0,40.0,1,2,1.0
#   cvat: 0 tracks, 0 times "track_id"; coco: track ids [5, 5, 5]
# Fails if that changes.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet datumaro==1.13.12 numpy==2.4.6 setuptools==65.5.0 2> /dev/null
"$folder/venv/bin/python" -W ignore - "$folder" <<'PY'
import json
import sys
from pathlib import Path

import datumaro
import numpy as np
from datumaro.components.media import Image


def export(pattern: str, name: str) -> Path:
    items = [
        datumaro.DatasetItem(
            id=pattern.format(n),
            subset="train",
            media=Image.from_numpy(data=np.zeros((100, 200, 3), np.uint8)),
            attributes={"frame": n},
            annotations=[datumaro.Bbox(n, 20, 30, 40, label=1, attributes={"track_id": 5})],
        )
        for n in (5, 10, 15)
    ]
    out = Path(sys.argv[1], f"{name}-{len(pattern)}")
    datumaro.Dataset.from_iterable(items, categories=["car", "person"]).export(str(out), name, save_media=False)
    return out


def rows(pattern: str) -> list[str]:
    return (export(pattern, "mot_seq_gt") / "gt" / "gt.txt").read_text().split()


named, digits = rows("frame_{:06d}"), rows("{:06d}")
print("names with a text:", *named)
print("names of digits:", *digits)
cvat = "".join(path.read_text() for path in export("frame_{:06d}", "cvat").rglob("*.xml"))
(coco,) = export("frame_{:06d}", "coco_instances").rglob("*.json")
kept = [each["attributes"]["track_id"] for each in json.loads(coco.read_text())["annotations"]]
print(f'cvat: {cvat.count("<track ")} tracks, {cvat.count("track_id")} times "track_id"; coco: track ids {kept}')
assert [row.split(",")[:2] for row in named] == [["1", "1"], ["2", "1"], ["3", "1"]]
assert [row.split(",")[:2] for row in digits] == [["5", "1"], ["10", "1"], ["15", "1"]]
assert {row.split(",")[7] for row in named} == {"2"}
assert cvat.count("<box ") == 3 and "<track " not in cvat and "track_id" not in cvat
assert kept == [5, 5, 5]
PY
