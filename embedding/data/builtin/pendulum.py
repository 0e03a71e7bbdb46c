"""Images of a pendulum: a closed curve in the space of images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from flatsort.embedding.data.builtin import DATA_SETS, SEEDED, RenderedImagesConfig
from flatsort.embedding.data.builtin.shapes import draw_strokes
from flatsort.embedding.data.sample_set import SampleSet

LEAST_SIZE = 8


@dataclass(frozen=True)
class PendulumConfig(RenderedImagesConfig):
    """Images of a pendulum."""

    size: int = 16
    subject: ClassVar[str] = "images of a pendulum"


def pendulum(n: int, seed: int, size: int = 16, noise: float = 0.0) -> SampleSet:
    """Images of a pendulum whose angle is uniform over the full circle.

    Parameters
    ----------
    n : int
        Images.
    seed : int
        Two calls with the same arguments give the same images.
    size : int
        Height and width in pixels, at least 8.
    noise : float
        Standard deviation of normal noise on every pixel, as a share of full intensity.

    Returns
    -------
    SampleSet
        uint8 [n size size 1] in random order. ``frame`` is the rank of the angle, so that successive frames are
        neighbours along the swing; the factors are the angle's sine and cosine.

    Raises
    ------
    ValueError
        If a number is out of range.

    References
    ----------
    Karl et al., Deep variational Bayes filters, ICLR 2017, section 4.1: the data set that the images are modelled on.
    """
    if n < 1 or size < LEAST_SIZE or noise < 0:
        raise ValueError(
            f"pendulum: expected n ≥ 1, size ≥ {LEAST_SIZE} and noise ≥ 0, got n {n}, size {size} and noise {noise}"
        )
    random = np.random.default_rng([seed, size])
    angles = random.uniform(0, 2 * np.pi, n)
    along = np.stack([np.sin(angles), np.cos(angles)], axis=1)
    pivot = np.full((n, 1, 2), size / 2)
    end = pivot + 0.34 * size * along[:, None]
    rod = draw_strokes(pivot, end, 0.06 * size, size, size)
    bob = draw_strokes(end, end, 0.13 * size, size, size)
    images = np.maximum(rod, bob)
    if noise:
        images = images + random.normal(0, noise, images.shape)
    samples = np.rint(np.clip(images, 0, 1) * 255).astype(np.uint8)[..., None]
    columns = {"sequence": np.zeros(n, np.int64), "frame": np.argsort(np.argsort(angles)).astype(np.int64)}
    note = PendulumConfig.note(n, seed)
    return SampleSet(samples, columns, ("pendulum",), note, {"sin": np.sin(angles), "cos": np.cos(angles)})


@DATA_SETS.register("pendulum", PendulumConfig, tags=(SEEDED,))
def _pendulum(config: PendulumConfig) -> SampleSet:
    return pendulum(config.samples, config.seed, config.size)
