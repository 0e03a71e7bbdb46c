"""Latent Bernoulli autoencoder: deterministic binary codes, and a prior that is fitted to them after training."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from flatsort.embedding.model import Batch, LatentModel, LossTerms, ModelConfig, register
from flatsort.embedding.priors.hyperplane import HyperplanePrior
from flatsort.embedding.random_generator import RandomGenerator


@dataclass(frozen=True)
class LBAEConfig(ModelConfig):
    """No setting beyond those of all models."""

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

    def activations(self, images: Tensor) -> Tensor:
        """Activations [n dim] in −1..1 of samples [n *shape]; codes are their signs."""
        return torch.tanh(self.encoder_output(images).float())

    def encode(self, images: Tensor) -> Tensor:
        """Codes −1 or 1 [n dim] of samples [n *shape]."""
        return signs(self.activations(images))

    def embed(self, images: Tensor) -> Tensor:
        """Codes [n dim] to compare images by: signs of the mean over an image and its mirror image."""
        activations = self.activations(images)
        if self.config.mirror and images.ndim == 4:
            activations = activations + self.activations(images.flip(3))
        return signs(activations)

    def loss(self, batch: Batch, generator: RandomGenerator, step: int) -> LossTerms:  # noqa: ARG002
        """Mean negative log-likelihood of the targets, nats; ``saturation`` is the mean absolute activation, 0 to 1."""
        activations = self.activations(batch.inputs)
        nll, error = self.reconstruction_terms(self.decoder(binarise(activations)), batch.targets)
        terms = {"nll": nll.detach(), "error": error.detach(), "saturation": activations.detach().abs().mean()}
        return LossTerms(nll, nll, terms)

    def finish_training(self, batches: Iterable[Tensor]) -> None:
        """Fit the prior to the codes of the training set [n *shape]."""
        self.prior.fit(self.encode(samples) for samples in batches)

    def sample(self, n: int, generator: RandomGenerator) -> Tensor | None:
        """Codes [n dim] of random hyperplanes; None before `finish_training`."""
        return self.prior.sample(n, generator) if self.prior.count else None

    @property
    def code_bits(self) -> float:
        """One bit a number."""
        return float(self.dim)


def straight_through(hard: Tensor, soft: Tensor) -> Tensor:
    """The values of ``hard`` with the gradient of ``soft``, both of one shape; exactly, without rounding.

    References
    ----------
    Bengio, Léonard, Courville: Estimating or propagating gradients through stochastic neurons for conditional
    computation, 2013.
    """
    return hard.detach() + (soft - soft.detach())


def signs(values: Tensor) -> Tensor:
    """−1 where values are negative, 1 elsewhere (also at 0); no gradient."""
    return torch.where(values < 0, -1.0, 1.0).to(values.dtype)


def binarise(values: Tensor) -> Tensor:
    """Signs of values with the identity as gradient (straight-through estimator).

    Parameters
    ----------
    values : float [… d]
        Bounded, as by a tanh: without a bound the encoder's gradients are too large to learn from.
    """
    return straight_through(signs(values), values)
