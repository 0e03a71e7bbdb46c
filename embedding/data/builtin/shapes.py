"""Images of shapes drawn from known factors, to compare latent spaces with: sprites, ellipses, disks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from flatsort.embedding.data.builtin import (
    DATA_SETS,
    INDEPENDENT_IMAGES,
    SEEDED,
    RenderedImagesConfig,
    require_drawable,
)
from flatsort.embedding.data.sample_set import SampleSet
from flatsort.tracker.types import Bool, Float, Image

SIZE = 64
"""Height and width of an image in pixels, unless asked otherwise."""
KINDS = ("square", "ellipse", "heart")
SCALES, TURNS, PLACES = 6, 40, 32
"""Values of a sprite's scale, orientation and either coordinate."""
CHUNK = 256
"""Images that are drawn together."""


@dataclass(frozen=True)
class SpritesConfig(RenderedImagesConfig):
    """Images of sprites."""

    subject: ClassVar[str] = "sprites"


@dataclass(frozen=True)
class EllipsesConfig(RenderedImagesConfig):
    """Images of ellipses."""

    subject: ClassVar[str] = "ellipses"


@dataclass(frozen=True)
class DisksConfig(RenderedImagesConfig):
    """Images of disks."""

    subject: ClassVar[str] = "disks"


def sprites(n: int, seed: int, size: int = SIZE) -> SampleSet:
    """White shapes on black from five independent factors, as in dSprites.

    Parameters
    ----------
    n : int
        Images.
    seed : int
        Two calls with the same arguments give the same images.
    size : int
        Height and width in pixels, at least 16.

    Returns
    -------
    SampleSet
        uint8 [n size size 1]. The factors are whole numbers: ``shape`` (0..2), ``scale`` (0..5), ``orientation``
        (0..39), ``x`` and ``y`` (0..31).

    Raises
    ------
    ValueError
        If a number is out of range.

    References
    ----------
    Matthey et al., dSprites: disentanglement testing sprites dataset, 2017: the factors and their numbers of values.
    """
    counts = {"shape": len(KINDS), "scale": SCALES, "orientation": TURNS, "x": PLACES, "y": PLACES}
    require_drawable("sprites", n, size)
    random = np.random.default_rng([seed, size, 1])
    factors = {name: random.integers(0, count, n).astype(np.float64) for name, count in counts.items()}
    return SampleSet(draw_sprites(factors, size), note=SpritesConfig.note(n, seed), factors=factors)


def draw_sprites(factors: dict[str, Float], size: int = SIZE) -> Image:
    """Images uint8 [n size size 1] of sprites with these factors, each float64 [n] (see `sprites`)."""
    half = size / 2
    radius = size * (0.10 + 0.10 * factors["scale"] / (SCALES - 1))
    turn = 2 * np.pi * factors["orientation"] / TURNS
    x, y = (half + 0.5 * half * (2 * factors[name] / (PLACES - 1) - 1) for name in ("x", "y"))
    return _draw(size, x, y, turn, radius, factors["shape"])


def ellipses(n: int, seed: int, size: int = SIZE) -> SampleSet:
    """White ellipses in the middle of a black image.

    Returns
    -------
    SampleSet
        uint8 [n size size 1] with the factors ``area`` (pixels), ``width`` and ``height`` (half axes, pixels) and
        ``orientation`` (radians, 0..π).

    References
    ----------
    Pham, Ladjal, Newson: PCA-AE: principal component analysis autoencoder, JMIV 2022, section 5.1.
    """
    require_drawable("ellipses", n, size)
    random = np.random.default_rng([seed, size, 2])
    a, b = (random.uniform(0.12, 0.45, n) * size for _ in range(2))
    turn = random.uniform(0, np.pi, n)
    middle = np.full(n, size / 2)
    images = _draw(size, middle, middle, turn, a, np.full(n, KINDS.index("ellipse")), b / a)
    factors = {"area": np.pi * a * b, "width": a, "height": b, "orientation": turn}
    return SampleSet(images, note=EllipsesConfig.note(n, seed), factors=factors)


def disks(n: int, seed: int, size: int = SIZE, moving: bool = False) -> SampleSet:
    """White disks on black, slightly blurred: of random radius in the middle, or (``moving``) of one radius anywhere.

    Returns
    -------
    SampleSet
        uint8 [n size size 1] with the factors ``radius``, ``x`` and ``y`` (pixels) and ``area`` (square pixels).

    References
    ----------
    Newson, Almansa, Gousseau, Ladjal: Processing simple geometric attributes with autoencoders, JMIV 2020.
    """
    require_drawable("disks", n, size)
    random = np.random.default_rng([seed, size, 3 + moving])
    fixed = size / 8
    radius = np.full(n, fixed) if moving else random.uniform(0, size / 2, n)
    x, y = (random.uniform(fixed, size - fixed, n) if moving else np.full(n, size / 2) for _ in range(2))
    images = draw_disks(radius, x, y, size)
    factors = {"radius": radius, "area": np.pi * radius**2, "x": x, "y": y}
    return SampleSet(images, note=DisksConfig.note(n, seed), factors=factors)


