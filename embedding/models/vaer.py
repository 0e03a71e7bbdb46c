"""Variational auto-encoded regression: a VAE whose latents a Gaussian process regresses from known inputs (VAER)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from flatsort.embedding.model import Batch, LossTerms, register
from flatsort.embedding.models.vae import VAE, VAEConfig
from flatsort.embedding.objectives.gaussian_process import TrainedKernel, log_marginal, regress
from flatsort.embedding.random_generator import RandomGenerator
from flatsort.tracker.registry import require


@dataclass(frozen=True)
class VAERConfig(VAEConfig):
    """The regression beside the settings of all models."""

    name: str = "vaer"
    positions: int = 1
    """Numbers in a sample's position within its sequence: 1 for time. Only used with ``views=windows``."""
    regress_after: int = 400
    """Steps in which the model trains as a VAE and the kernels are fitted to its latents; regression starts after."""
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
class VAER(VAE):
    """VAE with Gaussian-process regression in its latent space: Yoo et al., CVPR 2017.

    On a batch without positions (crops without time stamps) it trains as a VAE; held-out samples are scored as a VAE's,
    one by one. The paper's kernel takes the encoder's standard deviations for its signal and has a length of 1; here
    signal, length and noise are learned for each latent dimension.
    """

    def __init__(self, config: VAERConfig) -> None:
        super().__init__(config)
        self._regression = config
        self.kernel = TrainedKernel(config.dim, config.positions)

    def loss(self, batch: Batch, generator: RandomGenerator, step: int) -> LossTerms:
        """Negative evidence lower bound of observed and of regressed latents, mean over the batch, nats.

        The kernels also learn from the marginal likelihood of the observed latents, which is not in the score.
        """
        posterior = self.posterior(batch.inputs)
        z = posterior.sample(generator.normal(len(batch), self.dim))
        kl, kernel_loss, terms = posterior.kl(), self.kernel.negative_log_prior(), {}
        if batch.positions is not None:
            target, regressed, evidence = self._regress(batch, posterior.mean, generator)
            kernel_loss = kernel_loss - evidence
            terms["evidence"] = evidence.detach() / len(batch)
            if step >= self._regression.regress_after:
                z, kl = z.index_copy(0, target, regressed), kl.index_fill(0, target, 0.0)
        raw = self.decoder(z)
        (nll, error), divergence = self.reconstruction_terms(raw, batch.targets), kl.mean()
        score = nll + divergence
        terms |= {"nll": nll.detach(), "error": error.detach(), "kl": divergence.detach()}
        return LossTerms(score + (kernel_loss / len(batch)).float(), score, terms)

    def _regress(self, batch: Batch, means: Tensor, generator: RandomGenerator) -> tuple[Tensor, Tensor, Tensor]:
        """Rows of the targets [m], a draw of their latents [m dim], log-likelihood of the observed latents (scalar)."""
        positions, windows = self._windows(batch)
        w = positions.shape[1]
        count = min(max(round(self._regression.targets * w), 1), w - 1)
        order = (
            generator.uniform(len(batch)).view(windows, w).argsort(1)
            + w * torch.arange(windows, device=means.device)[:, None]
        )
        target, observed = order[:, :count], order[:, count:]
        flat, kernel = positions.flatten(0, 1), self.kernel()
        evidence = log_marginal(kernel, flat[observed], means.detach()[observed]).sum()
        regressed = regress(kernel, flat[observed], means[observed], flat[target])
        normal = generator.normal(len(batch), self.dim)[target.flatten()]
        std = regressed.variance.clamp_min(1e-12).sqrt().flatten(0, 1)
        drawn = regressed.mean.flatten(0, 1) + std * normal
        return target.flatten(), drawn.to(means.dtype), evidence

    def _windows(self, batch: Batch) -> tuple[Tensor, int]:
        """Positions [windows w k] of a batch, and its number of windows."""
        assert batch.positions is not None
        n, k = batch.positions.shape
        if k != self._regression.positions:
            raise ValueError(
                f"model.positions: expected {k} as the data's positions have, got {self._regression.positions}"
            )
        windows = 1 if batch.groups is None else len(torch.unique_consecutive(batch.groups))
        if n % windows or n // windows < 2:
            raise ValueError(f"batch: expected windows of one length, 2 or more, got {windows} of {n} samples")
        return batch.positions.view(windows, n // windows, k), windows
