"""Checks of the contract of embedders: for authors of plug-ins, and for all registered embedders in the tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from flatsort.tracker.protocols import Embedder
from flatsort.tracker.types import Float, Float32, Image

TOLERANCE = 1e-4
"""Largest allowed difference between two latents of one crop, as a share of the longest latent."""

LARGE_BATCH = 300
"""Boxes in the largest batch: more than embedders usually encode at once."""

UNUSUAL_BOXES = {
    "a NaN": [np.nan, 10, 40, 50],
    "infinities": [-np.inf, -np.inf, np.inf, np.inf],
    "a part outside of the image": [-30, -20, 25, 30],
    "no overlap with the image": [5000, 5000, 5100, 5200],
    "no area": [20, 20, 20, 20],
    "its corners swapped": [60, 70, 20, 10],
}
"""Boxes that detectors return now and then."""


def check_embedder(embedder: Embedder) -> list[str]:
    """Violations of the contract of `tracker.protocols.Embedder`, a sentence each; none if the embedder conforms.

    Checked are: type, shape and finiteness of the latents, also without boxes and for unusual boxes; that a latent
    depends on its own crop only, whatever else is in the batch, and is reproducible; that images and boxes are not
    changed; that different crops get different latents.

    Parameters
    ----------
    embedder : Embedder
        Called a few dozen times with small images.

    Examples
    --------
    >>> check_embedder(embedding.load("pixels"))
    []
    """
    dim = getattr(embedder, "dim", None)
    if not isinstance(dim, int) or isinstance(dim, bool) or dim < 1:
        return [f"dim: expected a whole number of at least 1, got {dim!r}"]
    images, boxes = _images_and_boxes()
    violations = _format_violations(embedder, images, boxes, "two images with boxes")
    if violations:  # the other checks would repeat them
        return violations
    checks = (
        _check_empty,
        _check_unusual_boxes,
        _check_unchanged_inputs,
        _check_reproducibility,
        _check_independence,
        _check_large_batch,
        _check_discrimination,
    )
    return [sentence for check in checks for sentence in check(embedder, images, boxes)]


def _images_and_boxes() -> tuple[list[Image], list[Float]]:
    """Two images of different size and boxes in them, some very small or large."""
    generator = np.random.default_rng(0)
    images, boxes = [], []
    for height, width, count in ((120, 200, 5), (160, 140, 3)):
        coarse = generator.integers(0, 256, (height // 10, width // 10, 3))
        fine = generator.integers(-20, 21, (height, width, 3))
        images.append(np.clip(coarse.repeat(10, 0).repeat(10, 1) + fine, 0, 255).astype(np.uint8))
        corner = generator.uniform(0, 0.6, (count, 2)) * [width, height]
        sides = generator.uniform(6, 90, (count, 1)) * [0.4, 1.0]
        boxes.append(np.concatenate([corner, corner + sides], axis=1))
    return images, boxes


def _format_violations(embedder: Embedder, images: Sequence[Image], boxes: Sequence[Float], what: str) -> list[str]:
    """What is wrong with type, shape and finiteness of the latents."""
    try:
        latents = embedder.embed(images, boxes)
    except Exception as error:  # whatever a plug-in raises is a violation
        return [f"{what}: raised {type(error).__name__}: {error}"]
    if not isinstance(latents, (list, tuple)) or len(latents) != len(images):
        got = f"{len(latents)}" if isinstance(latents, (list, tuple)) else type(latents).__name__
        return [f"{what}: expected a list of {len(images)} arrays, one for each image, got {got}"]
    violations = []
    for each, own in zip(latents, boxes, strict=True):
        shape = [len(own), embedder.dim]
        if not isinstance(each, np.ndarray) or each.dtype != np.float32:
            violations.append(f"{what}: expected arrays of float32, got {getattr(each, 'dtype', type(each).__name__)}")
        elif list(each.shape) != shape:
            violations.append(f"{what}: expected latents of shape {shape} (boxes, dim), got {list(each.shape)}")
        elif not np.isfinite(each).all():
            violations.append(f"{what}: a latent is not finite")
    return list(dict.fromkeys(violations))


def _check_empty(embedder: Embedder, images: list[Image], boxes: list[Float]) -> list[str]:
    none = np.empty((0, 4))
    return [
        *_format_violations(embedder, images[:1], [none], "an image without boxes"),
        *_format_violations(embedder, images, [none, boxes[1]], "two images, the first without boxes"),
        *_format_violations(embedder, [], [], "no images"),
    ]


def _check_unusual_boxes(embedder: Embedder, images: list[Image], boxes: list[Float]) -> list[str]:  # noqa: ARG001
    return [
        sentence
        for what, box in UNUSUAL_BOXES.items()
        for sentence in _format_violations(embedder, images[:1], [np.array([box], np.float64)], f"a box with {what}")
    ]


def _check_unchanged_inputs(embedder: Embedder, images: list[Image], boxes: list[Float]) -> list[str]:
    embedder.embed(images, boxes)
    fresh_images, fresh_boxes = _images_and_boxes()
    changed = {
        "images": any(not np.array_equal(before, after) for before, after in zip(fresh_images, images, strict=True)),
        "boxes": any(not np.array_equal(before, after) for before, after in zip(fresh_boxes, boxes, strict=True)),
    }
    return [f"the {name} that were given were changed" for name, is_changed in changed.items() if is_changed]


def _check_reproducibility(embedder: Embedder, images: list[Image], boxes: list[Float]) -> list[str]:
    first, second = (np.concatenate(embedder.embed(images, boxes)) for _ in range(2))
    difference = _difference(first, second)
    return (
        [f"the same call twice gave latents that differ by {difference:.1g} of their length"]
        if difference > TOLERANCE
        else []
    )


def _check_independence(embedder: Embedder, images: list[Image], boxes: list[Float]) -> list[str]:
    together = embedder.embed(images, boxes)
    alone = [
        np.concatenate([embedder.embed([image], [box[None]])[0] for box in own])
        for image, own in zip(images, boxes, strict=True)
    ]
    swapped = embedder.embed(images[::-1], [own[::-1] for own in boxes[::-1]])
    reordered = [each[::-1] for each in swapped[::-1]]
    return [
        f"a latent depends on {on}: it differs by {difference:.1g} of its length, expected at most {TOLERANCE:g}"
        for on, other in (("what else is in the call", alone), ("the order of images and boxes", reordered))
        if (difference := _difference(np.concatenate(together), np.concatenate(other))) > TOLERANCE
    ]


def _check_large_batch(embedder: Embedder, images: list[Image], boxes: list[Float]) -> list[str]:
    large_batch = np.resize(boxes[0], (LARGE_BATCH, 4))
    violations = _format_violations(embedder, images[:1], [large_batch], f"{LARGE_BATCH} boxes")
    if violations:
        return violations
    (few,), (many,) = embedder.embed(images[:1], boxes[:1]), embedder.embed(images[:1], [large_batch])
    difference = _difference(np.resize(few, many.shape), many)
    if difference <= TOLERANCE:
        return []
    return [
        f"among {LARGE_BATCH} boxes a latent differs by {difference:.1g} of its length, expected at most {TOLERANCE:g}"
    ]


def _check_discrimination(embedder: Embedder, images: list[Image], boxes: list[Float]) -> list[str]:
    latents = embedder.embed(images, boxes)[0]
    same = np.ptp(latents, axis=0).max() <= TOLERANCE * max(float(np.abs(latents).max()), 1e-12)
    return ["crops that look different get the same latent"] if same else []


def _difference(first: Float32, second: Float32) -> float:
    """Largest distance between rows that should be equal, as a share of the longest row."""
    longest = max(float(np.linalg.norm(first, axis=1).max(initial=0)), 1e-12)
    return float(np.linalg.norm(first - second, axis=1).max(initial=0)) / longest
