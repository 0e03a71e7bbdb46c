"""Exports of annotation tools and data sets that tell frames, identities and pixels: CVAT's XML, COCO's JSON, KITTI.

All of them count frames from 0, but for COCO's JSON that counts from 1; frames are given from 1 here.

References
----------
CVAT's documentation, "CVAT for video 1.1": tracks of boxes with ``outside`` and ``keyframe``, frames from 0.
KITTI's tracking development kit, readme.txt: 17 columns, 18 with a score; frames from 0; ``DontCare`` regions.
mmtracking's CocoVID and TAO: COCO's JSON with ``videos``, ``frame_id`` or ``frame_index`` and ``track_id``.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any
from xml.etree import ElementTree

import numpy as np

from flatsort.tracker.io.box_rows import MAX_FRAME, BoxRows
from flatsort.tracker.io.text_table import number

MEMBERS = ("gt/gt.txt", "annotations.xml")
"""Names that the annotations have in the archives of CVAT, by preference."""
LABELS = "labels.txt"

KITTI_COLUMNS = (17, 18)
_KITTI = ("DontCare", "Car", "Van", "Truck", "Pedestrian", "Person_sitting", "Cyclist", "Tram", "Misc")

MAX_GAP = 100_000
"""Most frames between two key frames that are filled."""

Row = tuple[float, float, float, float, float, float, float, int]
"""Frame from 1, identity, xyxy, score, class."""


def _rows(path: Path, rows: Sequence[Row], class_names: Mapping[int, str], *, has_ids: bool = True) -> BoxRows:
    values = np.array(rows, np.float64).reshape(-1, 8)
    return BoxRows(
        path=path,
        frames=values[:, 0],
        ids=values[:, 1],
        boxes=values[:, 2:6],
        scores=values[:, 6],
        rest=values[:, 7:],
        columns=8,
        class_names=class_names,
        has_ids=has_ids,
    )


def of_cvat(path: Path, text: str) -> BoxRows:
    """Annotations of CVAT's XML; boxes between two key frames are interpolated where the export has none.

    Raises
    ------
    ValueError
        If it is no XML of CVAT, or a number is missing.
    """
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise ValueError(f"XML that is damaged ({error})") from error
    if root.tag != "annotations":
        raise ValueError(f"XML (<{root.tag}>)")
    names = [name.text or "" for label in root.iter("label") for name in label.findall("name")]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names), 1)}
    rows: list[Row] = []
    for identity, track in enumerate(root.iter("track"), 1):
        number = numbers.setdefault(track.get("label", ""), len(numbers) + 1)
        boxes = {_frame(box.attrib["frame"]): box for box in track.findall("box")}
        corners = {frame: _corners(box) for frame, box in boxes.items() if box.get("outside") != "1"}
        rows += [(frame + 1, identity, *each, 1.0, number) for frame, each in _filled(corners, sorted(boxes))]
    images = list(root.iter("image"))
    for image in images:
        for box in image.findall("box"):
            number = numbers.setdefault(box.get("label", ""), len(numbers) + 1)
            rows.append((_frame(image.attrib["id"]) + 1, -1, *_corners(box), 1.0, number))
    return _rows(path, rows, {number: name for name, number in numbers.items()}, has_ids=not images)


def _frame(text: str) -> int:
    value = number(text)
    if not (value.is_integer() and 0 <= value < MAX_FRAME):
        raise ValueError(f"CVAT's XML with frame {text[:20]}")
    return int(value)


def _corners(box: ElementTree.Element) -> tuple[float, float, float, float]:
    left, top, right, bottom = (number(box.attrib[key]) for key in ("xtl", "ytl", "xbr", "ybr"))
    return left, top, right, bottom


def _filled(
    corners: Mapping[int, tuple[float, float, float, float]], frames: Sequence[int]
) -> Iterable[tuple[int, tuple[float, float, float, float]]]:
    """Boxes by frame, with those between two frames on a straight line where the first is not outside."""
    for frame, following in zip(frames, [*frames[1:], None], strict=True):
        if frame not in corners:
            continue
        yield frame, corners[frame]
        if following is None or following not in corners:
            continue
        if following - frame > MAX_GAP:
            raise ValueError(f"CVAT's XML with a gap of {following - frame} frames between two key frames")
        a, b = np.array(corners[frame]), np.array(corners[following])
        for between in range(frame + 1, following):
            with np.errstate(invalid="ignore", over="ignore"):
                left, top, right, bottom = (a + (b - a) * (between - frame) / (following - frame)).tolist()
            yield between, (left, top, right, bottom)


def of_coco(path: Path, document: Mapping[str, Any]) -> BoxRows:
    """Annotations of COCO's JSON of one video.

    Frames are ``frame_id`` or ``frame_index`` of the images, from 0 or 1, else the order of their file names.
    Identities are ``track_id`` or ``instance_id``; crowds are to be ignored.

    Raises
    ------
    ValueError, KeyError, TypeError
        If there are several videos, or a part is missing.
    """
    images = document["images"]
    videos = {image.get("video_id") for image in images}
    if len(videos) > 1:
        raise ValueError(f"COCO's JSON of {len(videos)} videos: write one file for each")
    key = next((key for key in ("frame_id", "frame_index") if all(key in image for image in images)), "")
    if key:
        first = min((int(image[key]) for image in images), default=1)
        frames = {image["id"]: int(image[key]) + (1 if first == 0 else 0) for image in images}
    else:
        ordered = sorted(images, key=lambda image: str(image.get("file_name", image["id"])))
        frames = {image["id"]: number for number, image in enumerate(ordered, 1)}
    names = {int(each["id"]): str(each["name"]) for each in document.get("categories", ())}
    rows: list[Row] = []
    has_ids = True
    for each in document["annotations"]:
        left, top, width, height = map(float, each["bbox"])
        attributes = each.get("attributes") or {}
        identity = next((e[k] for e in (each, attributes) for k in ("track_id", "instance_id") if k in e), None)
        has_ids &= identity is not None
        score = float(each.get("score", 0 if each.get("iscrowd") else 1))
        box = (left, top, left + width, top + height)
        category = int(each["category_id"])
        rows.append((frames[each["image_id"]], -1 if identity is None else int(identity), *box, score, category))
    return _rows(path, rows, {row[7]: str(row[7]) for row in rows} | names, has_ids=has_ids)


def is_kitti(line: str) -> bool:
    """Whether a line is one of KITTI's tracking labels."""
    fields = line.split()
    return len(fields) in KITTI_COLUMNS and fields[2].replace("_", "").isalpha()


