"""PCA-like autoencoder: codes that are learned one after the other, each uncorrelated with those before."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from flatsort.embedding.model import Batch, LatentModel, LossTerms, ModelConfig, register
from flatsort.embedding.nets import make_decoder, make_encoder
from flatsort.embedding.objectives.decorrelation import covariance_loss, importances
from flatsort.embedding.random_generator import RandomGenerator
from flatsort.tracker.registry import require

MEMORY = 0.05
"""Share of a batch in the running mean and variance of the codes, once a stage has taken 20 steps."""
LEAST_DEVIATION = 1e-6
"""Of a code, so that one that never changes stays finite."""
WEIGHED = 512
"""Samples that the importance of the codes is measured on."""


@dataclass(frozen=True)
class PCAAEConfig(ModelConfig):
    """Stages beside what all models share."""

    name: str = "pca_ae"
    per_stage: int = 1
    """Numbers that a stage adds to the latent; 1 in the paper. ``dim`` is a multiple of it."""
    stage_steps: int = 1000
    """Steps of a stage. The last one takes all that are left, so that the decoder that stays learns longest."""
    decorrelation: float = 1.0
    """Weight λ of the mean squared covariance, beside the share of the data's variance that is not reconstructed."""
    weighed: bool = True
    """Whether images are compared by codes times their importance (the deviation that they cause in the picture), as
    principal components are; else by codes of unit variance, the last as much as the first."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self,
            "model",
            ("per_stage", 0 < self.per_stage and self.dim % self.per_stage == 0, f"a divisor of dim {self.dim}"),
            ("stage_steps", self.stage_steps > 0, "1 or more"),
            ("decorrelation", self.decorrelation >= 0, "0 or more"),
        )

    @property
    def stages(self) -> int:
        """Number of stages."""
        return self.dim // self.per_stage


@register("pca_ae", PCAAEConfig)
class PCAAE(LatentModel):
    """Ordered and uncorrelated codes by stages: Pham, Ladjal, Newson, JMIV 2022.

    A stage has an encoder of its own, which is frozen when the stage is over, and a decoder of its own for all codes up
    to it: the paper's decoder that is initialised anew. So every part starts with an optimiser that knows nothing of
    it, and the moving average of its weights with its own first weights, which it forgets at the loop's pace.

    Codes that are being learned have mean 0 and variance 1 over the batch (of each process), frozen ones by the running
    moments of their stage; `conclude` makes both exact over the training set. Codes of stages to come are 0.
    """

    encoder: Encoders
    decoder: Decoders

    def __init__(self, config: PCAAEConfig) -> None:
        super().__init__(config, encoder=Encoders(config), decoder=Decoders(config))
        self.pca = config
        self.register_buffer("importance", torch.ones(config.dim))
        self._noted: Tensor | None = None

    def encode(self, images: Tensor) -> Tensor:
        """Codes [n dim] of samples [n *shape], in the order of their stages, of one stage the most important first."""
        return self.decoder.finish(self.infer(images))

    def embed(self, images: Tensor) -> Tensor:
        """Codes [n dim] to compare images by; see ``PCAAEConfig.weighed`` and ``ModelConfig.mirror``."""
        codes = super().embed(images)
        return codes * self.importance if self.pca.weighed else codes

    def loss(self, batch: Batch, generator: RandomGenerator, step: int) -> LossTerms:  # noqa: ARG002
        """Share of the data's variance that is not reconstructed + λ · mean squared covariance of the new codes."""
        stage = self._stage_at(step)
        raw = self.encoder.raw(self.likelihood.present(batch.inputs), stage)
        codes = self.encoder.standardise(raw, stage if self.training else None)
        decoded = self.decoder.stages[stage](codes)
        error = self.likelihood.error(decoded, batch.targets).mean()
        kept = stage * self.pca.per_stage
        covariance = covariance_loss(codes[:, kept:], codes[:, :kept])
        if self.training:
            own = raw[:, kept:].detach().double()
            self._noted = torch.stack([own.mean(0), own.square().mean(0)])
        total = error / self.likelihood.baseline + self.pca.decorrelation * covariance
        nll = self.likelihood.nll(decoded, batch.targets).mean()
        terms = {"nll": nll, "error": error, "covariance": covariance, "stage": error.new_tensor(stage + 1.0)}
        return LossTerms(total, total, {name: term.detach() for name, term in terms.items()})

    @property
    def settled(self) -> bool:
        """Whether the last stage is reached: scores of fewer codes cannot be compared with those of all."""
        return int(self.decoder.stage) == self.pca.stages - 1

    @torch.no_grad()
    def after_step(self, step: int, mean: Callable[[Tensor], Tensor]) -> None:
        """Update the running moments of the new codes, and go to the next stage when this one is over."""
        if self._noted is None:
            return
        stage = self._stage_at(step)
        first, second = mean(self._noted)
        share = max(MEMORY, 1 / (step - stage * self.pca.stage_steps + 1))
        self.encoder.move(stage, first, second - first.square(), share)
        self.decoder.stage.fill_(self._stage_at(step + 1))
        self._noted = None

    def conclude(self, batches: Iterable[Tensor]) -> None:
        """Make mean 0 and variance 1 of the codes exact over the training set; measure and order by importance."""
        raw = torch.cat([self.encoder.raw(self.likelihood.present(batch)).cpu() for batch in batches]).double()
        stage, per_stage = int(self.decoder.stage), self.pca.per_stage
        centre, deviation = raw.mean(0), raw.std(0, unbiased=False).clamp_min(LEAST_DEVIATION)
        own = slice(stage * per_stage, (stage + 1) * per_stage)
        # the last decoder has seen its own stage's codes standardised by batches, the frozen ones by running moments
        self.encoder.centre[own] = centre[own].to(self.encoder.centre)
        self.encoder.deviation[own] = deviation[own].to(self.encoder.deviation)
        running, scale = self.encoder.centre.cpu().double(), self.encoder.deviation.cpu().double()
        self.decoder.centre.copy_((centre - running) / scale)
        self.decoder.scale.copy_(deviation / scale)
        some = raw[:: math.ceil(len(raw) / WEIGHED)].to(self.encoder.centre)
        self.decoder.order.copy_(torch.arange(self.dim))
        found = importances(self.observe, self.decoder.finish(self.encoder.standardise(some)))
        ranks = found.view(-1, per_stage).argsort(dim=1, descending=True, stable=True)
        self.decoder.order.copy_((ranks + per_stage * torch.arange(self.pca.stages).to(ranks)[:, None]).flatten())
        self.importance.copy_(found[self.decoder.order])

    def _stage_at(self, step: int) -> int:
        return min(step // self.pca.stage_steps, self.pca.stages - 1)

    importance: Tensor


class Encoders(nn.Module):
    """The encoders of all stages, and the moments of what they give.

    Attributes
    ----------
    centre, deviation : float32 [dim]
        Running moments at the end of each stage.
    """

    def __init__(self, config: PCAAEConfig) -> None:
        super().__init__()
        made = (make_encoder(config.shape, config.per_stage, config.net) for _ in range(config.stages))
        self.stages = nn.ModuleList(made)
        self._per_stage = config.per_stage
        self.register_buffer("centre", torch.zeros(config.dim))
        self.register_buffer("deviation", torch.ones(config.dim))

    def forward(self, samples: Tensor) -> Tensor:
        """Codes [n dim] of samples [n *shape] as the decoders take them."""
        return self.standardise(self.raw(samples))

    def raw(self, samples: Tensor, stage: int | None = None) -> Tensor:
        """What the encoders give for samples, before it is standardised; up to a stage, all before it frozen."""
        if stage is None:
            return torch.cat([encoder(samples) for encoder in self.stages], dim=1).float()
        with torch.no_grad():
            frozen = [encoder(samples) for encoder in self.stages[:stage]]
        return torch.cat([*frozen, self.stages[stage](samples)], dim=1).float()

    def standardise(self, raw: Tensor, learning: int | None = None) -> Tensor:
        """Codes by their running moments; those of the stage that is learning by the moments of the batch."""
        known = raw.shape[1]
        codes = (raw - self.centre[:known]) / self.deviation[:known]
        if learning is None:
            return codes
        own = raw[:, learning * self._per_stage :]
        variance = own.var(0, unbiased=False)
        return torch.cat([codes[:, : -own.shape[1]], (own - own.mean(0)) * (variance + 1e-5).rsqrt()], dim=1)

    def move(self, stage: int, mean: Tensor, variance: Tensor, share: float) -> None:
        """Let the running moments of a stage follow those of a batch."""
        own = slice(stage * self._per_stage, (stage + 1) * self._per_stage)
        self.centre[own] = torch.lerp(self.centre[own], mean.to(self.centre), share)
        spread = torch.lerp(self.deviation[own].square(), variance.to(self.deviation), share)
        self.deviation[own] = spread.clamp_min(LEAST_DEVIATION**2).sqrt()

    centre: Tensor
    deviation: Tensor


class Decoders(nn.Module):
    """The decoders of all stages; that of the stage which training has come to is the model's.

    Attributes
    ----------
    stage : int64 scalar
        The stage that training has come to, counted from 0.
    centre, scale : float32 [dim]
        Exact moments, over the training set, of the codes as the decoders take them.
    order : int64 [dim]
        Which of them is the first number of a latent, the second, …: they change places within their stage.
    """

    def __init__(self, config: PCAAEConfig) -> None:
        super().__init__()
        sizes = range(config.per_stage, config.dim + 1, config.per_stage)
        self.stages = nn.ModuleList(make_decoder(size, config.shape, config.net) for size in sizes)
        self._per_stage = config.per_stage
        self.register_buffer("stage", torch.tensor(0))
        self.register_buffer("centre", torch.zeros(config.dim))
        self.register_buffer("scale", torch.ones(config.dim))
        self.register_buffer("order", torch.arange(config.dim))
        self.register_buffer("_owner", torch.arange(config.dim) // config.per_stage, persistent=False)

    def finish(self, codes: Tensor) -> Tensor:
        """Latents [n dim] from codes as the decoders take them: exactly standardised, 0 in stages to come."""
        exact = (codes - self.centre) / self.scale * (self._owner <= self.stage)
        return exact[:, self.order]

    def forward(self, latents: Tensor) -> Tensor:
        """Samples before the likelihood's last non-linearity, from latents [n dim]."""
        stage = int(self.stage)
        codes = latents[:, self.order.argsort()] * self.scale + self.centre
        decoded: Tensor = self.stages[stage](codes[:, : (stage + 1) * self._per_stage])
        return decoded

    stage: Tensor
    centre: Tensor
    scale: Tensor
    order: Tensor
    _owner: Tensor
