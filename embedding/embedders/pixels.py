"""Baseline embedder: the crop itself, downscaled, with brightness and contrast normalised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from flatsort.embedding.embedders import EMBEDDERS
from flatsort.embedding.embedders.batches import crop_images, split_by_image
from flatsort.tracker.registry import PartConfig, require
from flatsort.tracker.types import Float, Float32, Image


@dataclass(frozen=True)
class PixelsConfig(PartConfig):
    """Size of the downscaled crop, and whether it is normalised."""

    name: str = "pixels"
    size: tuple[int, int] = (8, 16)
    """Width and height in pixels."""
    normalise: bool = True
    """Normalise the values of a crop to mean 0 and standard deviation 1; else they are in 0..1."""

    def __post_init__(self) -> None:
        require(self, "embedder", ("size", min(self.size) >= 1, "width and height of at least 1"))


@EMBEDDERS.register("pixels", PixelsConfig)
class PixelsEmbedder:
    """Pixel values of a downscaled crop as its latent.

    Parameters
    ----------
    config : PixelsConfig
    """

    def __init__(self, config: PixelsConfig) -> None:
        self._config = config
        self.dim = config.size[0] * config.size[1] * 3

    def embed(self, images: Sequence[Image], boxes: Sequence[Float]) -> list[Float32]:
        """Latents [n dim] of the boxes of each image."""
        values = crop_images(images, boxes, self._config.size).reshape(-1, self.dim).astype(np.float32) / np.float32(
            255
        )
        if self._config.normalise:
            values -= values.mean(axis=1, keepdims=True)
            # at least half a grey level: a uniform crop has no contrast to normalise
            values /= np.maximum(values.std(axis=1, keepdims=True), 0.5 / 255)
        return split_by_image(values, boxes)
