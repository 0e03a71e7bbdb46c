"""Latent models: the base class, its config, batches, and the terms of a loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from flatsort.embedding.likelihood import Likelihood, LikelihoodConfig
from flatsort.embedding.nets import NetConfig, make_decoder, make_encoder
from flatsort.embedding.random_generator import RandomGenerator
from flatsort.tracker.registry import PartConfig, Registry, require


@dataclass(frozen=True)
class ModelConfig(PartConfig):
    """Settings of all models."""

    shape: list[int] = field(default_factory=lambda: [3, 64, 32])
    """Shape of a sample: channels, height and width in pixels of a crop, or the length of a vector."""
    dim: int = 64
    """Dimensions of a latent."""
    mirror: bool = True
    """Whether an image's embedding is the mean of its latent and that of its mirror image."""
    net: NetConfig = field(default_factory=NetConfig)
    """Size of encoder and decoder."""
    likelihood: LikelihoodConfig = field(default_factory=LikelihoodConfig)
    """How reconstruction errors are measured."""

    def __post_init__(self) -> None:
        require(
            self,
            "model",
            ("shape", len(self.shape) in (1, 3) and min(self.shape) > 0, "[channels, height, width] or [length]"),
            ("dim", self.dim > 0, "1 or more"),
        )


@dataclass(frozen=True)
class Batch:
    """Samples of one training step.

    Attributes
    ----------
    inputs : float32 [n *shape]
        Input of the encoder, in 0..1; may be augmented, or another view of the target.
    targets : float32 [n *shape]
        What the decoder is to reconstruct.
    positions : float32 [n k] or None
        Position of each sample in its window of a sequence: time, or other known inputs of a regression.
    groups : int64 [n] or None
        Number of each sample's window; samples of a window are adjacent, and all windows have the same length.
    """

    inputs: Tensor
    targets: Tensor
    positions: Tensor | None = None
    groups: Tensor | None = None

    def __len__(self) -> int:
        return len(self.inputs)


@dataclass(frozen=True)
class LossTerms:
    """A model's loss on a batch.

    Attributes
    ----------
    total : scalar
        What the optimiser minimises.
    score : scalar
        What early stopping compares on held-out samples: independent of multipliers that change while training.
    terms : dict
        Scalars to log, by name, without gradient.
    """

    total: Tensor
    score: Tensor
    terms: dict[str, Tensor]


class LatentModel(nn.Module, ABC):
    """Encoder, decoder and likelihood. A subclass defines the loss that they are trained with.

    Parameters
    ----------
    config : ModelConfig
    outputs_per_dim : int
        Outputs of the encoder for each latent dimension: 2 for a mean and the logarithm of a standard deviation.
    encoder, decoder : nn.Module, optional
        Used instead of those that ``config.net`` describes.
    dim : int, optional
        Dimensions of a latent, where they differ from ``config.dim``.

    Attributes
    ----------
    dim : int
        Dimensions of a latent, the output of `encode` and input of `decode`.
    binary : bool
        Whether `embed` returns codes of −1 and 1.
    trains_in_stages : bool
        Whether there are steps in which some weights get no gradient.
    """

    binary = False
    trains_in_stages = False

    def __init__(
        self,
        config: ModelConfig,
        outputs_per_dim: int = 1,
        *,
        encoder: nn.Module | None = None,
        decoder: nn.Module | None = None,
        dim: int | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        self.dim = dim or config.dim
        self.encoder = encoder or make_encoder(config.shape, outputs_per_dim * self.dim, config.net)
        self.decoder = decoder or make_decoder(self.dim, config.shape, config.net)
        self.likelihood = Likelihood(config.likelihood, config.shape)

    @abstractmethod
    def encode(self, images: Tensor) -> Tensor:
        """Latents [n dim] of samples [n *shape] in 0..1, deterministic: a posterior's mean."""

    @abstractmethod
    def loss(self, batch: Batch, generator: RandomGenerator, step: int) -> LossTerms:
        """The loss on a batch at a step; in training mode it may keep what `after_step` needs."""

    @property
    def in_final_phase(self) -> bool:
        """Whether the last phase of training is reached; only then can scores of held-out samples be compared."""
        return True

    def after_step(self, step: int, mean: Callable[[Tensor], Tensor]) -> None:
        """Update what is not updated by gradients: multipliers, moving averages.

        Parameters
        ----------
        step : int
        mean : callable
            Averages a tensor over all processes that share the step.
        """

    def sample(self, n: int, generator: RandomGenerator) -> Tensor | None:  # noqa: ARG002
        """Latents [n dim] drawn from the model's prior; None for a model without prior."""
        return None

    @property
    def embed_dim(self) -> int:
        """Dimensions of the output of `embed`: those of a latent, unless images are compared by something shorter."""
        return self.dim

    @property
    def code_bits(self) -> float:
        """Bits to store a latent: 32 a dimension, unless a model's codes are discrete."""
        return 32.0 * self.dim

    def finish_training(self, batches: Iterable[Tensor]) -> None:
        """Compute what is only known after training, from the training set [n *shape], a batch at a time.

        Called in evaluation mode and without gradients. Calling it twice gives the same result.
        """

    def init_from_data(self, samples: Tensor) -> None:
        """Initialise what does not change while training from samples [n *shape] of the training set."""
        self.likelihood.init_from_data(samples)

    def encoder_output(self, samples: Tensor) -> Tensor:
        """Output of the encoder [n outputs_per_dim·dim] for samples [n *shape] in 0..1."""
        raw: Tensor = self.encoder(self.likelihood.normalise(samples))
        return raw

    def decode(self, latents: Tensor) -> Tensor:
        """Decoded mean [n *shape] of latents [n dim]."""
        return self.likelihood.mean(self.decoder(latents))

    def decode_weighted(self, latents: Tensor) -> Tensor:
        """Decoded mean [n m], weighted by the likelihood: the space whose metric is pulled back to the latents."""
        return self.likelihood.weigh(self.decode(latents)).flatten(1)

    def reconstruction_terms(self, raw: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Means over the batch of the negative log-likelihood (nats) and of the error of the decoder's output."""
        return self.likelihood.nll(raw, targets).mean(), self.likelihood.error(raw, targets).mean()

    def embed(self, images: Tensor) -> Tensor:
        """Latents [n embed_dim] to compare images by; see ``ModelConfig.mirror``."""
        latents = self.encode(images)
        if self.config.mirror and images.ndim == 4:
            latents = (latents + self.encode(images.flip(3))) / 2
        return latents


MODELS: Registry[LatentModel] = Registry("model", "flatsort.embedding.models")
register = MODELS.register


def build(config: ModelConfig, seed: int = 0) -> LatentModel:
    """The model that ``config.name`` names, with initial weights that depend on the seed only."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return MODELS.build(config)
