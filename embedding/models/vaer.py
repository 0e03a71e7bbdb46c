"""Variational auto-encoded regression: a VAE whose latents a Gaussian process regresses from known inputs (VAER)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from flatsort.embedding.model import Batch, LatentModel, LossTerms, ModelConfig, register
from flatsort.embedding.objectives.gaussian_process import TrainedKernel, log_marginal, regress
from flatsort.embedding.objectives.kl import Gaussian
from flatsort.embedding.random_generator import RandomGenerator
from flatsort.tracker.registry import require


@dataclass(frozen=True)
class VAERConfig(ModelConfig):
    """The regression beside what all models share."""

    name: str = "vaer"
    positions: int = 1
    """Numbers that a sample's place in a sequence has: 1 of time. Without ``views=windows`` it does not matter."""
    regress_after: int = 400
    """Steps in which the model is a VAE whose latents the kernels are fitted to; then targets are regressed."""
    targets: float = 0.3
    """Share of a window whose latents are regressed from those of the others."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self,
            "model",
            ("positions", self.positions > 0, "1 or more"),
            ("regress_after", self.regress_after >= 0, "0 or more"),
            ("targets", 0 < self.targets < 1, "between 0 and 1"),
        )


@register("vaer", VAERConfig)
class VAER(LatentModel):
    """VAE with Gaussian-process regression in its latent space: Yoo et al., CVPR 2017.

    A batch without positions, as crops without time have, trains it as a VAE; held-out samples are scored as a VAE's,
    one by one. The paper's kernel has the encoder's deviations for its signal and a length of 1; here both are learned,
    for each number of a latent, and so is a noise.
    """

    def __init__(self, config: VAERConfig) -> None:
        super().__init__(config, heads=2)
        self.regression = config
        self.kernel = TrainedKernel(config.dim, config.positions)

    def encode(self, images: Tensor) -> Tensor:
        """Posterior means [n dim] of samples [n *shape]."""
        return Gaussian.of(self.infer(images)).mean

    def loss(self, batch: Batch, generator: RandomGenerator, step: int) -> LossTerms:
        """Negative evidence lower bound of what is observed and of what is regressed, mean over the batch, nats.

        The kernels also learn from the marginal likelihood of the observed latents, which is not in the score.
        """
        posterior = Gaussian.of(self.infer(batch.inputs))
        z = posterior.sample(generator.normal(len(batch), self.dim))
        kl, unlikely, terms = posterior.kl(), self.kernel.surprise(), {}
        if batch.positions is not None:
            target, regressed, evidence = self._regress(batch, posterior.mean, generator)
            unlikely = unlikely - evidence
            terms["evidence"] = evidence.detach() / len(batch)
            if step >= self.regression.regress_after:
                z, kl = z.index_copy(0, target, regressed), kl.index_fill(0, target, 0.0)
        raw = self.decoder(z)
        nll, divergence = self.likelihood.nll(raw, batch.targets).mean(), kl.mean()
        error = self.likelihood.error(raw, batch.targets).mean()
        score = nll + divergence
        terms |= {"nll": nll.detach(), "error": error.detach(), "kl": divergence.detach()}
        return LossTerms(score + (unlikely / len(batch)).float(), score, terms)

    def _regress(self, batch: Batch, means: Tensor, generator: RandomGenerator) -> tuple[Tensor, Tensor, Tensor]:
        """Rows of the targets [m], a draw of their latents [m dim], log-likelihood of the observed latents (scalar)."""
        positions, windows = self._windows(batch)
        w = positions.shape[1]
        hidden = min(max(round(self.regression.targets * w), 1), w - 1)
        order = (
            generator.uniform(len(batch)).view(windows, w).argsort(1)
            + w * torch.arange(windows, device=means.device)[:, None]
        )
        target, observed = order[:, :hidden], order[:, hidden:]
        flat, kernel = positions.flatten(0, 1), self.kernel()
        evidence = log_marginal(kernel, flat[observed], means.detach()[observed]).sum()
        found = regress(kernel, flat[observed], means[observed], flat[target])
        chance = generator.normal(len(batch), self.dim)[target.flatten()]
        deviation = found.variance.clamp_min(1e-12).sqrt().flatten(0, 1)
        drawn = found.mean.flatten(0, 1) + deviation * chance
        return target.flatten(), drawn.to(means.dtype), evidence

    def _windows(self, batch: Batch) -> tuple[Tensor, int]:
        """Positions [windows w k] of a batch."""
        assert batch.positions is not None
        n, k = batch.positions.shape
        if k != self.regression.positions:
            raise ValueError(
                f"model.positions: expected {k} as the data's positions have, got {self.regression.positions}"
            )
        windows = 1 if batch.groups is None else len(torch.unique_consecutive(batch.groups))
        if n % windows or n // windows < 2:
            raise ValueError(f"batch: expected windows of one length, 2 or more, got {windows} of {n} samples")
        return batch.positions.view(windows, n // windows, k), windows

    def sample(self, n: int, generator: RandomGenerator) -> Tensor:
        """Latents [n dim] of the standard normal distribution."""
        return generator.normal(n, self.dim)
