"""Variational autoencoder with a hierarchical prior (VHP-VAE)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor

from flatsort.embedding.model import Batch, LatentModel, LossTerms, ModelConfig, register
from flatsort.embedding.objectives.hierarchical_prior import HierarchicalPrior, PriorConfig
from flatsort.embedding.objectives.kl import Gaussian
from flatsort.embedding.objectives.rewo import Rewo, RewoConfig
from flatsort.embedding.random_generator import RandomGenerator


@dataclass(frozen=True)
class VHPVAEConfig(ModelConfig):
    """Prior and constraint beside what all models share."""

    name: str = "vhp_vae"
    prior: PriorConfig = field(default_factory=PriorConfig)
    """The hierarchical prior."""
    rewo: RewoConfig = field(default_factory=RewoConfig)
    """How well samples must be reconstructed, and how the weight of the divergence follows."""


@register("vhp_vae", VHPVAEConfig)
class VHPVAE(LatentModel):
    """A learned prior, fitted under a limit of the reconstruction error: Klushyn et al., NeurIPS 2019."""

    def __init__(self, config: VHPVAEConfig) -> None:
        super().__init__(config, heads=2)
        self.prior = HierarchicalPrior(config.dim, config.prior)
        self.rewo = Rewo(config.rewo, self.likelihood)

    def encode(self, images: Tensor) -> Tensor:
        """Posterior means [n dim] of samples [n *shape]."""
        return Gaussian.of(self.infer(images)).mean

    def loss(self, batch: Batch, generator: RandomGenerator, step: int) -> LossTerms:  # noqa: ARG002
        """Distortion + β · bound of the divergence, mean over the batch, nats; see `Rewo`."""
        posterior = Gaussian.of(self.infer(batch.inputs))
        z = posterior.sample(generator.normal(len(batch), self.dim))
        error = self.likelihood.error(self.decoder(z), batch.targets)
        bound = self.prior.bound(z, posterior.log_density(z), generator, self.rewo.gate)
        return LossTerms(*self.rewo(error.mean(), bound.mean()))

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
