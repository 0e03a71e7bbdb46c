"""Image files: which there are, in which order, and what is in them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from flatsort.tracker.types import Image

SUFFIXES = {".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}


def read_image(path: Path) -> Image | None:
    """Read an image file as RGB uint8 [h w 3]; None if it is absent, broken, cut short or too large to be one."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    # some decoders would fill what is missing with grey
    jpeg_cut = data.startswith(b"\xff\xd8") and data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda")
    png_cut = data.startswith(b"\x89PNG") and b"IEND" not in data
    if not data or jpeg_cut or png_cut:
        return None
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:  # a header that speaks of more pixels than OpenCV ever takes
        return None
    return None if picture is None else rgb(picture)


def rgb(picture: cv2.typing.MatLike) -> Image:
    """Give OpenCV's BGR picture as RGB uint8 [h w 3]."""
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)


def images_of(paths: Iterable[Path]) -> list[Path]:
    """Pick the images among some paths, in natural order."""
    found = [path for path in paths if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")]
    return sorted(found, key=lambda path: [int(t) if t.isdigit() else t for t in re.split("([0-9]+)", str(path))])


def numbered(paths: list[Path], announced: int) -> list[Path | None]:
    """Images at the place of their number, None between; in their order where the numbers are no frame numbers."""
    digits = [re.findall("[0-9]+", path.stem) for path in paths]
    numbers = [int(found[-1]) for found in digits if found]
    shift = 1 if 0 in numbers else 0  # some count from 0
    highest = max(numbers, default=0) + shift
    # beyond that they are time stamps or a camera's counter
    if len(set(numbers)) < len(paths) or highest > max(announced, 10 * len(paths)):
        return list(paths)
    places: list[Path | None] = [None] * max(announced, highest)
    for number, path in zip(numbers, paths, strict=True):
        places[number + shift - 1] = path
    return places
