"""Image files: reading them, sorting them, and assigning them to frame numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from flatsort.tracker.types import Image

SUFFIXES = {".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}


def read_image(path: Path) -> Image | None:
    """Read an image file as RGB uint8 [h w 3]; None if it is missing, broken, truncated or too large."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    # some decoders would fill the missing part with grey
    jpeg_cut = data.startswith(b"\xff\xd8") and data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda")
    png_cut = data.startswith(b"\x89PNG") and b"IEND" not in data
    if not data or jpeg_cut or png_cut:
        return None
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:  # the header announces more pixels than OpenCV accepts
        return None
    return None if image is None else rgb(image)


def rgb(image: cv2.typing.MatLike) -> Image:
    """Convert OpenCV's BGR image to RGB uint8 [h w 3]."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def images_of(paths: Iterable[Path]) -> list[Path]:
    """Select the image files of some paths, in natural order (``img2`` before ``img10``)."""
    images = [path for path in paths if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")]
    return sorted(images, key=lambda path: [int(t) if t.isdigit() else t for t in re.split("([0-9]+)", str(path))])


def numbered(paths: list[Path], announced: int) -> list[Path | None]:
    """Image files by frame number.

    Parameters
    ----------
    paths : list of Path
        Image files, sorted.
    announced : int
        Number of frames that the sequence should have.

    Returns
    -------
    list of Path or None
        Entry i is the image of frame i + 1, None where there is none. If the numbers in the names are no frame numbers,
        the paths as they are.
    """
    digits = [re.findall("[0-9]+", path.stem) for path in paths]
    numbers = [int(groups[-1]) for groups in digits if groups]
    shift = 1 if 0 in numbers else 0  # some sequences count from 0
    highest = max(numbers, default=0) + shift
    # higher numbers are time stamps or a camera's counter
    if len(set(numbers)) < len(paths) or highest > max(announced, 10 * len(paths)):
        return list(paths)
    places: list[Path | None] = [None] * max(announced, highest)
    for number, path in zip(numbers, paths, strict=True):
        places[number + shift - 1] = path
    return places
