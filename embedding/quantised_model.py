"""Base class of models with vector-quantised latents: maps of symbols, two phases of training, code lengths."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flatsort.embedding.model import Batch, LatentModel, LossTerms, ModelConfig
from flatsort.embedding.objectives.vector_quantisation import CodebookConfig, QuantisedFeatures, Quantiser
from flatsort.embedding.priors.pixel_cnn import Level, PixelCNNConfig, SymbolPrior
from flatsort.embedding.random_generator import RandomGenerator
from flatsort.tracker.registry import require

CODEBOOK_INIT_SAMPLES = 512
"""Largest number of samples whose features the codebooks are initialised from."""

QuantiseLevel = Callable[[int, Tensor], QuantisedFeatures]
"""Index of a level, its feature maps [n d h w] → their codes."""


@dataclass(frozen=True)
class QuantisedModelConfig(ModelConfig):
    """Codebooks and prior beside the settings of all models."""

    dim: int = 64
    """Dimensions of a code."""
    places: int = 4
    """Codes in the latent of a vector; that of an image has one for each position of its feature map."""
    blocks: int = 2
    """Residual blocks of encoder and decoder, for images."""
    codebook: CodebookConfig = field(default_factory=CodebookConfig)
    """Size of a codebook and how it is trained."""
    pool: list[int] = field(default_factory=lambda: [8, 1])
    """Largest number of rows and columns of the grid over which an image's codes are averaged for its embedding."""
    prior_after: int = 0
    """Steps after which encoder, codes and decoder are frozen and the prior is trained; 0: there is no prior."""
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


class QuantisedModel(LatentModel):
    """Latents are maps of codes, one map a level, from coarse to fine. A subclass defines how samples are quantised.

    Phase I minimises the reconstruction error, relative to that of the best constant, + the quantisers' losses, which
    is independent of the likelihood's scale. In phase II all this is frozen and a PixelCNN is trained on the symbols.
    The score is in both phases the distortion + the rate, nats: −log p(sample | codes) − log p(codes), with p(codes)
    uniform in phase I.

    Parameters
    ----------
    config : QuantisedModelConfig
    levels : sequence of Level
        Coarse to fine.
    encoder, decoder : nn.Module

    Attributes
    ----------
    levels : tuple of Level
    prior : SymbolPrior or None
    """

    def __init__(
        self, config: QuantisedModelConfig, levels: Sequence[Level], encoder: nn.Module, decoder: nn.Module
    ) -> None:
        dim = config.dim * sum(level.places for level in levels)
        super().__init__(config, encoder=encoder, decoder=decoder, dim=dim)
        self.quantised_config = config
        self.levels = tuple(levels)
        self.quantisers = nn.ModuleList(Quantiser(config.codebook, config.dim) for _ in levels)
        self.prior = SymbolPrior(levels, config.pixel_cnn) if config.prior_after else None

    @abstractmethod
    def quantise(self, samples: Tensor, quantise_level: QuantiseLevel) -> list[QuantisedFeatures]:
        """Codes of samples [n *shape], one entry a level; ``quantise_level`` quantises a level's features."""

    def symbols(self, samples: Tensor) -> list[Tensor]:
        """Maps int64 [n h w] of samples [n *shape], one a level."""
        return [level.symbols for level in self.quantise(samples, lambda level, x: self._quantiser(level)(x))]

    def latents(self, maps: Sequence[Tensor]) -> Tensor:
        """Latents [n dim] of maps of symbols, one a level."""
        return torch.cat([self._quantiser(i).look_up(each).flatten(1) for i, each in enumerate(maps)], 1)

    def encode(self, images: Tensor) -> Tensor:
        """Codes [n dim] of samples [n *shape]: of each level channels, rows, columns."""
        return self.latents(self.symbols(images))

    def loss(self, batch: Batch, generator: RandomGenerator, step: int) -> LossTerms:
        """The loss of the phase that the step is in, mean over the batch."""
        prior_phase = 0 < self.quantised_config.prior_after <= step
        with torch.set_grad_enabled(torch.is_grad_enabled() and not prior_phase):
            codebook_generator = generator if self.training and not prior_phase else None
            levels = self.quantise(batch.inputs, lambda level, x: self._quantiser(level)(x, codebook_generator))
            raw = self.decoder(torch.cat([level.codes.flatten(1) for level in levels], 1))
            nll, error = self.reconstruction_terms(raw, batch.targets)
            total = error / self.likelihood.baseline + torch.stack([level.loss for level in levels]).sum()
        rate = nll.new_tensor(self.code_bits * math.log(2))
        if prior_phase and self.prior is not None:
            total = rate = self.prior.nll([level.symbols for level in levels]).mean()
        terms = {"error": error, "nll": nll, "bits": rate / math.log(2)}
        terms["commitment"] = torch.stack([level.commitment for level in levels]).sum()
        for i, _ in enumerate(self.levels):
            terms[f"perplexity_{i}" if i else "perplexity"] = self._quantiser(i).perplexity
        return LossTerms(total, nll + rate, {name: term.detach() for name, term in terms.items()})

    def init_from_data(self, samples: Tensor) -> None:
        """Initialise the likelihood and the codebooks from samples [n *shape] of the training set."""
        super().init_from_data(samples)

        def init_level(level: int, features: Tensor) -> QuantisedFeatures:
            quantised: QuantisedFeatures
            self._quantiser(level).init_from_data(features)
            quantised = self._quantiser(level)(features)
            return quantised

        with torch.no_grad():
            self.quantise(samples[:: math.ceil(len(samples) / CODEBOOK_INIT_SAMPLES)], init_level)

    @property
    def in_final_phase(self) -> bool:
        """Whether the prior is being trained, or there is none."""
        return self.prior is None or bool(self.prior.ready)

    def after_step(self, step: int, mean: Callable[[Tensor], Tensor]) -> None:
        """Update codebooks and the usage of codes, and start the second phase when it is due."""
        for i, _ in enumerate(self.levels):
            self._quantiser(i).after_step(mean)
        if self.training and self.prior is not None:
            self.prior.ready.fill_(step + 1 >= self.quantised_config.prior_after)

    @torch.no_grad()
    def sample(self, n: int, generator: RandomGenerator) -> Tensor | None:
        """Latents [n dim] of the prior; None before its training has begun."""
        if self.prior is None or not self.prior.ready:
            return None
        return self.latents(self.prior.sample(n, generator))

    @property
    def code_bits(self) -> float:
        """Bits of a sample's symbols in a uniform code."""
        return sum(level.bits for level in self.levels)

    def embed(self, images: Tensor) -> Tensor:
        """Codes averaged over a grid of positions [n embed_dim]; see ``QuantisedModelConfig.pool`` and ``mirror``."""
        pooled = self._pooled(images)
        if self.config.mirror and images.ndim == 4:
            pooled = (pooled + self._pooled(images.flip(3))) / 2
        return pooled

    @property
    def embed_dim(self) -> int:
        """Dimensions of the output of `embed`."""
        if len(self.config.shape) == 1:
            return self.dim
        return self.quantised_config.dim * sum(math.prod(self._grid(level)) for level in self.levels)

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
        rows, columns = self.quantised_config.pool
        return min(rows, level.height), min(columns, level.width)

    def _quantiser(self, level: int) -> Quantiser:
        quantiser = self.quantisers[level]
        assert isinstance(quantiser, Quantiser)
        return quantiser
