"""Augmentation: changes of a sample to which an embedding should be invariant.

The model encodes the augmented sample and reconstructs the clean one, so that its latent keeps what both share.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from torch import Tensor

from flatsort.embedding.random_generator import RandomGenerator

SMALLEST_OCCLUDER = 0.1
"""Least side of an occluder, as a share of the image's."""


@dataclass(frozen=True)
class AugmentConfig:
    """Strength of each augmentation; all are off at 0. Vectors take ``noise`` only."""

    mirror: float = 0.0
    """Probability of a horizontal flip."""
    shift: float = 0.0
    """Largest shift of the box along either axis, as a share of its side."""
    scale: float = 0.0
    """Largest change of the box's width and of its height, each by a factor between 1/(1 + scale) and 1 + scale."""
    gain: float = 0.0
    """Largest change of brightness: a factor between 1/(1 + gain) and 1 + gain."""
    gamma: float = 0.0
    """Largest change of contrast: an exponent between 1/(1 + gamma) and 1 + gamma."""
    colour: float = 0.0
    """Largest change of each colour channel, a factor as of ``gain``: the colour of the light."""
    occlusion: float = 0.0
    """Probability that a rectangle is hidden behind a part of another sample."""
    occluder: float = 0.5
    """Largest side of that rectangle, as a share of the image's, at least 0.1."""
    noise: float = 0.0
    """Standard deviation of normal noise on every value, in the samples' units."""

    def __post_init__(self) -> None:
        maxima = {"mirror": 1.0, "occlusion": 1.0, "occluder": 1.0, "shift": 1.0}
        for f in fields(self):
            value, high = getattr(self, f.name), maxima.get(f.name, 10.0)
            low = SMALLEST_OCCLUDER if f.name == "occluder" else 0.0
            if not low <= value <= high:
                raise ValueError(f"augment.{f.name}: expected {low:g} to {high:g}, got {value}")


def _previous(images: Tensor) -> Tensor:
    """The image before each one, the last before the first."""
    return images.roll(1, 0)


def augment(
    samples: Tensor,
    config: AugmentConfig,
    generator: RandomGenerator,
    previous: Callable[[Tensor], Tensor] = _previous,
) -> Tensor:
    """Augmented copies of samples.

    Every row draws its own random numbers, so that processes which share a batch augment a sample as one process would.

    Parameters
    ----------
    samples : float32 [n c h w] in 0..1, or [n d]
        Left as they are.
    config : AugmentConfig
    generator : RandomGenerator
    previous : callable
        The row before each row of the batch: occluders are cut from it. Processes that share a batch give their own.

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
        flip = generator.uniform(len(images)) < config.mirror
        images = torch.where(flip[:, None, None, None], images.flip(3), images)
    if config.shift or config.scale:
        images = _shift_and_scale(images, config, generator)
    if config.gamma or config.gain or config.colour:
        images = _change_light(images, config, generator)
    if config.noise:
        images = images + config.noise * generator.normal(*images.shape)
    if config.occlusion:
        hidden = _occluders(images, config, generator)
        images = images.lerp(previous(images), hidden)  # exact at 0 and 1, and quicker than torch.where
    return images.clamp(0, 1)


def _logs(generator: RandomGenerator, n: int, channels: int, largest: float) -> Tensor:
    """Logarithms of factors between 1/(1 + most) and 1 + most, uniform, [n channels 1 1]."""
    log_largest = math.log1p(largest)
    return generator.uniform(n, channels, 1, 1, low=-log_largest, high=log_largest)


def _change_light(images: Tensor, config: AugmentConfig, generator: RandomGenerator) -> Tensor:
    """The images in another light: an exponent, then a factor for each colour channel."""
    n, channels = images.shape[:2]
    light = _logs(generator, n, 1, config.gain) + _logs(generator, n, channels, config.colour)
    if not config.gamma:
        return images * light.exp()
    exponent = _logs(generator, n, 1, config.gamma).exp()
    return images.clamp(0, 1).log_().mul_(exponent).add_(light).exp_()  # a quarter of the time of torch.pow


def _shift_and_scale(images: Tensor, config: AugmentConfig, generator: RandomGenerator) -> Tensor:
    """The images as a shifted and scaled box would have cut them; pixels of the border are repeated beyond it."""
    n = len(images)
    theta = images.new_zeros(n, 2, 3)
    theta[:, [0, 1], [0, 1]] = _logs(generator, n, 2, config.scale)[:, :, 0, 0].exp()
    theta[:, :, 2] = 2 * generator.uniform(n, 2, low=-config.shift, high=config.shift)  # a side is from −1 to 1
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def _occluders(images: Tensor, config: AugmentConfig, generator: RandomGenerator) -> Tensor:
    """1 for occluded pixels, 0 for others, [n 1 h w]: a rectangle inside of some of the images."""
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
