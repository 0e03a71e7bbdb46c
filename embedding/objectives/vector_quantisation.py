"""Vector quantisation: nearest codes, straight-through gradients, codebooks that follow their assigned vectors."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flatsort.embedding.random_generator import RandomGenerator

KINDS = ("ema", "gradient")


@dataclass(frozen=True)
class CodebookConfig:
    """Size of a codebook and how it is trained."""

    codes: int = 512
    """K: number of codes."""
    kind: str = "ema"
    """``ema``: a code is the moving average of its assigned vectors; ``gradient``: it is trained by the optimiser."""
    commitment: float = 0.25
    """β: weight of the encoder's distance from its codes, relative to the reconstruction error."""
    codebook_rate: float = 1.0
    """``gradient``: learning rate of the codes as a multiple of the other weights'."""
    decay: float = 0.99
    """γ: decay of the moving averages of a code's usage and (``ema``) of the vectors assigned to it."""
    smoothing: float = 1e-5
    """ε of the Laplace smoothing of a code's usage, in vectors of a step (``ema``)."""
    dead_below: float = 0.1
    """A code whose usage is below this share of 1/K is replaced by an encoder's output; a code that is never used is
    replaced after log(dead_below)/log(decay) steps. 0: no code is replaced."""

    def __post_init__(self) -> None:
        for name, ok, expected in (
            ("codes", self.codes > 1, "2 or more"),
            ("kind", self.kind in KINDS, " or ".join(KINDS)),
            ("commitment", self.commitment >= 0, "0 or more"),
            ("codebook_rate", self.codebook_rate > 0, "more than 0"),
            ("decay", 0 <= self.decay < 1, "0 or more and less than 1"),
            ("smoothing", self.smoothing > 0, "more than 0"),
            ("dead_below", 0 <= self.dead_below < 1, "0 or more and less than 1"),
        ):
            if not ok:
                raise ValueError(f"model.codebook.{name}: expected {expected}, got {getattr(self, name)!r}")

    @property
    def bits(self) -> float:
        """Bits of a symbol of a uniform code."""
        return math.log2(self.codes)


class QuantisedFeatures(NamedTuple):
    """A quantised feature map.

    Attributes
    ----------
    codes : float32 [n d h w]
        The nearest codes, with the gradient of the feature map.
    symbols : int64 [n h w]
        Indices of these codes.
    loss : scalar
        Commitment, and the codebook's own loss where it is trained by gradient.
    commitment : scalar
        Mean squared difference between features and codes.
    """

    codes: Tensor
    symbols: Tensor
    loss: Tensor
    commitment: Tensor


