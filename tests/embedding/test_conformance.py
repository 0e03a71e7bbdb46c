"""The checker reports every violation of the contract, and none of conforming embedders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from flatsort import embedding
from flatsort.embedding.conformance import check_embedder
from flatsort.embedding.registry import names
from flatsort.tracker.crops import crop, cut
from flatsort.tracker.types import Float, Float32, Image


class ConformingEmbedder:
    """Conforms: mean and standard deviation of each channel of a crop."""

    dim: Any = 6

    def embed(self, images: Sequence[Image], boxes: Sequence[Float]) -> Any:
        return [self.embed_crops(image, each) for image, each in zip(images, boxes, strict=True)]

    def embed_crops(self, image: Image, boxes: Float) -> Any:
        crops = crop(image, boxes, (8, 16)).astype(np.float32)
        return np.concatenate([crops.mean(axis=(1, 2)), crops.std(axis=(1, 2))], axis=1) + np.float32(1)


class RandomLatents(ConformingEmbedder):
    def __init__(self) -> None:
        self._generator = np.random.default_rng(0)

    def embed_crops(self, image: Image, boxes: Float) -> Any:
        return super().embed_crops(image, boxes) + self._generator.normal(size=(len(boxes), 6)).astype(np.float32)


class NormalisedOverBatch(ConformingEmbedder):
    """Like batch normalisation in training mode."""

    def embed_crops(self, image: Image, boxes: Float) -> Float32:
        latents: Float32 = super().embed_crops(image, boxes)
        return latents - latents.mean(axis=0, keepdims=True) if len(boxes) else latents


class DependsOnOrder(ConformingEmbedder):
    def embed_crops(self, image: Image, boxes: Float) -> Any:
        return super().embed_crops(image, boxes) + np.arange(len(boxes), dtype=np.float32)[:, None]


class DependsOnCount(ConformingEmbedder):
    """Another kernel for large batches, and a coarse one."""

    def embed_crops(self, image: Image, boxes: Float) -> Any:
        latents = super().embed_crops(image, boxes)
        return latents.astype(np.float16).astype(np.float32) * 1.01 if len(boxes) > 100 else latents


class Float64Latents(ConformingEmbedder):
    def embed_crops(self, image: Image, boxes: Float) -> Any:
        return super().embed_crops(image, boxes).astype(np.float64)


class FlatLatents(ConformingEmbedder):
    def embed_crops(self, image: Image, boxes: Float) -> Any:
        return super().embed_crops(image, boxes) if len(boxes) else np.empty(0, np.float32)


class NoLatents(ConformingEmbedder):
    def embed_crops(self, image: Image, boxes: Float) -> Any:
        return np.stack([super(NoLatents, self).embed_crops(image, box[None])[0] for box in boxes])


class OneFrame(ConformingEmbedder):
    def embed(self, images: Sequence[Image], boxes: Sequence[Float]) -> Any:
        (image,), (each,) = images, boxes
        return [self.embed_crops(image, each)]


class JoinedLatents(ConformingEmbedder):
    def embed(self, images: Sequence[Image], boxes: Sequence[Float]) -> Any:
        return np.concatenate(super().embed(images, boxes))


class FirstOnly(ConformingEmbedder):
    def embed(self, images: Sequence[Image], boxes: Sequence[Float]) -> Any:
        return super().embed(images[:1], boxes[:1])


class PaintsOnImages(ConformingEmbedder):
    def embed_crops(self, image: Image, boxes: Float) -> Any:
        latents = super().embed_crops(image, boxes)
        image[:2] = 0
        return latents


class MovesBoxes(ConformingEmbedder):
    def embed_crops(self, image: Image, boxes: Float) -> Any:
        latents = super().embed_crops(image, boxes)
        boxes += 1
        return latents


class DividesByArea(ConformingEmbedder):
    def embed_crops(self, image: Image, boxes: Float) -> Any:
        with np.errstate(all="ignore"):
            return super().embed_crops(image, boxes) / np.prod(
                boxes[:, 2:] - boxes[:, :2], axis=1, keepdims=True, dtype=np.float32
            )


class RaisesOutsideOfImage(ConformingEmbedder):
    def embed_crops(self, image: Image, boxes: Float) -> Any:
        if (boxes[:, 0] < 0).any():
            raise IndexError("out of the image")
        return super().embed_crops(image, boxes)


class ConstantLatents(ConformingEmbedder):
    def embed_crops(self, image: Image, boxes: Float) -> Any:
        return super().embed_crops(image, boxes) * 0


class WrongDim(ConformingEmbedder):
    dim = 7


class NoDim(ConformingEmbedder):
    dim = None


class EdgeOnly(ConformingEmbedder):
    """Conforms, though it uses two pixels of a box only."""

    def embed_crops(self, image: Image, boxes: Float) -> Any:
        return np.array([[*cut(image, b)[0, 0], *cut(image, b)[-1, -1]] for b in boxes], np.float32).reshape(-1, 6)


@pytest.mark.parametrize("embedder", [ConformingEmbedder(), EdgeOnly()])
def test_conforming_embedders_have_no_violations(embedder: ConformingEmbedder) -> None:
    assert check_embedder(embedder) == []


@pytest.mark.parametrize(
    ("embedder", "sentence"),
    [
        (RandomLatents(), "the same call twice gave latents that differ"),
        (NormalisedOverBatch(), "a latent depends on what else is in the call"),
        (DependsOnOrder(), "a latent depends on the order of images and boxes"),
        (DependsOnCount(), "among 300 boxes a latent differs"),
        (Float64Latents(), "two images with boxes: expected arrays of float32, got float64"),
        (FlatLatents(), "an image without boxes: expected latents of shape [0, 6] (boxes, dim), got [0]"),
        (NoLatents(), "an image without boxes: raised ValueError: need at least one array to stack"),
        (OneFrame(), "two images with boxes: raised ValueError"),
        (JoinedLatents(), "two images with boxes: expected a list of 2 arrays, one for each image, got ndarray"),
        (FirstOnly(), "two images with boxes: expected a list of 2 arrays, one for each image, got 1"),
        (PaintsOnImages(), "the images that were given were changed"),
        (MovesBoxes(), "the boxes that were given were changed"),
        (DividesByArea(), "a box with no area: a latent is not finite"),
        (RaisesOutsideOfImage(), "a box with a part outside of the image: raised IndexError: out of the image"),
        (ConstantLatents(), "crops that look different get the same latent"),
        (WrongDim(), "two images with boxes: expected latents of shape [5, 7] (boxes, dim), got [5, 6]"),
        (NoDim(), "dim: expected a whole number of at least 1, got None"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, ConformingEmbedder) else "",
)
def test_violations_are_reported(embedder: ConformingEmbedder, sentence: str) -> None:
    violations = check_embedder(embedder)
    assert any(each.startswith(sentence) for each in violations), violations


@pytest.mark.parametrize("name", names())
def test_every_name_of_the_registry_conforms(name: str) -> None:
    assert check_embedder(embedding.load(name, "cpu")) == []
