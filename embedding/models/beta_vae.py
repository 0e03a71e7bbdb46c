"""Variational autoencoder with a weighted divergence."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from flatsort.embedding.model import Batch, LatentModel, LossTerms, ModelConfig, register
from flatsort.embedding.objectives.kl import Gaussian
from flatsort.embedding.random_generator import RandomGenerator
from flatsort.tracker.registry import require


@dataclass(frozen=True)
class BetaVAEConfig(ModelConfig):
    """The weight beside what all models share."""

    name: str = "beta_vae"
    beta: float = 4.0
    """Weight of the divergence; 1 is the VAE. 4 is what the paper uses for images of objects."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, "model", ("beta", self.beta > 0, "more than 0"))


@register("beta_vae", BetaVAEConfig)
class BetaVAE(LatentModel):
    """More pressure on the posterior for axes that mean something: Higgins et al., ICLR 2017."""

    def __init__(self, config: BetaVAEConfig) -> None:
        super().__init__(config, heads=2)
        self.beta = config.beta

    def encode(self, images: Tensor) -> Tensor:
        """Posterior means [n dim] of samples [n *shape]."""
        return Gaussian.of(self.infer(images)).mean

    def loss(self, batch: Batch, generator: RandomGenerator, step: int) -> LossTerms:  # noqa: ARG002
        """Negative log-likelihood + β · divergence, mean over the batch, nats."""
        posterior = Gaussian.of(self.infer(batch.inputs))
        raw = self.decoder(posterior.sample(generator.normal(len(batch), self.dim)))
        nll = self.likelihood.nll(raw, batch.targets).mean()
        kl = posterior.kl().mean()
        error = self.likelihood.error(raw, batch.targets).mean()
        total = nll + self.beta * kl
        return LossTerms(total, total, {"nll": nll.detach(), "error": error.detach(), "kl": kl.detach()})

    def sample(self, n: int, generator: RandomGenerator) -> Tensor:
        """Latents [n dim] of the standard normal distribution."""
        return generator.normal(n, self.dim)