def scaled(kind: str, n: int, seed: int, size: int = SIZE) -> SampleSet:
    """One shape of random size in the middle of a black image, upright.

    Parameters
    ----------
    kind : str
        One of `KINDS`: each is star-shaped around the middle, so that a larger one covers a smaller one.
    n, seed, size : int
        As of `sprites`.

    Returns
    -------
    SampleSet
        uint8 [n size size 1] with the factor ``radius``, uniform in 0..size/2 pixels: what the shape's outline is
        multiplied by.
    """
    require_drawable(kind, n, size)
    radius = np.random.default_rng([seed, size, 5]).uniform(0, size / 2, n)
    note = f"rendered: {n} of shape {kind}, seed {seed}"
    return SampleSet(draw_scaled(kind, radius, size), note=note, factors={"radius": radius})


def draw_scaled(kind: str, radius: Float, size: int) -> Image:
    """Images uint8 [n size size 1] of an upright shape in the middle, its outline multiplied by radius (pixels)."""
    middle = np.full(len(radius), size / 2)
    return _draw(size, middle, middle, np.zeros(len(radius)), radius, np.full(len(radius), KINDS.index(kind)))


def draw_disks(radius: Float, x: Float, y: Float, size: int) -> Image:
    """Images uint8 [n size size 1] of disks around x, y (pixels), their edge blurred over two pixels."""
    images = np.empty((len(radius), size, size, 1), np.uint8)
    rows, columns = np.mgrid[:size, :size] + 0.5
    for start in range(0, len(radius), CHUNK):
        part = slice(start, start + CHUNK)
        distance = np.hypot(columns - x[part, None, None], rows - y[part, None, None])
        ink = np.clip((radius[part, None, None] - distance) / 2 + 0.5, 0, 1)
        images[part, ..., 0] = np.rint(255 * ink)
    return images


def draw_strokes(start: Float, end: Float, radius: float, height: int, width: int) -> Float:
    """Draw straight strokes with round ends, anti-aliased over one pixel.

    Parameters
    ----------
    start, end : float64 [n k 2]
        x and y of the k strokes of every image, pixels.
    radius : float
        Half the width of a stroke, pixels.
    height, width : int
        Of an image, pixels.

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


def _draw(size: int, x: Float, y: Float, turn: Float, radius: Float, kind: Float, flat: Float | float = 0.6) -> Image:
    """Images of shapes; ``flat`` is the ratio of an ellipse's half axes."""
    flats, kinds = np.broadcast_to(flat, len(x)), kind.astype(np.int64)
    reach = radius * np.choose(kinds, [0.8 * np.sqrt(2), np.maximum(flats, 1), 1.0])
    images = np.zeros((len(x), size, size, 1), np.uint8)
    # shapes of one kind and of about one size together: each is drawn in a window that is no larger than they need
    order = np.lexsort((reach, kinds))
    for number in range(len(KINDS)):
        of_kind = order[kinds[order] == number]
        for rows in (of_kind[start : start + CHUNK] for start in range(0, len(of_kind), CHUNK)):
            side = min(size, 2 * int(np.ceil(reach[rows[-1]])) + 2)
            left, top = (np.clip(np.floor(v[rows]) - side // 2, 0, size - side).astype(np.int64) for v in (x, y))
            steps = np.arange(side)
            place = (rows[:, None, None], (top[:, None] + steps)[:, :, None], (left[:, None] + steps)[:, None, :])
            values = (np.cos(turn), np.sin(turn), x, y, radius, flats)
            cos, sin, across, along, unit, ratio = (v[rows].astype(np.float32)[:, None, None] for v in values)
            fine = (np.arange(2 * side, dtype=np.float32) + np.float32(0.5)) / 2  # four points a pixel: no hard edges
            right = (left[:, None] + fine)[:, None, :].astype(np.float32) - across
            down = (top[:, None] + fine)[:, :, None].astype(np.float32) - along
            u, v = (cos * right + sin * down) / unit, (cos * down - sin * right) / unit
            ink = _inside(number, u, v, ratio).reshape(-1, side, 2, side, 2).mean((2, 4), dtype=np.float32)
            images[(*place, 0)] = np.rint(255 * ink)
    return images


def _inside(kind: int, u: NDArray[np.float32], v: NDArray[np.float32], flat: NDArray[np.float32]) -> Bool:
    """Whether points, in a shape's own axes and units of its radius, lie in it."""
    if KINDS[kind] == "square":
        return np.asarray(np.maximum(abs(u), abs(v)) <= 0.8)
    if KINDS[kind] == "ellipse":
        return np.asarray(u**2 + (v / flat) ** 2 <= 1)
    # a heart: the sextic (x² + y² − 1)³ = x²·y³
    s, t = 1.25 * u, -1.25 * v
    excess = s * s + t * t - 1
    return np.asarray(excess * excess * excess <= s * s * t * t * t)


@DATA_SETS.register("sprites", SpritesConfig, tags=(SEEDED, INDEPENDENT_IMAGES))
def _sprites(config: SpritesConfig) -> SampleSet:
    return sprites(config.samples, config.seed, config.size)


@DATA_SETS.register("ellipses", EllipsesConfig, tags=(SEEDED, INDEPENDENT_IMAGES))
def _ellipses(config: EllipsesConfig) -> SampleSet:
    return ellipses(config.samples, config.seed, config.size)


@DATA_SETS.register("disks", DisksConfig, tags=(SEEDED, INDEPENDENT_IMAGES))
def _disks(config: DisksConfig) -> SampleSet:
    return disks(config.samples, config.seed, config.size)


@DATA_SETS.register("moving_disks", DisksConfig, tags=(SEEDED, INDEPENDENT_IMAGES))
def _moving_disks(config: DisksConfig) -> SampleSet:
    return disks(config.samples, config.seed, config.size, moving=True)
