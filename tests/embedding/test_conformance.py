"""The checker finds every broken promise, and nothing in an embedder that keeps them."""

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


class Whole:
    """Keeps the contract: mean and deviation of each channel of a crop."""

    dim: Any = 6

    def embed(self, images: Sequence[Image], boxes: Sequence[Float]) -> Any:
        return [self.one(image, each) for image, each in zip(images, boxes, strict=True)]

    def one(self, image: Image, boxes: Float) -> Any:
        crops = crop(image, boxes, (8, 16)).astype(np.float32)
        return np.concatenate([crops.mean(axis=(1, 2)), crops.std(axis=(1, 2))], axis=1) + np.float32(1)


class RandomLatents(Whole):
    def __init__(self) -> None:
        self._generator = np.random.default_rng(0)

    def one(self, image: Image, boxes: Float) -> Any:
        return super().one(image, boxes) + self._generator.normal(size=(len(boxes), 6)).astype(np.float32)


class Normalised(Whole):
    """Like batch normalisation in training mode."""

    def one(self, image: Image, boxes: Float) -> Float32:
        latents: Float32 = super().one(image, boxes)
        return latents - latents.mean(axis=0, keepdims=True) if len(boxes) else latents


class Ordered(Whole):
    def one(self, image: Image, boxes: Float) -> Any:
        return super().one(image, boxes) + np.arange(len(boxes), dtype=np.float32)[:, None]


class Crowded(Whole):
    """Another kernel for large batches, and a coarse one."""

    def one(self, image: Image, boxes: Float) -> Any:
        latents = super().one(image, boxes)
        return latents.astype(np.float16).astype(np.float32) * 1.01 if len(boxes) > 100 else latents


class Double(Whole):
    def one(self, image: Image, boxes: Float) -> Any:
        return super().one(image, boxes).astype(np.float64)


class Flat(Whole):
    def one(self, image: Image, boxes: Float) -> Any:
        return super().one(image, boxes) if len(boxes) else np.empty(0, np.float32)


class Empty(Whole):
    def one(self, image: Image, boxes: Float) -> Any:
        return np.stack([super(Empty, self).one(image, box[None])[0] for box in boxes])


class OneFrame(Whole):
    def embed(self, images: Sequence[Image], boxes: Sequence[Float]) -> Any:
        (image,), (each,) = images, boxes
        return [self.one(image, each)]


class Joined(Whole):
    def embed(self, images: Sequence[Image], boxes: Sequence[Float]) -> Any:
        return np.concatenate(super().embed(images, boxes))


class FirstOnly(Whole):
    def embed(self, images: Sequence[Image], boxes: Sequence[Float]) -> Any:
        return super().embed(images[:1], boxes[:1])


class Painter(Whole):
    def one(self, image: Image, boxes: Float) -> Any:
        latents = super().one(image, boxes)
        image[:2] = 0
        return latents


class Mover(Whole):
    def one(self, image: Image, boxes: Float) -> Any:
        latents = super().one(image, boxes)
        boxes += 1
        return latents


class DividesByArea(Whole):
    def one(self, image: Image, boxes: Float) -> Any:
        with np.errstate(all="ignore"):
            return super().one(image, boxes) / np.prod(
                boxes[:, 2:] - boxes[:, :2], axis=1, keepdims=True, dtype=np.float32
            )


class Asserts(Whole):
    def one(self, image: Image, boxes: Float) -> Any:
        if (boxes[:, 0] < 0).any():
            raise IndexError("out of the picture")
        return super().one(image, boxes)


class Constant(Whole):
    def one(self, image: Image, boxes: Float) -> Any:
        return super().one(image, boxes) * 0


class WrongDim(Whole):
    dim = 7


class NoDim(Whole):
    dim = None


class EdgeOnly(Whole):
    """Conforms: what it sees of a box is its own affair."""

    def one(self, image: Image, boxes: Float) -> Any:
        return np.array([[*cut(image, b)[0, 0], *cut(image, b)[-1, -1]] for b in boxes], np.float32).reshape(-1, 6)


@pytest.mark.parametrize("embedder", [Whole(), EdgeOnly()])
def test_what_keeps_the_contract_conforms(embedder: Whole) -> None:
    assert check_embedder(embedder) == []


@pytest.mark.parametrize(
    ("embedder", "sentence"),
    [
        (RandomLatents(), "the same call twice gave latents that differ"),
        (Normalised(), "a latent depends on what else is in the call"),
        (Ordered(), "a latent depends on the order of images and boxes"),
        (Crowded(), "among 300 boxes a latent differs"),
        (Double(), "two images with boxes: expected arrays of float32, got float64"),
        (Flat(), "an image without boxes: expected latents of shape [0, 6] (boxes, dim), got [0]"),
        (Empty(), "an image without boxes: raised ValueError: need at least one array to stack"),
        (OneFrame(), "two images with boxes: raised ValueError"),
        (Joined(), "two images with boxes: expected a list of 2 arrays, one for each image, got ndarray"),
        (FirstOnly(), "two images with boxes: expected a list of 2 arrays, one for each image, got 1"),
        (Painter(), "the images that were given were changed"),
        (Mover(), "the boxes that were given were changed"),
        (DividesByArea(), "a box with no area: a latent is not finite"),
        (Asserts(), "a box with a part outside of the image: raised IndexError: out of the picture"),
        (Constant(), "crops that look different get the same latent"),
        (WrongDim(), "two images with boxes: expected latents of shape [5, 7] (boxes, dim), got [5, 6]"),
        (NoDim(), "dim: expected a whole number of at least 1, got None"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Whole) else "",
)
def test_each_broken_promise_is_found(embedder: Whole, sentence: str) -> None:
    found = check_embedder(embedder)
    assert any(each.startswith(sentence) for each in found), found


@pytest.mark.parametrize("name", names())
def test_every_name_of_the_registry_conforms(name: str) -> None:
    assert check_embedder(embedding.load(name, "cpu")) == []
