"""Reconstruction as a constraint: reweighted optimisation (REWO) of the divergence under a threshold of the error.

    minimise F subject to E[C] ≤ κ², C the mean error of a sample's values

The Lagrangian F + λ(E[C] − κ²), written with β = 1/λ and divided by λ, is a distortion + β·F: divided, since then the
gradient keeps its scale while β moves over orders of magnitude. The unit of C, and how κ becomes a distortion in nats:

* Gaussian likelihood: C is the (weighted) mean squared error, so κ is a root mean squared error in units of the samples
  (images: 0..1) and κ itself is the likelihood's standard deviation: distortion = values · C / (2κ²).
* Bernoulli likelihood: C is the mean cross-entropy minus the targets' own entropy, so κ² is in nats a value:
  distortion = values · C, and κ only decides when it is small enough.

In both, β = 1 is exactly the evidence lower bound of that likelihood, up to constants.

References
----------
Klushyn et al.: Learning hierarchical priors in VAEs, NeurIPS 2019, section 3.1 and algorithm 1.
Rezende, Viola: Taming VAEs, 2018 (GECO, the update without the initial phase).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from flatsort.embedding.likelihood import Likelihood

MIN_BETA = 1e-4
"""β stays within 1e-4 and 1: 1 is the fixed point of its update, and lower values no longer change the gradient."""


@dataclass(frozen=True)
class RewoConfig:
    """Threshold of the error and rate of the multiplier."""

    kappa: Any = "auto"
    """Root of the threshold of the mean error, a number in units of the samples; or ``auto``: κ² is the share
    ``unexplained`` of the error of the best constant reconstruction. Where that is not reached, κ² becomes
    (1 + slack) · the error at the end of the initial phase."""
    unexplained: float = 0.2
    """``auto``: share of the baseline error (of a Gaussian: of the variance) that may remain."""
    slack: float = 0.05
    """``auto``: share by which κ² lies above the error that was reached."""
    plateau: float = 0.02
    """``auto``: the error has reached a plateau when it fell by less than this share within a window."""
    window: int = 200
    """``auto``: steps of a window."""
    initial_steps: int = 1500
    """``auto``: steps after which the initial phase ends, plateau or not."""
    beta: float = 0.01
    """Weight of the divergence in the initial phase, 1/λ."""
    nu: float = 1.0
    """Rate at which β changes with the relative excess of the error."""
    tau: float = 3.0
    """Steepness with which β approaches 1."""
    smoothing: float = 0.99
    """Decay of the moving average of the error."""

    def __post_init__(self) -> None:
        number = isinstance(self.kappa, (int, float)) and not isinstance(self.kappa, bool)
        if not (self.kappa == "auto" or (number and 0 < self.kappa < float("inf"))):
            raise ValueError(f"model.rewo.kappa: expected auto or a number > 0, got {self.kappa!r}")
        rules = {
            "unexplained": (0 < self.unexplained < 1, "between 0 and 1"),
            "slack": (self.slack >= 0, "0 or more"),
            "plateau": (0 <= self.plateau < 1, "0 or more and below 1"),
            "window": (self.window > 0, "1 or more"),
            "initial_steps": (self.initial_steps > 0, "1 or more"),
            "beta": (MIN_BETA <= self.beta <= 1, f"between {MIN_BETA} and 1"),
            "nu": (self.nu > 0, "more than 0"),
            "tau": (self.tau > 0, "more than 0"),
            "smoothing": (0 <= self.smoothing < 1, "0 or more and below 1"),
        }
        for name, (ok, expected) in rules.items():
            if not ok:
                raise ValueError(f"model.rewo.{name}: expected {expected}, got {getattr(self, name)!r}")


class Rewo(nn.Module):
    """The multiplier and its state, all of it buffers: what a checkpoint holds goes on as if never interrupted.

    All decisions are made on the device, so that no step waits for the host.

    Parameters
    ----------
    config : RewoConfig
    likelihood : Likelihood
        Whose error is constrained. ``auto`` starts with the standard deviation of a Gaussian one.

    Attributes
    ----------
    beta, kappa2, error : scalar tensors
        β, κ² and the moving average Ĉ of the error.
    initial : bool tensor
        Whether training is in the initial phase, in which β and the prior are frozen.
    """

    def __init__(self, config: RewoConfig, likelihood: Likelihood) -> None:
        super().__init__()
        self.config = config
        self._gaussian = likelihood.config.kind == "gaussian"
        self._values = likelihood.values
        start = likelihood.config.sigma if config.kappa == "auto" else float(config.kappa)
        self.register_buffer("beta", torch.tensor(float(config.beta)))
        self.register_buffer("kappa2", torch.tensor(start**2))
        self.register_buffer("error", torch.tensor(0.0))
        self.register_buffer("steps", torch.tensor(0))
        self.register_buffer("window_error", torch.tensor(0.0))
        self.register_buffer("initial", torch.tensor(True))
        self._batch_error: Tensor | None = None

    def init_from_data(self, baseline: Tensor) -> None:
        """Set κ² of ``auto`` from the error of the best constant reconstruction."""
        if self.config.kappa == "auto":
            self.kappa2.copy_(self.config.unexplained * baseline)

    def forward(self, error: Tensor, bound: Tensor) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Loss and logged terms of a batch; in training mode the error is kept for `after_step`.

        Parameters
        ----------
        error, bound : scalar
            Means of C and of F over the batch.

        Returns
        -------
        total : scalar
            distortion + β·F, nats.
        score : scalar
            distortion + F: independent of the multiplier.
        terms : dict
        """
        if self.training:
            self._batch_error = error.detach().float()
        distortion = error * self._values
        if self._gaussian:
            distortion = distortion / (2 * self.kappa2)
        beta = self.beta.clone()  # `after_step` changes it in place
        terms = {
            "distortion": distortion,
            "error": error,
            "kl": bound,
            "beta": beta,
            "lambda": 1 / beta,
            "C_hat": self.error.clone(),
            "kappa": self.kappa2.sqrt(),
            "initial": self.initial.float(),
        }
        return distortion + beta * bound, distortion + bound, {name: term.detach() for name, term in terms.items()}

    @property
    def gate(self) -> Tensor:
        """0 while the prior is frozen, then 1."""
        return (~self.initial).float()

    def after_step(self, mean: Callable[[Tensor], Tensor]) -> None:
        """Update with the error that `forward` kept, averaged over processes by ``mean``."""
        if self._batch_error is not None:
            self.update(mean(self._batch_error))
            self._batch_error = None

    @torch.no_grad()
    def update(self, error: Tensor) -> None:
        """Update Ĉ, the phase and β with the mean error of a batch.

        Ĉ ← (1−a)·C + a·Ĉ. In the initial phase nothing else, until Ĉ < κ² (``auto``: or the plateau, which sets κ²).
        Then β ← β·exp[ν·f·δ], δ = (Ĉ − κ²)/κ² (relative, so that ν has no unit; at most 1, so that one bad batch
        cannot change β by orders of magnitude), f = −1 if δ > 0 else tanh(τ(β − 1)).
        """
        c, first = self.config, self.steps == 0
        self.error.copy_(torch.where(first, error, (1 - c.smoothing) * error + c.smoothing * self.error))
        self.steps += 1
        delta = ((self.error - self.kappa2) / self.kappa2).clamp(-1, 1)
        f = torch.where(delta > 0, -1.0, torch.tanh(c.tau * (self.beta - 1)))
        moved = (self.beta * torch.exp(c.nu * f * delta)).clamp(MIN_BETA, 1)
        self.beta.copy_(torch.where(self.initial, self.beta, moved))
        reached = delta < 0
        if c.kappa == "auto":
            stalled = self.initial & ~reached & self._plateau(first)
            self.kappa2.copy_(torch.where(stalled, (1 + c.slack) * self.error, self.kappa2))
            reached |= stalled
        self.initial &= ~reached

    def _plateau(self, first: Tensor) -> Tensor:
        c = self.config
        full = self.steps % c.window == 0
        stalled = full & (self.error > (1 - c.plateau) * self.window_error)
        self.window_error.copy_(torch.where(first | full, self.error, self.window_error))
        return stalled | (self.steps >= c.initial_steps)

    beta: Tensor
    kappa2: Tensor
    error: Tensor
    steps: Tensor
    window_error: Tensor
    initial: Tensor
