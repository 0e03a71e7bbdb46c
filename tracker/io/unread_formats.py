"""Formats of boxes, pictures and archives that are not read, told by their content so that a refusal can name them."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

READABLE = (
    "MOTChallenge rows, a CSV with a header, flatsort's or COCO's JSON, CVAT's XML, KITTI's labels or DeepSORT's .npy"
)
"""What can be read, for sentences."""

UNPACK = "unpack it first"
EXPORT = "convert it to rows frame,id,left,top,width,height,score,class"

_MAGIC: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"\x1f\x8b", "a gzip archive", UNPACK),
    (0, b"BZh", "a bzip2 archive", UNPACK),
    (0, b"\xfd7zXZ\x00", "an xz archive", UNPACK),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK),
    (0, b"\x28\xb5\x2f\xfd", "a Zstandard archive", UNPACK),
    (0, b"Rar!\x1a\x07", "a RAR archive", UNPACK),
    (257, b"ustar", "a tar archive", UNPACK),
    (0, b"PAR1", "a Parquet file", "save it as CSV"),
    (0, b"ARROW1", "an Arrow file", "save it as CSV"),
    (0, b"\x89HDF", "an HDF5 file", "save it as CSV"),
    (0, b"\xd0\xcf\x11\xe0", "an Excel workbook", "save it as CSV"),
    (0, b"MATLAB", "a MATLAB file", "save it as CSV"),
    (0, b"SQLite format 3", "an SQLite database", "save it as CSV"),
    (0, b"\x93NUMPY", "a NumPy array", "name it FILE.npy"),
    (0, b"%PDF", "a PDF", ""),
    (0, b"\xff\xd8\xff", "a JPEG picture", ""),
    (0, b"\x89PNG", "a PNG picture", ""),
    (0, b"GIF8", "a GIF picture", ""),
    (0, b"II*\x00", "a TIFF picture", ""),
    (0, b"MM\x00*", "a TIFF picture", ""),
    (8, b"WEBP", "a WebP picture", ""),
    (8, b"AVI ", "a video (AVI)", "it belongs in the place of SOURCE"),
    (4, b"ftyp", "a video (MP4)", "it belongs in the place of SOURCE"),
    (0, b"\x1a\x45\xdf\xa3", "a video (Matroska or WebM)", "it belongs in the place of SOURCE"),
    (0, b"FLV\x01", "a video (FLV)", "it belongs in the place of SOURCE"),
    (0, b"\x00\x00\x01\xba", "a video (MPEG)", "it belongs in the place of SOURCE"),
)
ZIP = (b"PK\x03\x04", b"PK\x05\x06")
"""How a ZIP archive begins."""
_PICKLE = re.compile(rb"\x80[\x02-\x05][\x80-\x9a\x28-\x7d]")
_ROOTS = {
    "annotation": "PASCAL VOC's or LabelMe's XML",
    "TrackMate": "TrackMate's XML",
    "sequence": "UA-DETRAC's XML",
    "viper": "ViPER's XML",
}
_KEYS: tuple[tuple[set[str], str], ...] = (
    ({"images", "annotations"}, "COCO's JSON that is damaged or of several videos"),
    ({"image_id", "bbox"}, "COCO's JSON of results"),
    ({"frames", "source", "fps"}, "flatsort's JSON in a file of another name or damaged"),
    ({"shapes"}, "LabelMe's JSON"),
    ({"_via_img_metadata"}, "VIA's JSON"),
    ({"categories", "items"}, "Datumaro's JSON"),
    ({"annotations", "id"}, "Label Studio's JSON (shares of a picture whose size it does not tell)"),
    ({"name", "labels"}, "Scalabel's or BDD100K's JSON"),
)


def refusal(path: Path, name: str) -> ValueError:
    """The error of a file that is something else; ``name`` as `of_bytes` or `of_text` gives it."""
    return ValueError(f"{path}: expected boxes as {READABLE}, got {name}")


def of_bytes(head: bytes) -> str:
    """What a binary file is, from its first bytes, with what to do; empty where it may be text or a ZIP archive."""
    if head[:4] in ZIP:
        return ""
    for offset, magic, name, advice in _MAGIC:
        if head[offset : offset + len(magic)] == magic:
            return _sentence(name, advice)
    if _PICKLE.match(head):
        return _sentence("a Python pickle, which is never opened", "save it as CSV")
    utf16 = head[:2] in (b"\xff\xfe", b"\xfe\xff")
    return "binary data" if b"\x00" in head and not utf16 else ""


def of_text(lines: Sequence[str]) -> str:
    """What a text file is that holds no table of boxes, from its lines that are not blank; empty where unknown."""
    first = lines[0].lstrip() if lines else ""
    if first.startswith("version https://git-lfs."):
        return _sentence("a pointer of Git LFS", "download the file itself")
    if first.startswith("<"):
        return _xml("\n".join(lines[:100]))
    if first.startswith(("{", "[")):
        return of_json("\n".join(lines))
    fields = first.split()
    if is_yolo(fields):
        return _sentence("YOLO's labels of one picture", "give --detections the folder of all of them")
    if len(fields) in (15, 16) and fields[0].replace("_", "").isalpha():
        return _sentence("KITTI's object labels", EXPORT)
    if len(fields) == 6 and all(each.isdecimal() for each in fields[:5]) and not fields[5].replace(".", "").isdecimal():
        return _sentence("MOTS masks", EXPORT)
    return ""


def is_yolo(fields: Sequence[str]) -> bool:
    """Whether a line is one of YOLO's labels: class, then centre and size as shares of the picture."""
    try:
        values = [float(field) for field in fields]
    except ValueError:
        return False
    if not 5 <= len(values) <= 7:
        return False
    shares = all(0 <= share <= 1 for share in values[1:5]) and not values[1].is_integer()
    return shares and values[0] >= 0 and values[0].is_integer()


def of_json(text: str) -> str:
    """What a JSON document is, by its keys."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        several = "Extra data" in str(error) and text.lstrip().startswith("{")
        return (
            _sentence("several JSON documents (JSON lines)", EXPORT) if several else f"text that is no JSON ({error})"
        )
    sample = document[0] if isinstance(document, list) and document else document
    keys = set(sample) if isinstance(sample, dict) else set()
    name = next((name for needed, name in _KEYS if needed <= keys), "")
    return _sentence(name or f"JSON of {_shown(sample)}", EXPORT)


def _shown(sample: Any) -> str:
    if isinstance(sample, dict):
        return f"the keys {', '.join(map(repr, list(sample)[:6]))}" if sample else "no keys"
    return f"a {type(sample).__name__}"


def _xml(text: str) -> str:
    root = re.search(r"<([A-Za-z_][\w:.-]*)", text)
    name = root[1] if root else ""
    if name.lower() == "html" or "<!doctype html" in text.lower():
        return "a web page"
    if name == "annotations":  # CVAT's, which is read
        return ""
    return _sentence(_ROOTS.get(name, f"XML (<{name}>)"), EXPORT)


def of_zip(data: bytes) -> str:
    """What a ZIP archive is that holds no annotations to read."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
        names = []
    if "[Content_Types].xml" in names:
        return _sentence("an Excel workbook", "save it as CSV")
    if names and all(name.endswith(".npy") for name in names):
        return _sentence("a NumPy archive (.npz)", "save its array as FILE.npy")
    return _sentence("a ZIP archive without gt/gt.txt or annotations.xml", UNPACK)


def _sentence(name: str, advice: str) -> str:
    return f"{name}: {advice}" if advice else name
