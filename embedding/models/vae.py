"""Variational autoencoder."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from flatsort.embedding.model import Batch, LatentModel, LossTerms, ModelConfig, register
from flatsort.embedding.objectives.kl import Gaussian
from flatsort.embedding.random_generator import RandomGenerator


@dataclass(frozen=True)
class VAEConfig(ModelConfig):
    """Nothing beyond what all models share."""

    name: str = "vae"


@register("vae", VAEConfig)
class VAE(LatentModel):
    """Gaussian posterior, standard normal prior: Kingma, Welling, ICLR 2014."""

    def __init__(self, config: VAEConfig) -> None:
        super().__init__(config, heads=2)

    def encode(self, images: Tensor) -> Tensor:
        """Posterior means [n dim] of samples [n *shape]."""
        return Gaussian.of(self.infer(images)).mean

    def loss(self, batch: Batch, generator: RandomGenerator, step: int) -> LossTerms:  # noqa: ARG002
        """Negative evidence lower bound, mean over the batch, nats."""
        posterior = Gaussian.of(self.infer(batch.inputs))
        raw = self.decoder(posterior.sample(generator.normal(len(batch), self.dim)))
        nll = self.likelihood.nll(raw, batch.targets).mean()
        kl = posterior.kl().mean()
        error = self.likelihood.error(raw, batch.targets).mean()
        total = nll + kl
        return LossTerms(total, total, {"nll": nll.detach(), "error": error.detach(), "kl": kl.detach()})

    def sample(self, n: int, generator: RandomGenerator) -> Tensor:
        """Latents [n dim] of the standard normal distribution."""
        return generator.normal(n, self.dim)
