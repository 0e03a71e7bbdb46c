"""Files of boxes: detections, tracks and ground truth in every format that is read."""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import Path

import numpy as np

from flatsort.tracker.class_names import read_class_names
from flatsort.tracker.io.mot import format_rows, read_detection_file, read_table
from flatsort.tracker.io.seqinfo import read_seqinfo
from flatsort.tracker.io.video import open_source
from flatsort.tracker.io.yolo_labels import read_yolo_labels
from flatsort.tracker.metrics import report
from flatsort.tracker.metrics.evaluation import evaluate_pair, pool
from flatsort.tracker.metrics.sequence_files import FilePair
from flatsort.tracker.sort import SortTracker
from flatsort.tracker.track_config import TrackConfig, load_track_config
from flatsort.tracker.types import Detections
from tests.fuzz.mutations import Form
from tests.fuzz.readers import Prepare, Target

FRAMES = 12
"""Frames of a file that are tracked."""
SCORED = 8
DETECTIONS = (
    b"1,-1,10,20,30,60,0.9,-1,-1,-1\n1,-1,100.5,20,30,60,0.4,-1,-1,-1\n2,-1,12,20,30,60,0.8,-1,-1,-1\n",
    b"1 -1 10 20 30 60\n2 -1 12 20 30 60\n\n3 -1 14 20 30 60\n",
    b"1;-1;10,5;20,0;30;60;0,9;1\n2;-1;11,5;20,0;30;60;0,9;1\n",
    b"1,-1,10,20,30,60,0.9,person\n2,-1,12,20,30,60,0.8,car\n",
)
HEADERS = (
    b"frame,id,x,y,w,h,score,class\n1,1,10,20,30,60,0.9,person\n2,1,12,20,30,60,0.9,car\n",
    b'"frame";"x1";"y1";"x2";"y2"\n"1";"10,5";"20";"40";"80"\n"2";"10,5";"20";"40";"80"\n',
    b"frame,time,id,left,top,width,height,score,class,detection\n1,0,1,10,20,30,60,0.9,0,0\n2,0.1,1,12,20,30,60,1,0,1\n",
)
TRACKS_JSON = (
    b'{"source": "s", "fps": 10, "classes": {"0": "a", "1": "b"}, "frames": [{"frame": 1, "time": 0, "tracks": '
    b'[{"id": 1, "box": [10, 20, 40, 80], "score": 0.9, "class": 1, "detection": 0}]}, {"frame": 2, "tracks": []}]}',
)
COCO = (
    b'{"images": [{"id": 1, "file_name": "a.jpg", "frame_id": 0}, {"id": 2, "file_name": "b.jpg", "frame_id": 1}], '
    b'"annotations": [{"image_id": 1, "category_id": 1, "track_id": 3, "bbox": [10, 20, 30, 60], "score": 1}, '
    b'{"image_id": 2, "category_id": 1, "attributes": {"track_id": 3}, "bbox": [11, 20, 30, 60], "iscrowd": 0}], '
    b'"categories": [{"id": 1, "name": "person"}]}',
)
CVAT = (
    b'<?xml version="1.0"?>\n<annotations><meta><task><labels><label><name>car</name></label></labels></task></meta>\n'
    b'<track id="0" label="car">\n<box frame="0" outside="0" xtl="1" ytl="2" xbr="30" ybr="40"/>\n'
    b'<box frame="4" outside="1" xtl="5" ytl="2" xbr="34" ybr="40"/>\n</track>\n</annotations>\n',
)
CVAT_IMAGES = (
    b'<annotations><image id="3" name="x"><box label="a" xtl="1" ytl="2" xbr="30" ybr="40"/></image></annotations>',
)
KITTI = (
    b"0 1 Car 0 0 -1.57 10.0 20.0 40.0 80.0 1.5 1.6 3.5 1 2 3 0.1\n"
    b"1 1 Car 0 0 -1.57 11.0 20.0 41.0 80.0 1.5 1.6 3.5 1 2 3 0.1\n"
    b"1 -1 DontCare -1 -1 -10 1 2 30 40 -1 -1 -1 -1000 -1000 -1000 -10\n",
)
GROUND_TRUTH = (
    b"1,1,10,20,30,60,1,1,1\n1,2,100,20,30,60,1,7,0.4\n2,1,12,20,30,60,1,1,0.9\n2,2,101,20,30,60,0,1,0.1\n",
    b"1,1,10,20,30,60,1,1,0.5,-1\n2,1,12,20,30,60,1,1,0.5,-1\n",
    b"1,1,10,20,30,60,1\n2,1,12,20,30,60,1\n",
    *CVAT,
    *COCO,
    *KITTI,
)
PREDICTIONS = (
    b"1,1,10,20,30,60,1,-1,-1,-1\n2,1,12,20,30,60,1,-1,-1,-1\n2,2,50,20,30,60,1,-1,-1,-1\n",
    HEADERS[0],
    HEADERS[2],
    *TRACKS_JSON,
)
SEQINFO = (b"[Sequence]\nname=seq\nimDir=img1\nframeRate=10\nseqLength=30\nimWidth=160\nimHeight=120\nimExt=.jpg\n",)
YOLO = (b"0 0.5 0.5 0.1 0.2 0.9\n1 0.25 0.5 0.1 0.2 0.8\n", b"0 0.5 0.5 0.1 0.2\n")
NAMES = (b"person\ncar\n\ndog\n", b"\xef\xbb\xbfMann\r\nFrau\r\n")


