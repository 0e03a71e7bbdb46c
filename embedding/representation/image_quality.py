"""Image quality: peak signal-to-noise ratio (PSNR) and structural similarity (SSIM)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

WINDOW, SIGMA = 11, 1.5
"""Side and standard deviation of the Gaussian window, in pixels."""
K1, K2 = 0.01, 0.03
"""Constants of the comparison of brightness and of contrast, as shares of the range of values, which is 1."""
LEAST = 1e-10
"""Squared error that counts as none: 100 dB."""


def psnr(images: Tensor, references: Tensor) -> float:
    """Peak signal-to-noise ratio of images [n …] in 0..1, from the mean squared error over all of them, dB.

    At most 100: equal images have no finite ratio.
    """
    return psnr_of_error(float((images.double() - references.double()).square().mean()))


def psnr_of_error(squared_error: float, peak: float = 1.0) -> float:
    """Peak signal-to-noise ratio of a mean squared error of values 0..``peak``, dB; at most 100."""
    return -10 * math.log10(max(squared_error / peak**2, LEAST))


def ssim(images: Tensor, references: Tensor) -> Tensor:
    """Structural similarity [n] of images [n c h w] in 0..1: mean over channels and positions of the whole window.

    Raises
    ------
    ValueError
        If images are smaller than the window, or shapes differ.

    References
    ----------
    Wang, Bovik, Sheikh, Simoncelli: Image quality assessment: from error visibility to structural similarity, IEEE TIP
    2004, equation 13 and section III.C.
    """
    if images.shape != references.shape or images.ndim != 4 or min(images.shape[2:]) < WINDOW:
        shapes = f"{list(images.shape)} and {list(references.shape)}"
        raise ValueError(f"ssim: expected two stacks of images [n c h w] of {WINDOW} pixels or more, got {shapes}")
    a, b = images.double(), references.double()
    mean_a, mean_b = _blur(a), _blur(b)
    variance_a, variance_b = _blur(a * a) - mean_a**2, _blur(b * b) - mean_b**2
    covariance = _blur(a * b) - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + K1**2) / (mean_a**2 + mean_b**2 + K1**2)
    structure = (2 * covariance + K2**2) / (variance_a + variance_b + K2**2)
    return (luminance * structure).flatten(1).mean(1)


def _blur(images: Tensor) -> Tensor:
    offset = torch.arange(WINDOW, dtype=images.dtype, device=images.device) - WINDOW // 2
    kernel = torch.exp(-0.5 * (offset / SIGMA) ** 2)
    kernel = kernel / kernel.sum()
    flat = images.flatten(0, 1).unsqueeze(1)
    blurred = F.conv2d(F.conv2d(flat, kernel.view(1, 1, 1, -1)), kernel.view(1, 1, -1, 1))
    return blurred.view(*images.shape[:2], *blurred.shape[2:])
