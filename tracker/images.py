"""Image files: reading them, sorting them, and assigning them to frame numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from flatsort.tracker.types import Image

SUFFIXES = {".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}


@dataclass(frozen=True)
class ValueRange:
    """Which values of a picture with more than 256 levels are black and white: one range for a whole source.

    Attributes
    ----------
    low, high : float
        Values that become 0 and 255; what lies beyond is cut.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not -math.inf < self.low < self.high < math.inf:
            raise ValueError(f"range: expected LOW-HIGH with LOW < HIGH, got {self.low:g}-{self.high:g}")

    @classmethod
    def parse(cls, text: str) -> ValueRange:
        """Of a text like ``2900-3200``.

        Raises
        ------
        ValueError
            If it is no range.
        """
        match = re.fullmatch(r"\s*(-?[\d.]+)\s*[-:,–]\s*(-?[\d.]+)\s*", text, re.ASCII)
        try:
            return cls(float(match[1]), float(match[2])) if match else cls(1.0, 0.0)
        except ValueError:
            raise ValueError(f"range: expected LOW-HIGH, like 2900-3200, got {text!r}") from None

    @classmethod
    def of(cls, pixels: NDArray[Any]) -> ValueRange:
        """The range that a picture uses, but for the extreme thousandth at either end, and a tenth of it around."""
        finite = pixels[np.isfinite(pixels)].astype(np.float64)
        low, high = np.percentile(finite, (0.1, 99.9)) if len(finite) else (0.0, 1.0)
        margin = 0.1 * (high - low) or 0.5
        return cls(float(low - margin), float(high + margin))


def read_image(path: Path, values: ValueRange | None = None) -> Image | None:
    """Read an image file as RGB uint8 [h w 3]; None if it is missing, broken, truncated or too large.

    Parameters
    ----------
    path : Path
    values : ValueRange, optional
        Of a picture with more than 256 levels, what is black and white; by default the range that it uses itself.
    """
    pixels = _read_pixels(path)
    if pixels is None:
        return None
    if pixels.dtype == np.uint8:
        return rgb(pixels)
    return to_rgb(pixels[..., ::-1] if pixels.ndim == 3 else pixels, values or ValueRange.of(pixels))


def value_range(path: Path) -> ValueRange | None:
    """The range of values of a picture with more than 256 levels; None of any other, and where there is no picture."""
    pixels = _read_pixels(path)
    return None if pixels is None or pixels.dtype == np.uint8 else ValueRange.of(pixels)


def to_rgb(pixels: NDArray[Any], values: ValueRange) -> Image:
    """Grey [h w] or RGB [h w 3] values of any size as RGB uint8 [h w 3]."""
    scale = 255.0 / (values.high - values.low)
    scaled = np.nan_to_num((pixels.astype(np.float32) - values.low) * scale, nan=0.0, posinf=255.0, neginf=0.0)
    image = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
    return np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else np.ascontiguousarray(image)


def _read_pixels(path: Path) -> NDArray[Any] | None:
    """BGR [h w 3] with 256 levels; grey or BGR of more levels as they are; None where there is no whole picture."""
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
        buffer = np.frombuffer(data, np.uint8)
        image = cv2.imdecode(buffer, cv2.IMREAD_COLOR | (cv2.IMREAD_ANYDEPTH if _may_be_deep(data) else 0))
        if image is not None and image.dtype != np.uint8:
            deep = cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED)
            image = deep if deep is None or deep.ndim == 2 else deep[..., :3]
    except cv2.error:  # the header announces more pixels than OpenCV accepts
        return None
    if image is None:
        return None
    return np.asarray(image[..., 0] if image.ndim == 3 and image.shape[2] == 1 else image)


def _may_be_deep(data: bytes) -> bool:
    """Whether a file's format can hold more than 256 levels."""
    return not data.startswith((b"\xff\xd8", b"BM", b"RIFF"))


def rgb(image: cv2.typing.MatLike) -> Image:
    """Convert OpenCV's BGR image to RGB uint8 [h w 3]."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def images_of(paths: Iterable[Path]) -> list[Path]:
    """Select the image files of some paths, in natural order (``img2`` before ``img10``)."""
    images = [path for path in paths if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")]
    return sorted(images, key=lambda path: [int(t) if t.isdigit() else t for t in re.split("([0-9]+)", str(path))])
