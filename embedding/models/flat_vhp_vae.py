"""Variational autoencoder with a hierarchical prior and a flat latent space (VHP-FMVAE)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from flatsort.embedding.model import Batch, LatentModel, LossTerms, ModelConfig, register
from flatsort.embedding.objectives import flatness
from flatsort.embedding.objectives.hierarchical_prior import HierarchicalPrior, PriorConfig
from flatsort.embedding.objectives.kl import Gaussian
from flatsort.embedding.objectives.rewo import Rewo, RewoConfig
from flatsort.embedding.random_generator import RandomGenerator
from flatsort.tracker.registry import require


@dataclass(frozen=True)
class FlatVHPVAEConfig(ModelConfig):
    """Prior, constraint and flatness beside what all models share."""

    name: str = "flat_vhp_vae"
    prior: PriorConfig = field(default_factory=PriorConfig)
    """The hierarchical prior."""
    rewo: RewoConfig = field(default_factory=RewoConfig)
    """How well samples must be reconstructed, and how the weight of the divergence follows."""
    eta: float = 300.0
    """Weight of the flatness penalty, nats for a unit of it."""
    mode: str = "normalised"
    """``normalised`` (free of scale) or ``paper``; see `embedding.objectives.flatness`."""
    alpha0: float = 0.2
    """How far beyond the line between two latents the penalty looks, as a share of it."""
    flat_rows: int = 32
    """Samples of a batch that are used for the penalty. Each costs about three times what it costs in the rest of the
    step, so that a quarter of a batch of 128 keeps the step below twice its time; the penalty of 32 samples spreads by
    7 %, of 128 by 4 %."""
    detach: bool = True
    """Whether the penalty takes latents as constants, so that only the decoder learns from it."""
    detach_scale: bool = False
    """Whether the penalty takes c² as a constant; see `embedding.objectives.flatness.estimate`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self,
            "model",
            ("eta", self.eta >= 0, "0 or more"),
            ("mode", self.mode in flatness.MODES, " or ".join(flatness.MODES)),
            ("alpha0", self.alpha0 >= 0, "0 or more"),
            ("flat_rows", self.flat_rows > 0, "1 or more"),
        )


@register("flat_vhp_vae", FlatVHPVAEConfig)
class FlatVHPVAE(LatentModel):
    """VHP-VAE whose decoder is made an isometry up to scale: Chen et al., ICML 2020."""

    def __init__(self, config: FlatVHPVAEConfig) -> None:
        super().__init__(config, heads=2)
        self.flat = config
        self.prior = HierarchicalPrior(config.dim, config.prior)
        self.rewo = Rewo(config.rewo, self.likelihood)

    def encode(self, images: Tensor) -> Tensor:
        """Posterior means [n dim] of samples [n *shape]."""
        return Gaussian.of(self.infer(images)).mean

    def loss(self, batch: Batch, generator: RandomGenerator, step: int) -> LossTerms:  # noqa: ARG002
        """Distortion + β · bound of the divergence + η · flatness penalty, mean over the batch, nats.

        η weighs the penalty beside the distortion: it does not change with β. The score has it, too.
        """
        posterior = Gaussian.of(self.infer(batch.inputs))
        z = posterior.sample(generator.normal(len(batch), self.dim))
        error = self.likelihood.error(self.decoder(z), batch.targets)
        bound = self.prior.bound(z, posterior.log_density(z), generator, self.rewo.gate)
        total, score, terms = self.rewo(error.mean(), bound.mean())
        penalty, scale = self._flatness(z, generator)
        weighed = self.flat.eta * penalty
        terms |= {"flatness": penalty.detach(), "scale": scale.detach()}
        return LossTerms(total + weighed, score + weighed, terms)

    def _flatness(self, z: Tensor, generator: RandomGenerator) -> flatness.Flatness:
        c = self.flat
        z = z.detach() if c.detach else z
        points = flatness.mixup(z, generator, c.alpha0)[: c.flat_rows]
        with torch.autocast(z.device.type, enabled=False):  # differences of products need more than half precision
            return flatness.estimate(
                self.observe, points, generator.signs(*points.shape), c.mode, detach_scale=c.detach_scale
            )

    def fit(self, samples: Tensor) -> None:
        """Take means from samples [n *shape] of the training set, and the limit of the error from them."""
        super().fit(samples)
        self.rewo.fit(self.likelihood.baseline)

    @property
    def settled(self) -> bool:
        """Whether the initial phase of the constraint is over."""
        return not self.rewo.initial

    def after_step(self, step: int, mean: Callable[[Tensor], Tensor]) -> None:  # noqa: ARG002
        """Update the multiplier with the error of the last batch."""
        self.rewo.after_step(mean)

    def sample(self, n: int, generator: RandomGenerator) -> Tensor:
        """Latents [n dim] of the hierarchical prior."""
        return self.prior.sample(n, generator)
