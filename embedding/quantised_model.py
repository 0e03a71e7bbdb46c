"""What models with discrete codes share: maps of symbols, two phases of learning, bits."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flatsort.embedding.model import Batch, LatentModel, LossTerms, ModelConfig
from flatsort.embedding.objectives.vector_quantisation import CodebookConfig, Quantised, Quantiser
from flatsort.embedding.priors.pixel_cnn import Level, PixelCNNConfig, SymbolPrior
from flatsort.embedding.random_generator import RandomGenerator
from flatsort.tracker.registry import require

STARTERS = 512
"""Samples whose features the codebooks start from, at most."""

Assign = Callable[[int, Tensor], Quantised]
"""(number of a level, its feature maps [n d h w]) → their codes."""


@dataclass(frozen=True)
class SymbolModelConfig(ModelConfig):
    """Codes and prior beside what all models share."""

    dim: int = 64
    """Numbers in a code."""
    places: int = 4
    """Codes of a vector's latent; an image's has one for every place of its feature map."""
    blocks: int = 2
    """Residual blocks of encoder and decoder, for images."""
    codebook: CodebookConfig = field(default_factory=CodebookConfig)
    """Size of a codebook and how it learns."""
    pool: list[int] = field(default_factory=lambda: [8, 1])
    """Rows and columns, at most, of the grid over which an image's codes are averaged for its embedding."""
    prior_after: int = 0
    """Steps after which encoder, codes and decoder are frozen and the prior learns; 0: there is no prior."""
    pixel_cnn: PixelCNNConfig = field(default_factory=PixelCNNConfig)
    """Size of the prior."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self,
            "model",
            ("places", self.places > 0, "1 or more"),
            ("blocks", self.blocks >= 0, "0 or more"),
            ("pool", len(self.pool) == 2 and min(self.pool) > 0, "[rows, columns]"),
            ("prior_after", self.prior_after >= 0, "0 or more"),
        )


class SymbolModel(LatentModel):
    """Latents are maps of codes, one map a level, from coarse to fine. A subclass says how a sample becomes them.

    Phase I minimises the reconstruction error, relative to that of the best constant, + the quantisers' losses: free of
    the likelihood's scale. In phase II all that is frozen and a PixelCNN learns the symbols. The score is in both the
    distortion + the rate, nats: −log p(sample | codes) − log p(codes), with p(codes) uniform in phase I.

    Parameters
    ----------
    config : SymbolModelConfig
    levels : sequence of Level
        Coarse to fine.
    encoder, decoder : nn.Module

    Attributes
    ----------
    levels : tuple of Level
    prior : SymbolPrior or None
    """

    def __init__(
        self, config: SymbolModelConfig, levels: Sequence[Level], encoder: nn.Module, decoder: nn.Module
    ) -> None:
        dim = config.dim * sum(level.places for level in levels)
        super().__init__(config, encoder=encoder, decoder=decoder, dim=dim)
        self.settings = config
        self.levels = tuple(levels)
        self.quantisers = nn.ModuleList(Quantiser(config.codebook, config.dim) for _ in levels)
        self.prior = SymbolPrior(levels, config.pixel_cnn) if config.prior_after else None

    @abstractmethod
    def quantise(self, samples: Tensor, assign: Assign) -> list[Quantised]:
        """Codes of samples [n *shape], one entry a level; ``assign`` quantises a level's features."""

    def symbols(self, samples: Tensor) -> list[Tensor]:
        """Maps int64 [n h w] of samples [n *shape], one a level."""
        return [each.symbols for each in self.quantise(samples, lambda level, x: self._quantiser(level)(x))]

    def latents(self, maps: Sequence[Tensor]) -> Tensor:
        """Latents [n dim] that maps of symbols, one a level, stand for."""
        return torch.cat([self._quantiser(i).look_up(each).flatten(1) for i, each in enumerate(maps)], 1)

    def encode(self, images: Tensor) -> Tensor:
        """Codes [n dim] of samples [n *shape]: of each level channels, rows, columns."""
        return self.latents(self.symbols(images))

    def loss(self, batch: Batch, generator: RandomGenerator, step: int) -> LossTerms:
        """The loss of the phase that the step is in, mean over the batch."""
        second = 0 < self.settings.prior_after <= step
        with torch.set_grad_enabled(torch.is_grad_enabled() and not second):
            noted = generator if self.training and not second else None
            found = self.quantise(batch.inputs, lambda level, x: self._quantiser(level)(x, noted))
            raw = self.decoder(torch.cat([each.codes.flatten(1) for each in found], 1))
            error = self.likelihood.error(raw, batch.targets).mean()
            nll = self.likelihood.nll(raw, batch.targets).mean()
            total = error / self.likelihood.baseline + torch.stack([each.loss for each in found]).sum()
        rate = nll.new_tensor(self.code_bits * math.log(2))
        if second and self.prior is not None:
            total = rate = self.prior.nats([each.symbols for each in found]).mean()
        terms = {"error": error, "nll": nll, "bits": rate / math.log(2)}
        terms["commitment"] = torch.stack([each.commitment for each in found]).sum()
        for i, _ in enumerate(self.levels):
            terms[f"perplexity_{i}" if i else "perplexity"] = self._quantiser(i).perplexity
        return LossTerms(total, nll + rate, {name: term.detach() for name, term in terms.items()})

    def fit(self, samples: Tensor) -> None:
        """Take means from samples [n *shape] of the training set, and the first codes."""
        super().fit(samples)

        def assign(level: int, features: Tensor) -> Quantised:
            quantised: Quantised
            self._quantiser(level).start(features)
            quantised = self._quantiser(level)(features)
            return quantised

        with torch.no_grad():
            self.quantise(samples[:: math.ceil(len(samples) / STARTERS)], assign)

    @property
    def settled(self) -> bool:
        """Whether the prior learns, where there is to be one."""
        return self.prior is None or bool(self.prior.ready)

    def after_step(self, step: int, mean: Callable[[Tensor], Tensor]) -> None:
        """Update codes and their use; note when the first phase is over."""
        for i, _ in enumerate(self.levels):
            self._quantiser(i).after_step(mean)
        if self.training and self.prior is not None:
            self.prior.ready.fill_(step + 1 >= self.settings.prior_after)

    @torch.no_grad()
    def sample(self, n: int, generator: RandomGenerator) -> Tensor | None:
        """Latents [n dim] of the prior; None before it has begun to learn."""
        if self.prior is None or not self.prior.ready:
            return None
        return self.latents(self.prior.sample(n, generator))

    @property
    def code_bits(self) -> float:
        """Bits of a sample's symbols in a uniform code."""
        return sum(level.bits for level in self.levels)

    def embed(self, images: Tensor) -> Tensor:
        """Codes averaged over a grid of places [n embed_dim]; see ``SymbolModelConfig.pool`` and ``mirror``."""
        pooled = self._pooled(images)
        if self.config.mirror and images.ndim == 4:
            pooled = (pooled + self._pooled(images.flip(3))) / 2
        return pooled

    @property
    def embed_dim(self) -> int:
        """Numbers in what `embed` gives."""
        if len(self.config.shape) == 1:
            return self.dim
        return self.settings.dim * sum(math.prod(self._grid(level)) for level in self.levels)

    def _pooled(self, images: Tensor) -> Tensor:
        if images.ndim == 2:
            return self.encode(images)
        maps = zip(self.levels, self.symbols(images), strict=True)
        pooled = [
            F.adaptive_avg_pool2d(self._quantiser(i).look_up(each), self._grid(level))
            for i, (level, each) in enumerate(maps)
        ]
        return torch.cat([each.flatten(1) for each in pooled], 1)

    def _grid(self, level: Level) -> tuple[int, int]:
        rows, columns = self.settings.pool
        return min(rows, level.height), min(columns, level.width)

    def _quantiser(self, level: int) -> Quantiser:
        found = self.quantisers[level]
        assert isinstance(found, Quantiser)
        return found
