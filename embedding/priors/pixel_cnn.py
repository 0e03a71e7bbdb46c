"""Gated PixelCNN: an autoregressive distribution over maps of symbols."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flatsort.embedding.nets import GROUPS, ResidualBlock
from flatsort.embedding.random_generator import RandomGenerator


@dataclass(frozen=True)
class PixelCNNConfig:
    """Size of a PixelCNN."""

    width: int = 64
    """Channels, a multiple of 8."""
    layers: int = 5
    """Gated layers; the receptive field reaches layers·(kernel − 1)/2 places."""
    kernel: int = 3
    """Size of the convolutions, odd."""

    def __post_init__(self) -> None:
        for name, ok, expected in (
            ("width", self.width > 0 and self.width % GROUPS == 0, f"a multiple of {GROUPS}"),
            ("layers", self.layers > 0, "1 or more"),
            ("kernel", self.kernel > 1 and self.kernel % 2 == 1, "an odd number, 3 or more"),
        ):
            if not ok:
                raise ValueError(f"model.pixel_cnn.{name}: expected {expected}, got {getattr(self, name)!r}")


@dataclass(frozen=True)
class Level:
    """Size of a map of symbols: number of codes, height and width."""

    codes: int
    height: int
    width: int

    @property
    def places(self) -> int:
        """Number of symbols of a map."""
        return self.height * self.width

    @property
    def bits(self) -> float:
        """Bits of a map in a uniform code."""
        return self.places * math.log2(self.codes)


class PixelCNN(nn.Module):
    """Probability of each symbol given the earlier ones, in raster order.

    Two stacks of gated convolutions: the vertical one covers all rows above, the horizontal one the symbols to the left
    in the same row and the vertical stack, so that there is no blind spot. Later symbols are excluded: inputs are
    shifted by a row or a column, kernels end at their own place. There is no normalisation over places.

    Parameters
    ----------
    level : Level
        Size of the maps.
    config : PixelCNNConfig
    above : Level, optional
        Size of a coarser map that the distribution is conditioned on.
    classes : int
        Number of class labels that it is conditioned on; 0: none.

    References
    ----------
    van den Oord et al., Conditional image generation with PixelCNN decoders, NeurIPS 2016, section 2.
    """

    def __init__(self, level: Level, config: PixelCNNConfig, above: Level | None = None, classes: int = 0) -> None:
        super().__init__()
        c = config.width
        self.level = level
        self.symbols = nn.Embedding(level.codes, c)
        self.position = nn.Parameter(0.1 * torch.randn(c, level.height, level.width))
        self.layers = nn.ModuleList(
            _GatedLayer(c, config.kernel, above is not None or classes > 0) for _ in range(config.layers)
        )
        self.head = nn.Sequential(nn.SiLU(), nn.Conv2d(c, c, 1), nn.SiLU(), nn.Conv2d(c, level.codes, 1))
        self.labels = nn.Embedding(classes, c) if classes else None
        self.above: nn.Sequential | None = None
        if above is not None:
            size = (level.height, level.width)
            self.above = nn.Sequential(
                nn.Embedding(above.codes, c), _ChannelsFirst(), ResidualBlock(c), nn.Upsample(size), ResidualBlock(c)
            )

    def context(self, above: Tensor | None = None, labels: Tensor | None = None) -> Tensor | None:
        """Features float32 [n c 1|h 1|w] of the conditions: coarser maps [n h' w'] and labels [n]."""
        features = None if self.above is None else self.above(above)
        if self.labels is not None:
            label = self.labels(labels)[:, :, None, None]
            features = label if features is None else features + label
        return features

    def forward(self, maps: Tensor, context: Tensor | None = None) -> Tensor:
        """Logits [n codes h w] of all symbols of maps int64 [n h w]; the last rows of the maps may be left out."""
        rows = maps.shape[1]
        position = self.position[:, :rows]
        x = self.symbols(maps).permute(0, 3, 1, 2)
        vertical = F.pad(x, (0, 0, 1, 0))[:, :, :-1] + position
        horizontal = F.pad(x, (1, 0))[..., :-1] + position
        if context is not None and context.shape[2] > 1:
            context = context[:, :, :rows]
        for layer in self.layers:
            vertical, horizontal = layer(vertical, horizontal, context)
        logits: Tensor = self.head(horizontal)
        return logits

    def nll(self, maps: Tensor, context: Tensor | None = None) -> Tensor:
        """Negative log-likelihood [n] of maps int64 [n h w], nats."""
        return F.cross_entropy(self(maps, context).float(), maps, reduction="none").flatten(1).sum(1)

    def logits_at(self, maps: Tensor, place: int, context: Tensor | None = None) -> Tensor:
        """Logits [n codes] of the symbol at a place, counted row by row; only earlier symbols of the maps are used."""
        row, column = divmod(place, self.level.width)
        logits: Tensor = self(maps[:, : row + 1], context)[:, :, row, column]
        return logits

    @torch.no_grad()
    def sample(self, n: int, generator: RandomGenerator, context: Tensor | None = None) -> Tensor:
        """Maps int64 [n h w], sampled symbol by symbol."""
        level = self.level
        drawn = generator.uniform(n, level.places).double().T.contiguous()
        maps = torch.zeros(n, level.places, dtype=torch.long, device=self.position.device)
        for place in range(level.places):
            logits = self.logits_at(maps.reshape(n, level.height, level.width), place, context)
            cumulated = logits.double().softmax(1).cumsum(1)
            maps[:, place] = torch.searchsorted(cumulated, drawn[place, :, None]).squeeze(1).clamp_max(level.codes - 1)
        return maps.reshape(n, level.height, level.width)


class SymbolPrior(nn.Module):
    """A PixelCNN for each level of a sample's maps, from coarse to fine, each conditioned on the one before.

    Parameters
    ----------
    levels : sequence of Level
    config : PixelCNNConfig
    classes : int
        Number of class labels that all are conditioned on; 0: none.

    Attributes
    ----------
    ready : bool tensor
        Whether its training has begun.

    References
    ----------
    Razavi et al., Generating diverse high-fidelity images with VQ-VAE-2, NeurIPS 2019, section 3.2.
    """

    def __init__(self, levels: Sequence[Level], config: PixelCNNConfig, classes: int = 0) -> None:
        super().__init__()
        above = [None, *levels[:-1]]
        self.parts = nn.ModuleList(
            PixelCNN(level, config, over, classes) for level, over in zip(levels, above, strict=True)
        )
        self.register_buffer("ready", torch.tensor(False))

    def nll(self, maps: Sequence[Tensor], labels: Tensor | None = None) -> Tensor:
        """Negative log-likelihood [n] of samples from their maps [n h w], coarse to fine, nats."""
        total = maps[0].new_zeros(len(maps[0]), dtype=torch.float32)
        above = None
        for part, each in zip(self.pixel_cnns, maps, strict=True):
            total = total + part.nll(each, part.context(above, labels))
            above = each
        return total

    def sample(self, n: int, generator: RandomGenerator, labels: Tensor | None = None) -> list[Tensor]:
        """Maps int64 [n h w] of n samples, coarse to fine."""
        maps: list[Tensor] = []
        for part in self.pixel_cnns:
            maps.append(part.sample(n, generator, part.context(maps[-1] if maps else None, labels)))
        return maps

    @property
    def pixel_cnns(self) -> list[PixelCNN]:
        """The PixelCNNs, coarse to fine."""
        return [part for part in self.parts if isinstance(part, PixelCNN)]

    ready: Tensor


class _GatedLayer(nn.Module):
    """A layer of both stacks: tanh(a)·σ(b) of convolutions and of the context; the horizontal stack is residual."""

    def __init__(self, c: int, kernel: int, conditioned: bool) -> None:
        super().__init__()
        self.reach = kernel // 2
        self.vertical = nn.Conv2d(c, 2 * c, (self.reach + 1, kernel))
        self.horizontal = nn.Conv2d(c, 2 * c, (1, self.reach + 1))
        self.down = nn.Conv2d(2 * c, 2 * c, 1)
        self.out = nn.Conv2d(c, c, 1)
        self.context = nn.Conv2d(c, 4 * c, 1) if conditioned else None

    def forward(self, vertical: Tensor, horizontal: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        reach = self.reach
        v = self.vertical(F.pad(vertical, (reach, reach, reach, 0)))
        h = self.horizontal(F.pad(horizontal, (reach, 0))) + self.down(v)
        if self.context is not None and context is not None:
            to_v, to_h = self.context(context).chunk(2, dim=1)
            v, h = v + to_v, h + to_h
        return _gate(v), horizontal + self.out(_gate(h))


class _ChannelsFirst(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 3, 1, 2)


def _gate(x: Tensor) -> Tensor:
    a, b = x.chunk(2, dim=1)
    return torch.tanh(a) * torch.sigmoid(b)
