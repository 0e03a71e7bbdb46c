"""What every latent model is: the base class, its config, what goes into a loss and what comes out."""

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
    """What all models share."""

    shape: list[int] = field(default_factory=lambda: [3, 64, 32])
    """Of one sample: channels, height and width in pixels of a crop, or the length of a vector."""
    dim: int = 64
    """Numbers in a latent."""
    mirror: bool = True
    """Whether an image's embedding is the mean over it and its mirror image."""
    net: NetConfig = field(default_factory=NetConfig)
    """Size of encoder and decoder."""
    likelihood: LikelihoodConfig = field(default_factory=LikelihoodConfig)
    """How reconstructions are judged."""

    def __post_init__(self) -> None:
        require(
            self,
            "model",
            ("shape", len(self.shape) in (1, 3) and min(self.shape) > 0, "[channels, height, width] or [length]"),
            ("dim", self.dim > 0, "1 or more"),
        )


@dataclass(frozen=True)
class Batch:
    """Samples of one step.

    Attributes
    ----------
    inputs : float32 [n *shape]
        What the encoder sees: 0..1, perhaps augmented or another view.
    targets : float32 [n *shape]
        What the decoder shall give back.
    positions : float32 [n k] or None
        Where each sample lies in its window of a sequence: time, or other known inputs of a regression.
    groups : int64 [n] or None
        The window that each sample is of; those of one window lie side by side, and all windows have one length.
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
        What early stopping compares on held-out samples: free of multipliers that change while training.
    terms : dict
        Scalars to log, by name; no gradient is needed.
    """

    total: Tensor
    score: Tensor
    terms: dict[str, Tensor]


class LatentModel(nn.Module, ABC):
    """Encoder, decoder and likelihood. A subclass says how they are trained.

    Parameters
    ----------
    config : ModelConfig
    heads : int
        Numbers that the encoder gives for every latent dimension: 2 for a mean and a log-deviation.
    encoder, decoder : nn.Module, optional
        Instead of those that ``config.net`` describes.
    dim : int, optional
        Numbers in a latent, where it is not ``config.dim``.

    Attributes
    ----------
    dim : int
        Numbers in what `encode` gives and `decode` takes.
    binary : bool
        Whether what `embed` gives are codes of −1 and 1.
    """

    binary = False

    def __init__(
        self,
        config: ModelConfig,
        heads: int = 1,
        *,
        encoder: nn.Module | None = None,
        decoder: nn.Module | None = None,
        dim: int | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        self.dim = dim or config.dim
        self.encoder = encoder or make_encoder(config.shape, heads * self.dim, config.net)
        self.decoder = decoder or make_decoder(self.dim, config.shape, config.net)
        self.likelihood = Likelihood(config.likelihood, config.shape)

    @abstractmethod
    def encode(self, images: Tensor) -> Tensor:
        """Latents [n dim] of samples [n *shape] in 0..1, without chance: a posterior's mean."""

    @abstractmethod
    def loss(self, batch: Batch, generator: RandomGenerator, step: int) -> LossTerms:
        """The loss on a batch at a step; in training mode it may note what `after_step` needs."""

    @property
    def settled(self) -> bool:
        """Whether the score of held-out samples can be compared with an earlier one (not while a multiplier starts)."""
        return True

    def after_step(self, step: int, mean: Callable[[Tensor], Tensor]) -> None:
        """Update what no gradient updates: multipliers, moving averages.

        Parameters
        ----------
        step : int
        mean : callable
            Gives the mean of a tensor over all processes that share the step.
        """

    def sample(self, n: int, generator: RandomGenerator) -> Tensor | None:  # noqa: ARG002
        """Latents [n dim] of the model's prior; None where it has none."""
        return None

    @property
    def embed_dim(self) -> int:
        """Numbers in what `embed` gives: those of a latent, unless a model compares images by something shorter."""
        return self.dim

    @property
    def code_bits(self) -> float:
        """Bits that a latent takes up when it is kept: 32 a number, unless a model's codes are discrete."""
        return 32.0 * self.dim

    def conclude(self, batches: Iterable[Tensor]) -> None:
        """Take what is only known once training is over, from the training set [n *shape], a batch at a time.

        The model is in evaluation mode and no gradient is kept. Doing it again gives the same.
        """

    def fit(self, samples: Tensor) -> None:
        """Take what does not change while training from samples [n *shape] of the training set."""
        self.likelihood.fit(samples)

    def infer(self, samples: Tensor) -> Tensor:
        """Output of the encoder [n heads·dim] for samples [n *shape] in 0..1."""
        raw: Tensor = self.encoder(self.likelihood.present(samples))
        return raw

    def decode(self, latents: Tensor) -> Tensor:
        """Mean of the samples [n *shape] that latents [n dim] stand for."""
        return self.likelihood.mean(self.decoder(latents))

    def observe(self, latents: Tensor) -> Tensor:
        """Decoded mean [n m] as the likelihood weighs it: the space that the metric tensor is pulled back from."""
        return self.likelihood.weigh(self.decode(latents)).flatten(1)

    def embed(self, images: Tensor) -> Tensor:
        """Latents [n embed_dim] to compare images by; see ``ModelConfig.mirror``."""
        latents = self.encode(images)
        if self.config.mirror and images.ndim == 4:
            latents = (latents + self.encode(images.flip(3))) / 2
        return latents


MODELS: Registry[LatentModel] = Registry("model", "flatsort.embedding.models")
register = MODELS.register


def build(config: ModelConfig, seed: int = 0) -> LatentModel:
    """The model that ``config.name`` names, with weights that depend on the seed only."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return MODELS.build(config)
