"""PSNR and SSIM against closed forms and OpenCV."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from flatsort.embedding.random_generator import RandomGenerator
from flatsort.embedding.representation.image_quality import K1, K2, psnr, psnr_of_error, ssim


def test_psnr_of_known_errors() -> None:
    reference = torch.zeros(2, 1, 12, 12)
    assert psnr(reference + 0.1, reference) == pytest.approx(20, abs=1e-5)
    assert psnr(reference, reference) == 100.0
    assert psnr_of_error(25.5**2, 255.0) == pytest.approx(20)


def test_ssim_of_constant_images_is_that_of_their_brightness() -> None:
    a, b = torch.full((1, 3, 16, 12), 0.2), torch.full((1, 3, 16, 12), 0.7)
    expected = (2 * 0.2 * 0.7 + K1**2) / (0.2**2 + 0.7**2 + K1**2)
    assert ssim(a, b).item() == pytest.approx(expected, rel=1e-5)
    assert ssim(b, b).item() == pytest.approx(1.0)


def test_ssim_equals_that_of_opencv_blurs() -> None:
    a = RandomGenerator(0).uniform(3, 2, 20, 17)
    b = (a + 0.2 * RandomGenerator(1).normal(3, 2, 20, 17)).clamp(0, 1)
    for n in range(3):
        maps = []
        for x, y in zip(a[n].double().numpy(), b[n].double().numpy(), strict=True):
            mx, my, xx, yy, xy = (cv2.GaussianBlur(v, (11, 11), 1.5)[5:-5, 5:-5] for v in (x, y, x * x, y * y, x * y))
            top = (2 * mx * my + K1**2) * (2 * (xy - mx * my) + K2**2)
            maps.append(top / ((mx**2 + my**2 + K1**2) * (xx - mx**2 + yy - my**2 + K2**2)))
        assert ssim(a, b)[n].item() == pytest.approx(np.mean(maps), rel=1e-6)


def test_small_images_are_refused() -> None:
    with pytest.raises(ValueError, match=r"ssim: expected two stacks of images .* of 11 pixels or more"):
        ssim(torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 8, 8))
