"""How alike pictures are: peak signal-to-noise ratio and structural similarity."""

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


def psnr(pictures: Tensor, truth: Tensor) -> float:
    """Peak signal-to-noise ratio of pictures [n …] in 0..1, of the mean squared error over all of them, dB.

    At most 100: what is equal has no finite ratio.
    """
    error = (pictures.double() - truth.double()).square().mean()
    return -10 * math.log10(max(float(error), LEAST))


def ssim(pictures: Tensor, truth: Tensor) -> Tensor:
    """Structural similarity [n] of pictures [n c h w] in 0..1, mean over channels and over places of the whole window.

    Raises
    ------
    ValueError
        If pictures are smaller than the window, or shapes differ.

    References
    ----------
    Wang, Bovik, Sheikh, Simoncelli: Image quality assessment: from error visibility to structural similarity, IEEE TIP
    2004, equation 13 and section III.C.
    """
    if pictures.shape != truth.shape or pictures.ndim != 4 or min(pictures.shape[2:]) < WINDOW:
        shapes = f"{list(pictures.shape)} and {list(truth.shape)}"
        raise ValueError(f"ssim: expected two stacks of pictures [n c h w] of {WINDOW} pixels or more, got {shapes}")
    a, b = pictures.double(), truth.double()
    mean_a, mean_b = _blur(a), _blur(b)
    spread_a, spread_b = _blur(a * a) - mean_a**2, _blur(b * b) - mean_b**2
    together = _blur(a * b) - mean_a * mean_b
    light = (2 * mean_a * mean_b + K1**2) / (mean_a**2 + mean_b**2 + K1**2)
    structure = (2 * together + K2**2) / (spread_a + spread_b + K2**2)
    return (light * structure).flatten(1).mean(1)


def _blur(pictures: Tensor) -> Tensor:
    place = torch.arange(WINDOW, dtype=pictures.dtype, device=pictures.device) - WINDOW // 2
    bell = torch.exp(-0.5 * (place / SIGMA) ** 2)
    bell = bell / bell.sum()
    flat = pictures.flatten(0, 1).unsqueeze(1)
    blurred = F.conv2d(F.conv2d(flat, bell.view(1, 1, 1, -1)), bell.view(1, 1, -1, 1))
    return blurred.view(*pictures.shape[:2], *blurred.shape[2:])
