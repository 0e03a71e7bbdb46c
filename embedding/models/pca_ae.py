"""PCA-like autoencoder: codes that are learned one after the other, each uncorrelated with earlier ones."""

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

MOMENTUM = 0.05
"""Weight of a batch in the running mean and variance of the codes, from the 20th step of a stage on."""
MIN_STD = 1e-6
"""Lower bound of a code's standard deviation, so that a constant code stays finite."""
IMPORTANCE_SAMPLES = 512
"""Samples that the importance of the codes is measured on."""


@dataclass(frozen=True)
class PCAAEConfig(ModelConfig):
    """Stages beside the settings of all models."""

    name: str = "pca_ae"
    per_stage: int = 1
    """Dimensions that a stage adds to the latent; 1 in the paper. ``dim`` is a multiple of it."""
    stage_steps: int = 1000
    """Steps of a stage. The last one takes all remaining steps, so that the final decoder is trained longest."""
    decorrelation: float = 1.0
    """Weight λ of the mean squared covariance relative to the unexplained share of the data's variance."""
    weighed: bool = True
    """Whether images are compared by codes times their importance (the standard deviation that they cause in the
    image), as principal components are; else by codes of unit variance, all with the same weight."""

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

    Each stage has an encoder, which is frozen when the stage is over, and a decoder for all codes up to this stage (the
    paper initialises its decoder anew). So each part starts with fresh optimiser states, and the moving average of its
    weights starts with its initial weights.

    Codes of the current stage are standardised over the batch (of each process), frozen ones by the running moments of
    their stage; `finish_training` makes both exact over the training set. Codes of later stages are 0.
    """

    encoder: StageEncoders
    decoder: StageDecoders

    trains_in_stages = True

    def __init__(self, config: PCAAEConfig) -> None:
        super().__init__(config, encoder=StageEncoders(config), decoder=StageDecoders(config))
        self._stage_config = config
        self.register_buffer("importance", torch.ones(config.dim))
        self._batch_moments: Tensor | None = None

    def encode(self, images: Tensor) -> Tensor:
        """Codes [n dim] of samples [n *shape], in the order of their stages, of one stage the most important first."""
        return self.decoder.to_latents(self.encoder_output(images))

    def embed(self, images: Tensor) -> Tensor:
        """Codes [n dim] to compare images by; see ``PCAAEConfig.weighed`` and ``ModelConfig.mirror``."""
        codes = super().embed(images)
        return codes * self.importance if self._stage_config.weighed else codes

    def loss(self, batch: Batch, generator: RandomGenerator, step: int) -> LossTerms:  # noqa: ARG002
        """Unexplained share of the data's variance + λ · mean squared covariance of the new codes."""
        stage = self._stage_at(step)
        raw = self.encoder.raw(self.likelihood.normalise(batch.inputs), stage)
        codes = self.encoder.standardise(raw, stage if self.training else None)
        decoded = self.decoder.stages[stage](codes)
        error = self.likelihood.error(decoded, batch.targets).mean()
        frozen = stage * self._stage_config.per_stage
        covariance = covariance_loss(codes[:, frozen:], codes[:, :frozen])
        if self.training:
            new = raw[:, frozen:].detach().double()
            self._batch_moments = torch.stack([new.mean(0), new.square().mean(0)])
        total = error / self.likelihood.baseline + self._stage_config.decorrelation * covariance
        nll = self.likelihood.nll(decoded, batch.targets).mean()
        terms = {"nll": nll, "error": error, "covariance": covariance, "stage": error.new_tensor(stage + 1.0)}
        return LossTerms(total, total, {name: term.detach() for name, term in terms.items()})

    @property
    def in_final_phase(self) -> bool:
        """Whether the last stage is reached: scores with fewer codes cannot be compared with those of all codes."""
        return int(self.decoder.stage) == self._stage_config.stages - 1

    @torch.no_grad()
    def after_step(self, step: int, mean: Callable[[Tensor], Tensor]) -> None:
        """Update the running moments of the new codes, and start the next stage when this one is over."""
        if self._batch_moments is None:
            return
        stage = self._stage_at(step)
        first, second = mean(self._batch_moments)
        momentum = max(MOMENTUM, 1 / (step - stage * self._stage_config.stage_steps + 1))
        self.encoder.update_moments(stage, first, second - first.square(), momentum)
        self.decoder.stage.fill_(self._stage_at(step + 1))
        self._batch_moments = None

    def finish_training(self, batches: Iterable[Tensor]) -> None:
        """Standardise the codes exactly over the training set, and order them by importance within their stage."""
        raw = torch.cat([self.encoder.raw(self.likelihood.normalise(batch)).cpu() for batch in batches]).double()
        stage, per_stage = int(self.decoder.stage), self._stage_config.per_stage
        centre, deviation = raw.mean(0), raw.std(0, unbiased=False).clamp_min(MIN_STD)
        own = slice(stage * per_stage, (stage + 1) * per_stage)
        # the last decoder was trained on its stage's codes standardised by batches, on frozen ones by running moments
        self.encoder.centre[own] = centre[own].to(self.encoder.centre)
        self.encoder.deviation[own] = deviation[own].to(self.encoder.deviation)
        running, scale = self.encoder.centre.cpu().double(), self.encoder.deviation.cpu().double()
        self.decoder.centre.copy_((centre - running) / scale)
        self.decoder.scale.copy_(deviation / scale)
        subset = raw[:: math.ceil(len(raw) / IMPORTANCE_SAMPLES)].to(self.encoder.centre)
        self.decoder.order.copy_(torch.arange(self.dim))
        importance = importances(self.decode_weighted, self.decoder.to_latents(self.encoder.standardise(subset)))
        ranks = importance.view(-1, per_stage).argsort(dim=1, descending=True, stable=True)
        self.decoder.order.copy_(
            (ranks + per_stage * torch.arange(self._stage_config.stages).to(ranks)[:, None]).flatten()
        )
        self.importance.copy_(importance[self.decoder.order])

    def _stage_at(self, step: int) -> int:
        return min(step // self._stage_config.stage_steps, self._stage_config.stages - 1)

    importance: Tensor


class StageEncoders(nn.Module):
    """The encoders of all stages, and the moments of their outputs.

    Attributes
    ----------
    centre, deviation : float32 [dim]
        Running mean and standard deviation of the codes at the end of their stage.
    """

    def __init__(self, config: PCAAEConfig) -> None:
        super().__init__()
        encoders = (make_encoder(config.shape, config.per_stage, config.net) for _ in range(config.stages))
        self.stages = nn.ModuleList(encoders)
        self._per_stage = config.per_stage
        self.register_buffer("centre", torch.zeros(config.dim))
        self.register_buffer("deviation", torch.ones(config.dim))

    def forward(self, samples: Tensor) -> Tensor:
        """Codes [n dim] of samples [n *shape], standardised as the decoders expect them."""
        return self.standardise(self.raw(samples))

    def raw(self, samples: Tensor, stage: int | None = None) -> Tensor:
        """Outputs of the encoders before standardisation; of those up to ``stage`` where given, earlier ones frozen."""
        if stage is None:
            return torch.cat([encoder(samples) for encoder in self.stages], dim=1).float()
        with torch.no_grad():
            frozen = [encoder(samples) for encoder in self.stages[:stage]]
        return torch.cat([*frozen, self.stages[stage](samples)], dim=1).float()

    def standardise(self, raw: Tensor, learning: int | None = None) -> Tensor:
        """Codes standardised by their running moments; those of the stage ``learning`` by the moments of the batch."""
        known = raw.shape[1]
        codes = (raw - self.centre[:known]) / self.deviation[:known]
        if learning is None:
            return codes
        own = raw[:, learning * self._per_stage :]
        variance = own.var(0, unbiased=False)
        return torch.cat([codes[:, : -own.shape[1]], (own - own.mean(0)) * (variance + 1e-5).rsqrt()], dim=1)

    def update_moments(self, stage: int, mean: Tensor, variance: Tensor, momentum: float) -> None:
        """Move the running moments of a stage towards those of a batch."""
        own = slice(stage * self._per_stage, (stage + 1) * self._per_stage)
        self.centre[own] = torch.lerp(self.centre[own], mean.to(self.centre), momentum)
        running_variance = torch.lerp(self.deviation[own].square(), variance.to(self.deviation), momentum)
        self.deviation[own] = running_variance.clamp_min(MIN_STD**2).sqrt()

    centre: Tensor
    deviation: Tensor


class StageDecoders(nn.Module):
    """The decoders of all stages; the one of the current stage decodes.

    Attributes
    ----------
    stage : int64 scalar
        The current stage of training, counted from 0.
    centre, scale : float32 [dim]
        Exact mean and standard deviation, over the training set, of the codes that the decoders take.
    order : int64 [dim]
        Index of the code of each latent dimension: codes are reordered within their stage.
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
        self.register_buffer("_stage_of", torch.arange(config.dim) // config.per_stage, persistent=False)

    def to_latents(self, codes: Tensor) -> Tensor:
        """Latents [n dim] from codes that the decoders take: exactly standardised, 0 for later stages."""
        exact = (codes - self.centre) / self.scale * (self._stage_of <= self.stage)
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
    _stage_of: Tensor
