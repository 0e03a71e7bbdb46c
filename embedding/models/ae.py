"""Autoencoder: reconstruction only."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from flatsort.embedding.model import Batch, LatentModel, LossTerms, ModelConfig, register
from flatsort.embedding.random_generator import RandomGenerator


@dataclass(frozen=True)
class AEConfig(ModelConfig):
    """No setting beyond those of all models."""

    name: str = "ae"


@register("ae", AEConfig)
class AE(LatentModel):
    """Autoencoder without a prior: the baseline of the models that shape their latent space."""

    def encode(self, images: Tensor) -> Tensor:
        """Latents [n dim] of samples [n *shape]."""
        return self.encoder_output(images)

    def loss(self, batch: Batch, generator: RandomGenerator, step: int) -> LossTerms:  # noqa: ARG002
        """Mean negative log-likelihood of the targets, nats."""
        nll, error = self.reconstruction_terms(self.decoder(self.encoder_output(batch.inputs)), batch.targets)
        return LossTerms(nll, nll, {"nll": nll.detach(), "error": error.detach()})
