"""Variational autoencoder with a hierarchical prior (VHP-VAE)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor

from flatsort.embedding.model import Batch, LossTerms, register
from flatsort.embedding.models.vae import VAE, VAEConfig
from flatsort.embedding.objectives.hierarchical_prior import HierarchicalPrior, PriorConfig
from flatsort.embedding.objectives.rewo import Rewo, RewoConfig
from flatsort.embedding.random_generator import RandomGenerator


@dataclass(frozen=True)
class VHPVAEConfig(VAEConfig):
    """Prior and error constraint beside the settings of all models."""

    name: str = "vhp_vae"
    prior: PriorConfig = field(default_factory=PriorConfig)
    """The hierarchical prior."""
    rewo: RewoConfig = field(default_factory=RewoConfig)
    """Threshold of the reconstruction error, and how the weight of the divergence follows it."""


@register("vhp_vae", VHPVAEConfig)
class VHPVAE(VAE):
    """VAE with a learned prior, trained under a constraint on the reconstruction error: Klushyn et al., NeurIPS 2019.

    The weight of the divergence is that of `Rewo`, which changes while training; ``VAE.beta`` is not used.
    """

    def __init__(self, config: VHPVAEConfig) -> None:
        super().__init__(config)
        self.prior = HierarchicalPrior(config.dim, config.prior)
        self.rewo = Rewo(config.rewo, self.likelihood)

    def loss(self, batch: Batch, generator: RandomGenerator, step: int) -> LossTerms:  # noqa: ARG002
        """Distortion + β · bound of the divergence, mean over the batch, nats; see `Rewo`."""
        return self._constrained_loss(batch, generator)[0]

    def _constrained_loss(self, batch: Batch, generator: RandomGenerator) -> tuple[LossTerms, Tensor]:
        """The loss, and the draws of the posterior [n dim] that it was computed with."""
        posterior = self.posterior(batch.inputs)
        z = posterior.sample(generator.normal(len(batch), self.dim))
        error = self.likelihood.error(self.decoder(z), batch.targets)
        bound = self.prior.bound(z, posterior.log_density(z), generator, self.rewo.gate)
        return LossTerms(*self.rewo(error.mean(), bound.mean())), z

    def init_from_data(self, samples: Tensor) -> None:
        """Initialise the likelihood, and the error's threshold, from samples [n *shape] of the training set."""
        super().init_from_data(samples)
        self.rewo.init_from_data(self.likelihood.baseline)

    @property
    def in_final_phase(self) -> bool:
        """Whether the initial phase of the constrained optimisation is over."""
        return not self.rewo.initial

    def after_step(self, step: int, mean: Callable[[Tensor], Tensor]) -> None:  # noqa: ARG002
        """Update the multiplier with the error of the last batch."""
        self.rewo.after_step(mean)

    def sample(self, n: int, generator: RandomGenerator) -> Tensor:
        """Latents [n dim] of the hierarchical prior."""
        return self.prior.sample(n, generator)
