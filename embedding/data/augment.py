"""Changes of a sample that leave the object the same: what an embedding should not notice.

The model sees the changed sample and gives back the clean one, so that its latent keeps what the two have in common.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from torch import Tensor

from flatsort.embedding.random_generator import RandomGenerator

SMALLEST_OCCLUDER = 0.1
"""Least side of an occluder, as a share of the image's."""


@dataclass(frozen=True)
class AugmentConfig:
    """How much of each change; all are off at 0. Of vectors, only ``noise`` counts."""

    mirror: float = 0.0
    """Probability of left and right being swapped."""
    shift: float = 0.0
    """Largest shift of the box along either axis, as a share of its side."""
    scale: float = 0.0
    """Largest change of the box's width and of its height, each by a factor between 1/(1 + scale) and 1 + scale."""
    gain: float = 0.0
    """Largest change of brightness: a factor between 1/(1 + gain) and 1 + gain."""
    gamma: float = 0.0
    """Largest change of contrast: an exponent between 1/(1 + gamma) and 1 + gamma."""
    colour: float = 0.0
    """Largest change of each colour channel, a factor as of ``gain``: the light's colour."""
    occlusion: float = 0.0
    """Probability that a rectangle is hidden behind a part of another sample."""
    occluder: float = 0.5
    """Largest side of that rectangle, as a share of the image's, at least 0.1."""
    noise: float = 0.0
    """Standard deviation of normal noise on every value, in the samples' units."""

    def __post_init__(self) -> None:
        limits = {"mirror": 1.0, "occlusion": 1.0, "occluder": 1.0, "shift": 1.0}
        for f in fields(self):
            value, high = getattr(self, f.name), limits.get(f.name, 10.0)
            low = SMALLEST_OCCLUDER if f.name == "occluder" else 0.0
            if not low <= value <= high:
                raise ValueError(f"augment.{f.name}: expected {low:g} to {high:g}, got {value}")


def augment(samples: Tensor, config: AugmentConfig, generator: RandomGenerator) -> Tensor:
    """Changed copies of samples.

    Every row draws its own numbers, so that processes which share a batch change a sample as one process would. The
    exception is what hides it: that comes from the next row of this process.

    Parameters
    ----------
    samples : float32 [n c h w] in 0..1, or [n d]
        Left as they are.
    config : AugmentConfig
    generator : RandomGenerator

    Returns
    -------
    float32, shaped as ``samples``
        Images stay in 0..1.
    """
    if samples.ndim != 4:
        return samples + config.noise * generator.normal(*samples.shape) if config.noise else samples.clone()
    if not len(samples):
        return samples.clone()
    images = samples
    if config.mirror:
        swap = generator.uniform(len(images)) < config.mirror
        images = torch.where(swap[:, None, None, None], images.flip(3), images)
    if config.shift or config.scale:
        images = _moved(images, config, generator)
    if config.gamma or config.gain or config.colour:
        images = _lit(images, config, generator)
    if config.noise:
        images = images + config.noise * generator.normal(*images.shape)
    if config.occlusion:
        hidden = _rectangles(images, config, generator)
        images = images.lerp(images.roll(1, 0), hidden)  # exact at 0 and 1, and quicker than torch.where
    return images.clamp(0, 1)


def _logs(generator: RandomGenerator, n: int, channels: int, most: float) -> Tensor:
    """Logarithms of factors between 1/(1 + most) and 1 + most, uniform, [n channels 1 1]."""
    limit = math.log1p(most)
    return generator.uniform(n, channels, 1, 1, low=-limit, high=limit)


def _lit(images: Tensor, config: AugmentConfig, generator: RandomGenerator) -> Tensor:
    """The pictures in another light: a power, then a factor for each colour."""
    n, channels = images.shape[:2]
    light = _logs(generator, n, 1, config.gain) + _logs(generator, n, channels, config.colour)
    if not config.gamma:
        return images * light.exp()
    exponent = _logs(generator, n, 1, config.gamma).exp()
    return images.clamp(0, 1).log_().mul_(exponent).add_(light).exp_()  # a quarter of the time of torch.pow


def _moved(images: Tensor, config: AugmentConfig, generator: RandomGenerator) -> Tensor:
    """The pictures as a box that was shifted and scaled would have cut them; beyond the border its pixels go on."""
    n = len(images)
    theta = images.new_zeros(n, 2, 3)
    theta[:, [0, 1], [0, 1]] = _logs(generator, n, 2, config.scale)[:, :, 0, 0].exp()
    theta[:, :, 2] = 2 * generator.uniform(n, 2, low=-config.shift, high=config.shift)  # a side is from −1 to 1
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def _rectangles(images: Tensor, config: AugmentConfig, generator: RandomGenerator) -> Tensor:
    """1 for pixels that are hidden, 0 for others, [n 1 h w]: of some images a rectangle that lies inside of them."""
    n, _, height, width = images.shape
    chosen = generator.uniform(n) < config.occlusion
    side = generator.uniform(n, 2, low=SMALLEST_OCCLUDER, high=config.occluder)
    low = generator.uniform(n, 2) * (1 - side)
    high = low + side

    def inside(axis: int, pixels: int) -> Tensor:
        centre = (torch.arange(pixels, device=images.device) + 0.5) / pixels
        return (centre >= low[:, axis, None]) & (centre < high[:, axis, None])

    hidden = inside(0, height)[:, :, None] & inside(1, width)[:, None, :] & chosen[:, None, None]
    return hidden[:, None].to(images.dtype)
