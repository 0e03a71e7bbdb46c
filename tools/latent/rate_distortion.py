"""Rate and distortion of codes and of JPEG on the same images, as numbers and as a figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from flatsort.embedding.representation.image_quality import psnr_of_error
from flatsort.tracker.types import Float, Image

if TYPE_CHECKING:
    from matplotlib.figure import Figure

QUALITIES = (*range(1, 10), *range(10, 101, 5))
"""Quality settings of JPEG that are compared."""
START, END = b"\xff\xda", b"\xff\xd9"
"""Markers in a JPEG file, before the header of the entropy-coded data and after the data."""
VARIANTS = {"file": "whole files", "scan": "without headers"}


def psnr(squared_error: float) -> float:
    """Peak signal-to-noise ratio of a mean squared error of values 0..255, dB; at most 99."""
    return min(99.0, psnr_of_error(squared_error, 255.0))


def squared_errors(images: Image, decoded: Image) -> Float:
    """Mean squared error of each image, float64 [n], of uint8 [n h w c]."""
    return np.asarray(np.square(images.astype(np.float64) - decoded).mean(axis=(1, 2, 3)))


def jpeg(images: Image) -> dict[str, Float]:
    """Sizes and errors of each image as JPEG at each of `QUALITIES`, by OpenCV, with its standard tables.

    Returns
    -------
    dict of float64 [n qualities]
        ``file`` and ``scan``, bytes: the whole file, and its entropy-coded data alone, which suffices if size and
        quality are known; ``error``: mean squared error.
    """
    sizes = np.zeros((3, len(images), len(QUALITIES)))
    for i, image in enumerate(images):
        for j, quality in enumerate(QUALITIES):
            bgr = image if image.shape[2] == 1 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
            data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
            kind = cv2.IMREAD_GRAYSCALE if image.shape[2] == 1 else cv2.IMREAD_COLOR_RGB
            decoded = np.asarray(cv2.imdecode(data, kind)).reshape(image.shape).astype(np.uint8)
            sizes[:, i, j] = len(data), scan(data.tobytes()), squared_errors(image[None], decoded[None])[0]
    return dict(zip(("file", "scan", "error"), sizes, strict=True))


def scan(data: bytes) -> int:
    """Bytes of entropy-coded data in a JPEG file of one scan."""
    start = data.rindex(START)
    header = int.from_bytes(data[start + 2 : start + 4], "big")
    return data.rindex(END) - (start + 2 + header)


def at_equal_size(jpegs: dict[str, Float], sizes: Float) -> dict[str, dict[str, float]]:
    """JPEG with no more bytes for each image than ``sizes`` [n]: the best quality that fits, else the smallest file.

    Returns
    -------
    dict
        For whole files and without headers: ``fits`` (share of the images that fit at all), mean ``bytes``, ``psnr``.
    """
    chosen = {}
    rows = np.arange(len(sizes))
    for variant in VARIANTS:
        fits = jpegs[variant] <= sizes[:, None]
        best = np.where(fits, jpegs["error"], np.inf).argmin(1)
        best = np.where(fits.any(1), best, jpegs[variant].argmin(1))
        chosen[variant] = {
            "fits": float(fits.any(1).mean()),
            "bytes": float(jpegs[variant][rows, best].mean()),
            "psnr": psnr(float(jpegs["error"][rows, best].mean())),
        }
    return chosen


def at_equal_quality(jpegs: dict[str, Float], quality: float) -> dict[str, float | None]:
    """Mean bytes at JPEG's lowest setting whose PSNR is ``quality`` or more; None if there is none."""
    reached = [j for j, error in enumerate(jpegs["error"].mean(0)) if psnr(float(error)) >= quality]
    return {variant: float(jpegs[variant][:, reached[0]].mean()) if reached else None for variant in VARIANTS}


def curve(jpegs: dict[str, Float], pixels: int) -> list[dict[str, float]]:
    """Mean bits per pixel and PSNR of JPEG at every quality."""
    return [
        {
            "quality": quality,
            **{variant: 8 * float(jpegs[variant][:, j].mean()) / pixels for variant in VARIANTS},
            "psnr": psnr(float(jpegs["error"][:, j].mean())),
        }
        for j, quality in enumerate(QUALITIES)
    ]


def rate_distortion_figure(
    codes: Sequence[dict[str, Any]], jpeg_curve: Sequence[dict[str, float]], title: str
) -> Figure:
    """Draw PSNR over bits per pixel: curves of JPEG, points (``name``, ``rate``, ``psnr``) of the codes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.8), layout="constrained")
    axes = figure.subplots()
    for variant, style in zip(VARIANTS, ("-", "--"), strict=True):
        rates = [each[variant] for each in jpeg_curve]
        axes.plot(rates, [each["psnr"] for each in jpeg_curve], style, color="0.5", label=f"JPEG, {VARIANTS[variant]}")
    for code, marker in zip(codes, "os^Dv", strict=False):
        axes.plot(code["rate"], code["psnr"], marker, label=code["name"])
    axes.set(xscale="log", xlabel="bits per pixel", ylabel="PSNR, dB", title=title)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return figure
