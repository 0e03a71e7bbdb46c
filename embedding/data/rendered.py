"""Pictures drawn from known factors: data sets that need no download."""

from __future__ import annotations

import numpy as np

from flatsort.embedding.data.sample_set import SampleSet
from flatsort.tracker.types import Float

LEAST_SIZE = 8


def pendulum(n: int, seed: int, size: int = 16, noise: float = 0.0) -> SampleSet:
    """Pictures of a pendulum whose angle is uniform over the full circle: a closed curve in the space of pictures.

    Parameters
    ----------
    n : int
        Pictures.
    seed : int
        Two calls with the same arguments give the same pictures.
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
    Karl et al., Deep variational Bayes filters, ICLR 2017, section 4.1: the set that the picture is modelled on.
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
    rod = strokes(pivot, end, 0.06 * size, size, size)
    bob = strokes(end, end, 0.13 * size, size, size)
    pictures = np.maximum(rod, bob)
    if noise:
        pictures = pictures + random.normal(0, noise, pictures.shape)
    samples = np.rint(np.clip(pictures, 0, 1) * 255).astype(np.uint8)[..., None]
    columns = {"sequence": np.zeros(n, np.int64), "frame": np.argsort(np.argsort(angles)).astype(np.int64)}
    note = f"rendered: {n} pictures of a pendulum, seed {seed}"
    return SampleSet(samples, columns, ("pendulum",), note, {"sin": np.sin(angles), "cos": np.cos(angles)})


def strokes(start: Float, end: Float, radius: float, height: int, width: int) -> Float:
    """Draw straight strokes with round ends, anti-aliased over one pixel.

    Parameters
    ----------
    start, end : float64 [n k 2]
        x and y of the k strokes of every picture, pixels.
    radius : float
        Half the width of a stroke, pixels.
    height, width : int
        Of a picture, pixels.

    Returns
    -------
    float64 [n height width]
        Ink in 0..1; where strokes overlap, the darkest counts.
    """
    y, x = np.mgrid[:height, :width] + 0.5
    pixels = np.stack([x, y], axis=-1)
    drawn = np.zeros((len(start), height, width))
    for k in range(start.shape[1]):
        a = start[:, k, None, None]
        along = end[:, k, None, None] - a
        length = np.maximum((along**2).sum(-1), 1e-12)
        # nearest point of the stroke to every pixel
        share = np.clip(((pixels - a) * along).sum(-1) / length, 0, 1)
        distance = np.linalg.norm(pixels - a - share[..., None] * along, axis=-1)
        np.maximum(drawn, np.clip(radius + 0.5 - distance, 0, 1), out=drawn)
    return drawn
