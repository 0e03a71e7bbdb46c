"""Variational autoencoder."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from flatsort.embedding.model import Batch, LatentModel, LossTerms, ModelConfig, register
from flatsort.embedding.objectives.kl import Gaussian
from flatsort.embedding.random_generator import RandomGenerator


@dataclass(frozen=True)
class VAEConfig(ModelConfig):
    """No setting beyond those of all models."""

    name: str = "vae"


@register("vae", VAEConfig)
class VAE(LatentModel):
    """Gaussian posterior, standard normal prior: Kingma, Welling, ICLR 2014.

    Attributes
    ----------
    beta : float
        Weight of the divergence; 1 is the evidence lower bound.
    """

    beta = 1.0

    def __init__(self, config: VAEConfig) -> None:
        super().__init__(config, outputs_per_dim=2)

    def posterior(self, samples: Tensor) -> Gaussian:
        """The posterior q(z|x) [n dim] of samples [n *shape]."""
        return Gaussian.from_output(self.encoder_output(samples))

    def encode(self, images: Tensor) -> Tensor:
        """Posterior means [n dim] of samples [n *shape]."""
        return self.posterior(images).mean

    def loss(self, batch: Batch, generator: RandomGenerator, step: int) -> LossTerms:  # noqa: ARG002
        """Negative log-likelihood + β · divergence, mean over the batch, nats."""
        posterior = self.posterior(batch.inputs)
        raw = self.decoder(posterior.sample(generator.normal(len(batch), self.dim)))
        nll, error = self.reconstruction_terms(raw, batch.targets)
        kl = posterior.kl().mean()
        total = nll + self.beta * kl
        return LossTerms(total, total, {"nll": nll.detach(), "error": error.detach(), "kl": kl.detach()})

    def sample(self, n: int, generator: RandomGenerator) -> Tensor:
        """Latents [n dim] of the standard normal distribution."""
        return generator.normal(n, self.dim)