def of_kitti(path: Path, lines: Sequence[tuple[int, str]]) -> BoxRows:
    """Annotations of KITTI's tracking labels, from numbered lines; regions not to care for are class 0 with score 0.

    Raises
    ------
    ValueError
        If a line has other columns or no numbers; the sentence names it.
    """
    numbers = {name: number for number, name in enumerate(_KITTI)}
    rows: list[Row] = []
    regions = 0
    for place, line in lines:
        fields = line.split()
        try:
            if not is_kitti(line):
                raise ValueError
            frame, identity, score = number(fields[0]), number(fields[1]), number([*fields, "1"][17])
            left, top, right, bottom = map(number, fields[6:10])
        except ValueError:
            got = line.strip()[:60]
            raise ValueError(f"{path} line {place}: expected KITTI's 17 or 18 columns, got {got!r}") from None
        kind = numbers.setdefault(fields[2], len(numbers))
        if kind == 0:  # regions have no identity of their own
            regions += 1
            identity, score = -regions, 0.0
        rows.append((frame + 1, identity, left, top, right, bottom, score, kind))
    result = _rows(path, rows, {number: name for name, number in numbers.items()})
    return replace(result, layout="kitti", lines=np.array([number for number, _ in lines], np.int64))


def member(data: bytes, limit: int) -> tuple[str, bytes, list[str]]:
    """The annotations in an archive as CVAT gives it: name and content, and names of classes where it has some.

    Raises
    ------
    ValueError
        If the archive holds no annotations that are read, or too much.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            places = {PurePosixPath(info.filename): info for info in archive.infolist()}
            found = [path for name in MEMBERS for path in places if path.as_posix() in (name, f"./{name}")]
            if not found or places[found[0]].file_size > limit:
                raise ValueError(f"expected {' or '.join(MEMBERS)} in the archive")
            labels = places.get(found[0].parent / LABELS)
            text = archive.read(labels).decode("utf-8-sig", "replace") if labels and labels.file_size < limit else ""
            return found[0].as_posix(), archive.read(places[found[0]]), text.splitlines()
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, OSError, EOFError, RuntimeError) as error:
        raise ValueError(f"expected a complete ZIP archive ({error})") from error
