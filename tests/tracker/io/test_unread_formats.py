"""Formats that are not read are named in the sentence."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import tarfile
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from flatsort.tracker.io.mot import read_detections, read_table


def zipped(name: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, "1,1,1,1,5,5,1\n")
    return buffer.getvalue()


def tarred() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("gt.txt"))
    return buffer.getvalue()


def picture(suffix: str) -> bytes:
    return bytes(cv2.imencode(suffix, np.zeros((8, 8, 3), np.uint8))[1])


ROWS = b"1,1,1,1,5,5,1\n"
BINARY = {
    "a gzip archive: unpack it first": gzip.compress(ROWS),
    "a bzip2 archive": bz2.compress(ROWS),
    "an xz archive": lzma.compress(ROWS),
    "a ZIP archive without gt/gt.txt or annotations.xml: unpack it first": zipped("rows.txt"),
    "an Excel workbook: save it as CSV": zipped("[Content_Types].xml"),
    r"a NumPy archive \(.npz\)": zipped("a.npy"),
    "a tar archive": tarred(),
    "a Python pickle, which is never opened": pickle.dumps([1]),
    "a JPEG picture": picture(".jpg"),
    "a PNG picture": picture(".png"),
    "a TIFF picture": picture(".tif"),
    "a WebP picture": picture(".webp"),
    r"a video \(MP4\): it belongs in the place of SOURCE": b"\0\0\0\x20ftypisom" + bytes(20),
    "a Parquet file": b"PAR1" + bytes(20),
    "an HDF5 file": b"\x89HDF\r\n\x1a\n",
    "binary data": bytes(100),
}
TEXTS = {
    r"XML that is damaged \(mismatched tag": "<annotations><track></annotations>",
    "PASCAL VOC's or LabelMe's XML": "<annotation><folder>a</folder></annotation>",
    "TrackMate's XML": '<?xml version="1.0"?>\n<TrackMate version="7"></TrackMate>',
    r"XML \(<tracks>\)": "<tracks></tracks>",
    "a web page": "<!DOCTYPE html>\n<html></html>",
    "COCO's JSON that is damaged": json.dumps({"images": [], "annotations": [{}], "categories": []}),
    "COCO's JSON of results": json.dumps([{"image_id": 1, "category_id": 1, "bbox": [1, 1, 5, 5], "score": 1}]),
    "Label Studio's JSON": json.dumps([{"id": 1, "annotations": [], "data": {}}]),
    "LabelMe's JSON": json.dumps({"shapes": [], "imagePath": "a.jpg"}),
    "JSON of the keys 'x', 'y'": json.dumps({"x": 1, "y": 2}),
    "JSON of a int": "[1, 2]",
    "text that is no JSON": "{1",
    r"several JSON documents \(JSON lines\)": '{"frame": 1}\n{"frame": 2}\n',
    "KITTI's object labels": "Person_sitting 0 0 -1.57 100 100 180 160 1.5 1.6 4 1 2 9 -1.6\n",
    "MOTS masks": "1 2001 2 1080 1920 WSV:2d;1O10000O10\n",
    "a pointer of Git LFS: download the file itself": "version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
    "YOLO's labels of one picture": "0 0.5 0.5 0.25 0.1\n1 0.1 0.2 0.25 0.1\n",
    "YOLO's labels of one picture: give --detections the folder": "2 0.19 0.41 0.06 0.27 0.9\n",
}


@pytest.mark.parametrize("reader", [read_detections, read_table])
@pytest.mark.parametrize("name", [*BINARY, *TEXTS])
def test_the_format_is_named(tmp_path: Path, name: str, reader: object) -> None:
    file = tmp_path / "det.txt"
    file.write_bytes(BINARY[name] if name in BINARY else TEXTS[name].encode())
    with pytest.raises(ValueError, match=rf"det\.txt: expected boxes as MOTChallenge rows, .*, got {name}"):
        reader(file)  # type: ignore[operator]


def test_rows_with_shares_of_a_picture_are_no_labels_of_yolo(tmp_path: Path) -> None:
    (tmp_path / "det.txt").write_text("1 1 0.1 0.2 0.05 0.3 0.9\n")
    assert list(read_detections(tmp_path / "det.txt")) == [1]


@pytest.mark.parametrize("text", ["7", "7 1", "{", "[", "<", "<a", "0 " * 5, "#\n7", '"', "version https://git-lfs."])
def test_fragments_are_refused_in_one_sentence(tmp_path: Path, text: str) -> None:
    file = tmp_path / "det.txt"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"^\S+det\.txt.*$"):
        read_detections(file)


@pytest.mark.parametrize("text", ["", "#", "# frame,id\n", "\ufeff", "\n \n"])
def test_files_without_rows_have_no_detections(tmp_path: Path, text: str) -> None:
    file = tmp_path / "det.txt"
    file.write_text(text)
    assert read_detections(file) == {}