class Quantiser(nn.Module):
    """A codebook [codes dim]; all that changes without a gradient is in buffers.

    Losses are means over positions and dimensions. The codebook has its own learning rate by reparametrisation, code =
    rate·weight: a factor of the loss would have no effect, since the step of Adam does not depend on the gradient's
    size. Codes are initialised from the encoder's outputs (`init_from_data`).

    Parameters
    ----------
    config : CodebookConfig
    dim : int
        Dimensions of a code.

    References
    ----------
    van den Oord et al., Neural discrete representation learning, NeurIPS 2017, equation 3 and appendix A.1 (moving
    averages); Razavi et al., Generating diverse high-fidelity images with VQ-VAE-2, NeurIPS 2019, section 3.
    Dhariwal et al., Jukebox, 2020, section 3 (replacing codes that are not used).
    """

    def __init__(self, config: CodebookConfig, dim: int) -> None:
        super().__init__()
        self.config = config
        codes = torch.randn(config.codes, dim) / math.sqrt(dim)
        self.register_buffer("usage", torch.full((config.codes,), 1 / config.codes))
        if config.kind == "ema":
            self.register_buffer("weight", codes)
            self.register_buffer("sums", codes / config.codes)
        else:
            self.weight = nn.Parameter(codes / config.codebook_rate)
        self._rate = config.codebook_rate if config.kind == "gradient" else 1.0
        self._batch_statistics: tuple[Tensor, int] | None = None

    @property
    def codebook(self) -> Tensor:
        """The codes, float32 [codes dim]."""
        return self.weight * self._rate

    def forward(self, features: Tensor, generator: RandomGenerator | None = None) -> QuantisedFeatures:
        """Quantise feature maps [n d h w].

        Parameters
        ----------
        features : Tensor
        generator : RandomGenerator, optional
            Given in training: the statistics that `after_step` needs are kept, with random replacements for codes.
        """
        with torch.autocast(features.device.type, enabled=False):
            features = features.float()
            symbols = self.symbols(features)
            codes = self.look_up(symbols)
            commitment = F.mse_loss(features, codes.detach())
            loss = self.config.commitment * commitment
            if self.config.kind == "gradient":
                loss = loss + F.mse_loss(codes, features.detach())
            if generator is not None:
                self._batch_statistics = self._statistics(features.detach(), symbols, generator)
            straight_through = features + (codes - features).detach()
        return QuantisedFeatures(straight_through, symbols, loss, commitment.detach())

    @torch.no_grad()
    def symbols(self, features: Tensor) -> Tensor:
        """Indices of the nearest codes, int64 [n h w], of feature maps [n d h w]; of equally near ones the first."""
        vectors, codebook = _vectors(features), self.codebook
        distances = codebook.square().sum(1) - 2 * vectors @ codebook.T
        n, _, height, width = features.shape
        return distances.argmin(1).reshape(n, height, width)

    def look_up(self, symbols: Tensor) -> Tensor:
        """Codes [n d h w] of symbols [n h w]."""
        return F.embedding(symbols, self.codebook).permute(0, 3, 1, 2)

    @torch.no_grad()
    def init_from_data(self, features: Tensor) -> None:
        """Initialise the codes with vectors of feature maps [n d h w]; the choice of vectors is deterministic."""
        vectors = _vectors(features)
        order = RandomGenerator(0, "codebook", features.device).permutation(len(vectors))
        chosen = vectors[order[torch.arange(self.config.codes, device=order.device) % len(order)]]
        self._set(torch.ones_like(self.usage, dtype=torch.bool), chosen)

    @property
    def perplexity(self) -> Tensor:
        """Exponential of the entropy of the codes' usage, by its moving average: the effective number of codes."""
        return perplexity(self.usage)

    @torch.no_grad()
    def after_step(self, mean: Callable[[Tensor], Tensor]) -> None:
        """Update usage and codes with the batch's statistics, averaged over processes; replace dead codes."""
        if self._batch_statistics is None:
            return
        c, (statistics, vectors) = self.config, self._batch_statistics
        self._batch_statistics = None
        counts, hits, sums, picked = torch.split(mean(statistics), [1, 1, *[(statistics.shape[1] - 2) // 2] * 2], 1)
        self.usage.lerp_(counts[:, 0], 1 - c.decay)
        if c.kind == "ema":
            self.sums.lerp_(sums, 1 - c.decay)
            epsilon, total = c.smoothing / vectors, self.usage.sum()
            smoothed = (self.usage + epsilon) / (total + c.codes * epsilon) * total
            self.weight.copy_(self.sums / smoothed[:, None])
        self._set(self.usage < c.dead_below / c.codes, picked / hits)

    def _statistics(self, features: Tensor, symbols: Tensor, generator: RandomGenerator) -> tuple[Tensor, int]:
        """Of each code its share of the vectors, their sum, and a vector of the batch to replace it; number of vectors.

        The row of the batch that replaces a code is drawn over all processes and belongs to one of them only, so that
        averages over processes contain it once.
        """
        n, d, height, width = features.shape
        codes, places = self.config.codes, height * width
        vectors = _vectors(features)
        total = len(vectors)
        flat = symbols.flatten()
        counts = vectors.new_zeros(codes).index_add_(0, flat, vectors.new_ones(total)) / total
        sums = vectors.new_zeros(codes, d).index_add_(0, flat, vectors) / total
        is_drawn = generator.draw_rows(n, codes)
        place = generator.permutation(codes) % places
        row = is_drawn.long().argmax(1) * places + place
        hits = is_drawn.any(1).float()
        return torch.cat([counts[:, None], hits[:, None], sums, vectors[row] * hits[:, None]], 1), total

    def _set(self, which: Tensor, vectors: Tensor) -> None:
        """Replace the codes of a mask [codes] by vectors [codes dim], and reset their statistics."""
        mean_usage = 1 / self.config.codes
        self.weight.data.copy_(torch.where(which[:, None], vectors / self._rate, self.weight))
        self.usage.copy_(torch.where(which, mean_usage, self.usage))
        if self.config.kind == "ema":
            self.sums.copy_(torch.where(which[:, None], vectors * mean_usage, self.sums))

    usage: Tensor
    weight: Tensor
    sums: Tensor


def perplexity(shares: Tensor) -> Tensor:
    """Exponential of the entropy of shares [codes], which need not sum to 1: between 1 and the number of codes."""
    p = shares / shares.sum()
    return torch.exp(-torch.xlogy(p, p).sum())


def _vectors(features: Tensor) -> Tensor:
    """Vectors [n·h·w d] of feature maps [n d h w]."""
    return features.permute(0, 2, 3, 1).flatten(0, 2)
