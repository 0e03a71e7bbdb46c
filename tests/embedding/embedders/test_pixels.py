"""The baseline of pixels: values, invariance to brightness and contrast, uniform crops."""

from __future__ import annotations

import numpy as np
import pytest

from flatsort import embedding
from flatsort.tracker.crops import crop
from tests.embedding import tiny_models


def test_values_without_normalisation_are_the_crop() -> None:
    images, boxes = tiny_models.images_and_boxes()
    embedder = embedding.load("pixels", normalise=False)
    latents = embedder.embed(images, boxes)
    assert embedder.dim == 16 * 8 * 3
    for image, own, got in zip(images, boxes, latents, strict=True):
        np.testing.assert_allclose(got, crop(image, own, (8, 16)).reshape(len(own), -1) / 255, atol=1e-6)


def test_brightness_and_contrast_are_normalised() -> None:
    images, boxes = tiny_models.images_and_boxes()
    dim = [(image // 2 + 40).astype(np.uint8) for image in images]
    embedder = embedding.load("pixels")
    for plain, dimmed in zip(embedder.embed(images, boxes), embedder.embed(dim, boxes), strict=True):
        np.testing.assert_allclose(plain.mean(axis=1), 0, atol=1e-5)
        np.testing.assert_allclose(plain.std(axis=1), 1, rtol=1e-4)
        assert np.linalg.norm(plain - dimmed, axis=1).max() < 0.1 * np.linalg.norm(plain, axis=1).min()


def test_a_uniform_crop_is_finite_and_zero() -> None:
    grey = np.full((40, 40, 3), 90, np.uint8)
    (latents,) = embedding.load("pixels").embed([grey], [np.array([[1.0, 1, 20, 30]])])
    np.testing.assert_allclose(latents, 0, atol=1e-4)


def test_size_is_a_setting() -> None:
    assert embedding.load("pixels", size=[4, 6]).dim == 4 * 6 * 3
    with pytest.raises(ValueError, match=r"embedder\.size: expected width and height of at least 1"):
        embedding.load("pixels", size=[0, 6])
