"""Variational autoencoder with a hierarchical prior (VHP-VAE): the prior, its importance-weighted bound, the model.

References
----------
Klushyn, Chen, Kurle, Cseke, van der Smagt: Learning hierarchical priors in VAEs, NeurIPS 2019, section 2.2.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.func import functional_call

from flatsort.embedding.model import Batch, LossTerms, register
from flatsort.embedding.models.vae import VAE, VAEConfig
from flatsort.embedding.nets import mlp
from flatsort.embedding.objectives.kl import Gaussian, log_normal
from flatsort.embedding.objectives.rewo import Rewo, RewoConfig
from flatsort.embedding.random_generator import RandomGenerator


@dataclass(frozen=True)
class PriorConfig:
    """Size of the hierarchical prior."""

    dim: int = 16
    """Dimensions of ζ, the latent that z is conditioned on."""
    hidden: list[int] = field(default_factory=lambda: [256, 256])
    """Hidden layers of p(z|ζ); q(ζ|z) has them in reverse."""
    samples: int = 16
    """Importance samples of ζ for each latent: more samples tighten the bound and cost time in these networks only."""

    def __post_init__(self) -> None:
        if min(self.dim, self.samples, *self.hidden) < 1:
            raise ValueError(
                "model.prior: expected dim, samples and hidden of 1 or more, "
                f"got {self.dim}, {self.samples} and {self.hidden}"
            )


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


class HierarchicalPrior(nn.Module):
    """p(z) = ∫ p_Θ(z|ζ) N(ζ; 0, 1) dζ, estimated with q_Φ(ζ|z).

    Parameters
    ----------
    dim : int
        Dimensions of z.
    config : PriorConfig
    """

    def __init__(self, dim: int, config: PriorConfig) -> None:
        super().__init__()
        self.config = config
        self.generator = mlp([config.dim, *config.hidden, 2 * dim])
        self.inference = mlp([dim, *reversed(config.hidden), 2 * config.dim])

    def bound(self, z: Tensor, log_q: Tensor, generator: RandomGenerator, gate: Tensor | None = None) -> Tensor:
        """Upper bound of the divergence of a posterior to this prior, one draw of the posterior for each sample.

        F = log q_φ(z|x) − log (1/K) Σ_k p_Θ(z|ζ_k) p(ζ_k) / q_Φ(ζ_k|z), ζ_k ~ q_Φ(ζ|z); K = 1 is the nested ELBO.

        Parameters
        ----------
        z : [n dim]
            Draws of the posteriors.
        log_q : [n]
            Their log-densities under the posteriors.
        generator : RandomGenerator
        gate : scalar, optional
            Factor of the gradient of Θ and Φ: 0 freezes them, while z still has its gradient. They stay in the graph,
            as training in several processes requires.

        Returns
        -------
        Tensor [n]
            Nats.
        """
        normal = generator.normal(len(z), self.config.samples, self.config.dim)
        weights: dict[str, Tensor] = dict(self.named_parameters())
        if gate is not None:
            weights = {name: p.detach() + gate * (p - p.detach()) for name, p in weights.items()}
        evidence: Tensor = functional_call(self, weights, (z, normal))
        return log_q - evidence

    def forward(self, z: Tensor, normal: Tensor) -> Tensor:
        """Importance-weighted estimate of log p(z) [n] with standard normal numbers [n k prior-dim]."""
        inferred = Gaussian.from_output(self.inference(z).unsqueeze(1))
        zeta = inferred.sample(normal)
        generated = Gaussian.from_output(self.generator(zeta))
        log_weights = generated.log_density(z.unsqueeze(1)) + log_normal(zeta) - inferred.log_density(zeta)
        return torch.logsumexp(log_weights, 1) - math.log(normal.shape[1])

    def sample(self, n: int, generator: RandomGenerator) -> Tensor:
        """Latents [n dim], ancestral: ζ, then z given ζ."""
        generated = Gaussian.from_output(self.generator(generator.normal(n, self.config.dim)))
        return generated.sample(generator.normal(*generated.mean.shape))
