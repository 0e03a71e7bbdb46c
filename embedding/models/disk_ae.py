"""Disk autoencoder: 3×3 convolutions, factors of two, biases, LeakyReLU, and nothing else."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from flatsort.embedding.model import register
from flatsort.embedding.models.ae import AE, AEConfig
from flatsort.tracker.registry import require


@dataclass(frozen=True)
class DiskAEConfig(AEConfig):
    """The four operations beside the settings of all models; of ``net``, only ``hidden`` is used, for vectors."""

    name: str = "disk_ae"
    bias: bool = True
    """Whether layers add biases. Without them, D(λz) = λD(z) for λ ≥ 0: the decoder has one image for each
    direction of the latent space and can only scale it."""
    slope: float = 0.2
    """Of the LeakyReLU, below zero."""
    coord: bool = False
    """Whether every convolution has two more input channels, x and y (CoordConv). They are constants, as biases are:
    with them, a decoder without biases is not homogeneous."""
    widths: list[int] = field(default_factory=lambda: [16, 32, 64, 128])
    """Channels after each halving of the image; the last one is used for all further halvings."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self,
            "model",
            ("slope", 0 <= self.slope < 1, "0 or more and less than 1"),
            ("widths", bool(self.widths) and min(self.widths) > 0, "one number or more, each 1 or more"),
        )


@register("disk_ae", DiskAEConfig)
class DiskAE(AE):
    """Autoencoder simple enough to analyse how it encodes and decodes the size and the position of a shape.

    The encoder halves an image as often as both of its sides allow, a square one of 2^n pixels down to 1×1, and ends
    in a linear layer; the decoder is its mirror image. For vectors, both are linear layers with the same
    non-linearity. The loss is that of an autoencoder, reconstruction only.

    For decoded images that are homogeneous like the decoder, set ``likelihood.centre`` to false: else the mean image
    is added to the decoder's output.

    References
    ----------
    Newson, Almansa, Gousseau, Ladjal: Processing simple geometric attributes with autoencoders, JMIV 2020: the
    operations, and equation 2 of the talk by Newson (2020) for the homogeneity. Liu et al.: An intriguing failing of
    convolutional neural networks and the CoordConv solution, NeurIPS 2018.
    """

    def __init__(self, config: DiskAEConfig) -> None:
        parts = _vector_nets(config) if len(config.shape) == 1 else _image_nets(config)
        for part in parts:
            _initialise(part, config.slope)
        super().__init__(config, encoder=parts[0], decoder=parts[1])


class _CoordConv(nn.Conv2d):
    """A 3×3 convolution that keeps an image's sides, or halves them (stride 2: subsampling of its output)."""

    coordinates: Tensor | None

    def __init__(self, fan_in: int, fan_out: int, sides: tuple[int, int], stride: int, config: DiskAEConfig) -> None:
        extra = 2 if config.coord else 0
        super().__init__(fan_in + extra, fan_out, 3, stride, padding=1, bias=config.bias)
        coordinates = torch.stack(torch.meshgrid(*(torch.linspace(-1, 1, n) for n in sides), indexing="ij"))
        self.register_buffer("coordinates", coordinates if config.coord else None, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        if self.coordinates is not None:
            coordinates = self.coordinates.to(images.dtype).expand(len(images), -1, -1, -1)
            images = torch.cat([images, coordinates], dim=1)
        return super().forward(images)


def _image_nets(config: DiskAEConfig) -> tuple[nn.Sequential, nn.Sequential]:
    """Encoder of images, and its mirror image."""
    sides = _image_sides(config.shape)
    halvings = len(sides) - 1
    widths = [config.shape[0], *(config.widths[min(i, len(config.widths) - 1)] for i in range(halvings))]
    smallest = (widths[-1], *sides[-1])
    values = math.prod(smallest)
    down: list[nn.Module] = []
    up: list[nn.Module] = [nn.Linear(config.dim, values, config.bias), nn.Unflatten(1, smallest)]
    for i in range(halvings):
        down += [_CoordConv(widths[i], widths[i + 1], sides[i], 2, config), nn.LeakyReLU(config.slope)]
    for i in reversed(range(halvings)):
        # nearest neighbours: the gradient of smoother upsampling has no fixed order of summation on a GPU
        conv = _CoordConv(widths[i + 1], widths[i], sides[i], 1, config)
        up += [nn.LeakyReLU(config.slope), nn.Upsample(scale_factor=2), conv]
    return nn.Sequential(*down, nn.Flatten(), nn.Linear(values, config.dim, config.bias)), nn.Sequential(*up)


def _vector_nets(config: DiskAEConfig) -> tuple[nn.Sequential, nn.Sequential]:
    sizes = [config.shape[0], *config.net.hidden, config.dim]
    return _mlp(sizes, config), _mlp(sizes[::-1], config)


def _mlp(sizes: Sequence[int], config: DiskAEConfig) -> nn.Sequential:
    layers: list[nn.Module] = []
    for fan_in, fan_out in itertools.pairwise(sizes):
        layers += [nn.Linear(fan_in, fan_out, config.bias), nn.LeakyReLU(config.slope)]
    return nn.Sequential(*layers[:-1])


def _image_sides(shape: Sequence[int]) -> list[tuple[int, int]]:
    """Height and width of an image and of its halves, down to the first that has an odd side."""
    _, height, width = shape
    if height % 2 or width % 2:
        raise ValueError(f"model.shape: expected an even height and width, got {height} and {width}")
    sides = [(height, width)]
    while height % 2 == 0 and width % 2 == 0:
        height, width = height // 2, width // 2
        sides.append((height, width))
    return sides


def _initialise(part: nn.Module, slope: float) -> None:
    """Weights that keep the variance of activations (He et al., ICCV 2015), since no layer normalises them.

    Biases stay as torch draws them: a decoder that began with zero biases would begin homogeneous, with all its kinks
    at the latent 0, and a latent of one dimension would learn a jump there from small shapes to large ones.
    """
    for layer in part.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(layer.weight, a=slope)
