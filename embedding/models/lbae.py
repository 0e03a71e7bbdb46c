"""Latent Bernoulli autoencoder: binary codes without chance, and a prior that is fitted to them afterwards."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from flatsort.embedding.model import Batch, LatentModel, LossTerms, ModelConfig, register
from flatsort.embedding.objectives.straight_through import binarise, signs
from flatsort.embedding.priors.hyperplane import HyperplanePrior
from flatsort.embedding.random_generator import RandomGenerator


@dataclass(frozen=True)
class LBAEConfig(ModelConfig):
    """Nothing beyond what all models share."""

    name: str = "lbae"
    dim: int = 256
    """Bits of a code."""


@register("lbae", LBAEConfig)
class LBAE(LatentModel):
    """Autoencoder whose latents are −1 or 1: Fajtl et al., Latent Bernoulli autoencoder, ICML 2020.

    The squared Euclidean distance of two codes is four times their Hamming distance.
    """

    binary = True

    def __init__(self, config: LBAEConfig) -> None:
        super().__init__(config)
        self.prior = HyperplanePrior(config.dim)

    def soft(self, images: Tensor) -> Tensor:
        """What codes are the signs of, [n dim] in −1..1, of samples [n *shape]."""
        return torch.tanh(self.infer(images).float())

    def encode(self, images: Tensor) -> Tensor:
        """Codes −1 or 1 [n dim] of samples [n *shape]."""
        return signs(self.soft(images))

    def embed(self, images: Tensor) -> Tensor:
        """Codes [n dim] to compare images by: signs of the mean over an image and its mirror image."""
        soft = self.soft(images)
        if self.config.mirror and images.ndim == 4:
            soft = soft + self.soft(images.flip(3))
        return signs(soft)

    def loss(self, batch: Batch, generator: RandomGenerator, step: int) -> LossTerms:  # noqa: ARG002
        """Mean negative log-likelihood of the targets, nats; ``sure`` is how far from 0 the bits are, 0 to 1."""
        soft = self.soft(batch.inputs)
        raw = self.decoder(binarise(soft))
        nll = self.likelihood.nll(raw, batch.targets).mean()
        error = self.likelihood.error(raw, batch.targets).mean()
        terms = {"nll": nll.detach(), "error": error.detach(), "sure": soft.detach().abs().mean()}
        return LossTerms(nll, nll, terms)

    def conclude(self, batches: Iterable[Tensor]) -> None:
        """Fit the prior to the codes of the training set [n *shape]."""
        self.prior.fit(self.encode(samples) for samples in batches)

    def sample(self, n: int, generator: RandomGenerator) -> Tensor | None:
        """Codes [n dim] of random hyperplanes; None before `conclude`."""
        return self.prior.sample(n, generator) if self.prior.count else None

    @property
    def code_bits(self) -> float:
        """One bit a number."""
        return float(self.dim)
