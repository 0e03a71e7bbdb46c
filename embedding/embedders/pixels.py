"""The trivial rival: the picture itself, tiny and with its brightness and contrast taken out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from flatsort.embedding.embedders import EMBEDDERS
from flatsort.embedding.embedders.batches import by_image, crops_of
from flatsort.tracker.registry import PartConfig, require
from flatsort.tracker.types import Float, Float32, Image


@dataclass(frozen=True)
class PixelsConfig(PartConfig):
    """How tiny, and whether normalised."""

    name: str = "pixels"
    size: tuple[int, int] = (8, 16)
    """Width and height in pixels."""
    normalise: bool = True
    """Bring the values of a crop to mean 0 and deviation 1; else they are in 0..1."""

    def __post_init__(self) -> None:
        require(self, "embedder", ("size", min(self.size) >= 1, "width and height of at least 1"))


@EMBEDDERS.register("pixels", PixelsConfig)
class PixelsEmbedder:
    """Values of a tiny picture as a latent.

    Parameters
    ----------
    config : PixelsConfig
    """

    def __init__(self, config: PixelsConfig) -> None:
        self._config = config
        self.dim = config.size[0] * config.size[1] * 3

    def embed(self, images: Sequence[Image], boxes: Sequence[Float]) -> list[Float32]:
        """Latents [n dim] of the boxes of each image."""
        values = crops_of(images, boxes, self._config.size).reshape(-1, self.dim).astype(np.float32) / np.float32(255)
        if self._config.normalise:
            values -= values.mean(axis=1, keepdims=True)
            # a plain surface has no contrast to bring to 1: half a grey level counts as none
            values /= np.maximum(values.std(axis=1, keepdims=True), 0.5 / 255)
        return by_image(values, boxes)
