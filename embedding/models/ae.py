"""Autoencoder: reconstruction only."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from flatsort.embedding.model import Batch, LatentModel, LossTerms, ModelConfig, register
from flatsort.embedding.random_generator import RandomGenerator


@dataclass(frozen=True)
class AEConfig(ModelConfig):
    """Nothing beyond what all models share."""

    name: str = "ae"


@register("ae", AEConfig)
class AE(LatentModel):
    """Autoencoder without any prior: the plain rival of the models that shape their latent space."""

    def encode(self, images: Tensor) -> Tensor:
        """Latents [n dim] of samples [n *shape]."""
        return self.infer(images)

    def loss(self, batch: Batch, generator: RandomGenerator, step: int) -> LossTerms:  # noqa: ARG002
        """Mean negative log-likelihood of the targets, nats."""
        raw = self.decoder(self.infer(batch.inputs))
        nll = self.likelihood.nll(raw, batch.targets).mean()
        error = self.likelihood.error(raw, batch.targets).mean()
        return LossTerms(nll, nll, {"nll": nll.detach(), "error": error.detach()})
