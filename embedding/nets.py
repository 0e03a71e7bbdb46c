"""Convolutional encoders and decoders of images, fully connected ones of vectors.

Group normalisation is used since `torch.func` cannot differentiate batch normalisation in training mode, and smooth
activations since the metric tensor of a piecewise linear decoder would be discontinuous.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

GROUPS = 8


@dataclass(frozen=True)
class NetConfig:
    """Size of encoder and decoder; for vectors, only ``hidden`` is used."""

    width: int = 48
    """Channels of the encoder's finest feature map, a multiple of 8; they double with every halving."""
    decoder_width: int = 32
    """Channels of the decoder's finest feature map, a multiple of 8."""
    stem: int = 4
    """Stride of the first convolution, in pixels."""
    halvings: int = 2
    """How often the feature map is halved after the first convolution."""
    hidden: list[int] = field(default_factory=lambda: [256, 256])
    """Hidden layers of the encoder of vectors; the decoder has them in reverse."""

    def __post_init__(self) -> None:
        for name in ("width", "decoder_width"):
            width = getattr(self, name)
            if width < GROUPS or width % GROUPS:
                raise ValueError(f"model.net.{name}: expected a multiple of {GROUPS}, got {width}")
        if self.stem < 1 or self.halvings < 0:
            raise ValueError(f"model.net: expected stem ≥ 1 and halvings ≥ 0, got {self.stem} and {self.halvings}")


def make_encoder(shape: Sequence[int], out: int, config: NetConfig) -> nn.Module:
    """An encoder from normalised samples [n *shape] to outputs [n out].

    Raises
    ------
    ValueError
        If an image's sides cannot be halved as often as the config says.
    """
    if len(shape) == 1:
        return mlp([shape[0], *config.hidden, out])
    height, width = _coarsest_size(shape, config)
    layers, c = _downsampling_layers(shape[0], config)
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(c * height * width, out))


def make_decoder(dim: int, shape: Sequence[int], config: NetConfig) -> nn.Module:
    """A decoder from latents [n dim] to the likelihood's parameters [n *shape]."""
    if len(shape) == 1:
        return mlp([dim, *reversed(config.hidden), shape[0]])
    height, width = _coarsest_size(shape, config)
    c = config.decoder_width * 2**config.halvings
    first = (nn.Linear(dim, c * height * width), nn.Unflatten(1, (c, height, width)))
    return nn.Sequential(*first, *_upsampling_layers(c, shape[0], config))


def map_size(shape: Sequence[int], config: NetConfig, places: int) -> tuple[int, int]:
    """Height and width of the feature map of a sample; that of a vector has ``places`` rows and one column."""
    return (places, 1) if len(shape) == 1 else _coarsest_size(shape, config)


def make_map_encoder(shape: Sequence[int], out: int, config: NetConfig, places: int, blocks: int) -> nn.Module:
    """An encoder from normalised samples [n *shape] to feature maps [n out h w] (see `map_size`).

    Parameters
    ----------
    shape : sequence of int
    out : int
        Channels of the map.
    config : NetConfig
    places : int
        Rows of the map of a vector.
    blocks : int
        Residual blocks at the map's resolution, for images.
    """
    if len(shape) == 1:
        return nn.Sequential(mlp([shape[0], *config.hidden, out * places]), nn.Unflatten(1, (out, places, 1)))
    _coarsest_size(shape, config)
    layers, c = _downsampling_layers(shape[0], config)
    return nn.Sequential(
        *layers, *(ResidualBlock(c) for _ in range(blocks)), nn.GroupNorm(GROUPS, c), nn.Conv2d(c, out, 1)
    )


def make_map_decoder(dim: int, shape: Sequence[int], config: NetConfig, places: int, blocks: int) -> nn.Module:
    """A decoder from feature maps [n dim h w] to the likelihood's parameters [n *shape]."""
    if len(shape) == 1:
        return nn.Sequential(nn.Flatten(), mlp([dim * places, *reversed(config.hidden), shape[0]]))
    c = config.decoder_width * 2**config.halvings
    layers: list[nn.Module] = [nn.Conv2d(dim, c, 3, padding=1), *(ResidualBlock(c) for _ in range(blocks))]
    return nn.Sequential(*layers, *_upsampling_layers(c, shape[0], config))


class ResidualBlock(nn.Module):
    """Residual block: x + convolutions of x, at the same size [n c h w]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        groups = min(GROUPS, channels // 2)  # a group of a single value has no standard deviation
        self.body = nn.Sequential(
            *(nn.GroupNorm(groups, channels), nn.SiLU(), nn.Conv2d(channels, channels, 3, padding=1)),
            *(nn.GroupNorm(groups, channels), nn.SiLU(), nn.Conv2d(channels, channels, 1)),
        )

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return torch.add(x, self.body(x))


def mlp(sizes: Sequence[int]) -> nn.Sequential:
    """Linear layers of these sizes with SiLU between them."""
    layers: list[nn.Module] = []
    for fan_in, fan_out in itertools.pairwise(sizes):
        layers += [nn.Linear(fan_in, fan_out), nn.SiLU()]
    return nn.Sequential(*layers[:-1])


def _downsampling_layers(channels: int, config: NetConfig) -> tuple[list[nn.Module], int]:
    """Layers from images to the coarsest feature map, and its channels."""
    c, s = config.width, config.stem
    layers = _conv_block(channels, c, s + 2, s)
    for _ in range(config.halvings):
        layers += _conv_block(c, 2 * c, 3, 2)
        c *= 2
    return layers, c


def _upsampling_layers(c: int, channels: int, config: NetConfig) -> list[nn.Module]:
    """Layers from the coarsest feature map, of c channels, to images."""
    layers: list[nn.Module] = []
    for _ in range(config.halvings):
        layers += [nn.GroupNorm(GROUPS, c), nn.SiLU(), nn.Conv2d(c, 2 * c, 3, padding=1), nn.PixelShuffle(2)]
        c //= 2
    last = nn.Conv2d(c, channels * config.stem**2, 3, padding=1)
    return [*layers, nn.GroupNorm(GROUPS, c), nn.SiLU(), last, nn.PixelShuffle(config.stem)]


def _conv_block(fan_in: int, fan_out: int, kernel: int, stride: int) -> list[nn.Module]:
    return [nn.Conv2d(fan_in, fan_out, kernel, stride, padding=1), nn.GroupNorm(GROUPS, fan_out), nn.SiLU()]


def _coarsest_size(shape: Sequence[int], config: NetConfig) -> tuple[int, int]:
    """Height and width of the coarsest feature map of images."""
    unit = config.stem * 2**config.halvings
    _, height, width = shape
    if height % unit or width % unit:
        raise ValueError(
            f"model.shape: expected height and width to be multiples of {unit} (net.stem · 2^net.halvings), "
            f"got {height} and {width}"
        )
    return height // unit, width // unit