def _tracked(path: Path, config: TrackConfig) -> None:
    """Read detections, track them, and write the rows of the tracks."""
    file = read_detection_file(path)
    tracker = SortTracker(config)
    for frame in range(1, FRAMES):
        detections = file.frames.get(frame, Detections.empty())
        tracks = tracker.step(Detections(detections.boxes, detections.scores, detections.classes))
        assert np.isfinite(tracks.boxes).all()
        assert "nan" not in format_rows(frame, tracks)


def _detections(name: str, seeds: tuple[bytes, ...], form: Form = "text") -> Prepare:
    def prepare(folder: Path) -> Target:
        path, config = folder / name, load_track_config("sort")
        return Target(path, seeds, form, lambda: _tracked(path, config))

    return prepare


def _scored(folder: Path, changed: str, seeds: tuple[bytes, ...]) -> Target:
    """Ground truth and tracks, one of which is changed; a sentence may name either of them.

    Scores take twenty times as long as reading, so that one in `SCORED` is scored.
    """
    gt, pred = folder / "gt.txt", folder / "pred.txt"
    gt.write_bytes(GROUND_TRUTH[1])
    pred.write_bytes(PREDICTIONS[0])

    def read() -> None:
        tables = read_table(gt), read_table(pred)
        if zlib.crc32(b"".join(path.read_bytes() for path in (gt, pred))) % SCORED and all(map(len, tables)):
            return
        evaluation = pool([evaluate_pair(FilePair("s", gt, pred))])
        report.table(evaluation)
        report.to_csv(evaluation)
        assert "NaN" not in report.to_json(evaluation)

    return Target(folder / changed, seeds, "text", read, named=folder.name)


def _tracks_table(name: str, seeds: tuple[bytes, ...], form: Form) -> Prepare:
    def prepare(folder: Path) -> Target:
        path = folder / name
        return Target(path, seeds, form, lambda: read_table(path))

    return prepare


def _seqinfo(folder: Path) -> Target:
    def read() -> None:
        read_seqinfo(folder)
        source = open_source(str(folder), images=False)
        for _, frame in zip(range(FRAMES), source, strict=False):
            assert frame.image is None

    (folder / "img1").mkdir()
    (folder / "det").mkdir()
    (folder / "det" / "det.txt").write_bytes(DETECTIONS[0])
    return Target(folder / "seqinfo.ini", SEQINFO, "text", read, named=folder.name)


def _yolo(folder: Path) -> Target:
    def read() -> None:
        labels = read_yolo_labels(folder)
        labels.by_frame(())

    (folder / "v_2.txt").write_bytes(YOLO[0])
    return Target(folder / "v_1.txt", YOLO, "text", read)


def _class_names(folder: Path) -> Target:
    path = folder / "names.txt"
    return Target(path, NAMES, "text", lambda: read_class_names(path))


def _array(folder: Path) -> Target:
    path, config, contents = folder / "det.npy", load_track_config("sort"), []
    rows = np.array([[1, -1, 10, 20, 30, 60, 0.9, -1, -1, -1], [2, -1, 12, 20, 30, 60, 0.9, -1, -1, -1]])
    for array in (rows, rows.astype(np.float32), np.hstack([rows, rows])):
        stream = io.BytesIO()
        np.save(stream, array)
        contents.append(stream.getvalue())
    return Target(path, contents, "npy", lambda: _tracked(path, config))


def _archive(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


ZIPS = (
    _archive({"annotations.xml": CVAT[0]}),
    _archive({"gt/gt.txt": GROUND_TRUTH[1], "gt/labels.txt": b"car\nperson\n"}),
)

READERS: dict[str, Prepare] = {
    "detections": _detections("det.txt", DETECTIONS),
    "detections-header": _detections("det.csv", HEADERS),
    "detections-json": _detections("det.json", TRACKS_JSON, "tree"),
    "detections-npy": _array,
    "coco": _tracks_table("coco.json", COCO, "tree"),
    "detections-cvat": _detections("det.xml", CVAT_IMAGES),
    "cvat": _tracks_table("cvat.xml", CVAT, "text"),
    "cvat-zip": _tracks_table("cvat.zip", ZIPS, "zip"),
    "kitti": _tracks_table("kitti.txt", KITTI, "text"),
    "yolo": _yolo,
    "ground-truth": lambda folder: _scored(folder, "gt.txt", GROUND_TRUTH),
    "predictions": lambda folder: _scored(folder, "pred.txt", PREDICTIONS),
    "seqinfo": _seqinfo,
    "class-names": _class_names,
}
