"""Rate and distortion: what codes and JPEG make of the same pictures, in numbers and as a figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from flatsort.tracker.types import Float, Image

if TYPE_CHECKING:
    from matplotlib.figure import Figure

QUALITIES = (*range(1, 10), *range(10, 101, 5))
"""Of JPEG, that are tried."""
START, END = b"\xff\xda", b"\xff\xd9"
"""Markers in a JPEG file, before the header of the entropy-coded data and after the data."""
VARIANTS = {"file": "whole files", "scan": "without headers"}


def psnr(squared_error: float) -> float:
    """Peak signal-to-noise ratio in dB of a mean squared error of samples 0..255; at most 99."""
    return min(99.0, 10 * float(np.log10(255**2 / max(squared_error, 1e-9))))


def squared_errors(pictures: Image, decoded: Image) -> Float:
    """Mean squared error of each picture, float64 [n], of uint8 [n h w c]."""
    return np.asarray(np.square(pictures.astype(np.float64) - decoded).mean(axis=(1, 2, 3)))


def jpeg(pictures: Image) -> dict[str, Float]:
    """What JPEG makes of each picture at each of `QUALITIES`, through OpenCV, with its standard tables.

    Returns
    -------
    dict of float64 [n qualities]
        ``file`` and ``scan``, bytes: all of a file, and its entropy-coded data, which is all that a decoder needs that
        knows size and quality; ``error``: mean squared error.
    """
    sizes = np.zeros((3, len(pictures), len(QUALITIES)))
    for i, picture in enumerate(pictures):
        for j, quality in enumerate(QUALITIES):
            plain = picture if picture.shape[2] == 1 else cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
            data = cv2.imencode(".jpg", plain, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
            kind = cv2.IMREAD_GRAYSCALE if picture.shape[2] == 1 else cv2.IMREAD_COLOR_RGB
            back = np.asarray(cv2.imdecode(data, kind)).reshape(picture.shape).astype(np.uint8)
            sizes[:, i, j] = len(data), scan(data.tobytes()), squared_errors(picture[None], back[None])[0]
    return dict(zip(("file", "scan", "error"), sizes, strict=True))


def scan(data: bytes) -> int:
    """Bytes of entropy-coded data in a JPEG file of one scan."""
    start = data.rindex(START)
    header = int.from_bytes(data[start + 2 : start + 4], "big")
    return data.rindex(END) - (start + 2 + header)


def at_equal_size(found: dict[str, Float], sizes: Float) -> dict[str, dict[str, float]]:
    """JPEG with no more bytes for each picture than ``sizes`` [n]: the best quality that fits, else the smallest file.

    Returns
    -------
    dict
        For whole files and without headers: ``fits`` (share of the pictures that fit at all), mean ``bytes``, ``psnr``.
    """
    chosen = {}
    rows = np.arange(len(sizes))
    for variant in VARIANTS:
        fits = found[variant] <= sizes[:, None]
        best = np.where(fits, found["error"], np.inf).argmin(1)
        best = np.where(fits.any(1), best, found[variant].argmin(1))
        chosen[variant] = {
            "fits": float(fits.any(1).mean()),
            "bytes": float(found[variant][rows, best].mean()),
            "psnr": psnr(float(found["error"][rows, best].mean())),
        }
    return chosen


def at_equal_quality(found: dict[str, Float], wanted: float) -> dict[str, float | None]:
    """Mean bytes of JPEG's lowest quality whose PSNR is ``wanted`` or more; None if none is."""
    reached = [j for j, error in enumerate(found["error"].mean(0)) if psnr(float(error)) >= wanted]
    return {variant: float(found[variant][:, reached[0]].mean()) if reached else None for variant in VARIANTS}


def curve(found: dict[str, Float], pixels: int) -> list[dict[str, float]]:
    """Mean bits per pixel and PSNR of JPEG at every quality."""
    return [
        {
            "quality": quality,
            **{variant: 8 * float(found[variant][:, j].mean()) / pixels for variant in VARIANTS},
            "psnr": psnr(float(found["error"][:, j].mean())),
        }
        for j, quality in enumerate(QUALITIES)
    ]


def figure(points: Sequence[dict[str, Any]], jpegs: Sequence[dict[str, float]], title: str) -> Figure:
    """Draw PSNR over bits per pixel: curves of JPEG, points (``name``, ``rate``, ``psnr``) of the codes."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(6, 3.8), layout="constrained")
    axes = drawn.subplots()
    for variant, style in zip(VARIANTS, ("-", "--"), strict=True):
        rates = [each[variant] for each in jpegs]
        axes.plot(rates, [each["psnr"] for each in jpegs], style, color="0.5", label=f"JPEG, {VARIANTS[variant]}")
    for point, marker in zip(points, "os^Dv", strict=False):
        axes.plot(point["rate"], point["psnr"], marker, label=point["name"])
    axes.set(xscale="log", xlabel="bits per pixel", ylabel="PSNR, dB", title=title)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return drawn
