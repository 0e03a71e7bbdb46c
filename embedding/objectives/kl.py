"""Diagonal Gaussians: posteriors of encoders, priors, and their divergence.

References
----------
Kingma, Welling: Auto-encoding variational Bayes, ICLR 2014, section 2.4 and appendix B.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

BOUND = 8.0
"""Log-deviations stay within ±8, that is deviations between 3e-4 and 3e3 and precisions below 1e7, so that no
exponential of a network's output overflows and no precision swamps the other terms in float32."""


@dataclass(frozen=True)
class Gaussian:
    """Gaussian with a diagonal covariance over the last dimension.

    Attributes
    ----------
    mean, log_deviation : float32 [… d]
    """

    mean: Tensor
    log_deviation: Tensor

    @classmethod
    def of(cls, raw: Tensor) -> Gaussian:
        """From a network's output [… 2d]: means, then log-deviations before they are bounded.

        The bound is a tanh: a hard limit would have no gradient that leads back. Single precision whatever the
        network's, since log-densities add many terms.
        """
        mean, log_deviation = raw.float().chunk(2, dim=-1)
        return cls(mean, BOUND * torch.tanh(log_deviation / BOUND))

    def sample(self, normal: Tensor) -> Tensor:
        """Mean + deviation · standard normal numbers: a draw that has a gradient (reparameterisation)."""
        return self.mean + self.log_deviation.exp() * normal

    def log_density(self, values: Tensor) -> Tensor:
        """Log-density of values [… d], summed over the last dimension [ …], nats."""
        standard = (values - self.mean) * (-self.log_deviation).exp()
        return log_normal(standard) - self.log_deviation.sum(-1)

    def kl(self) -> Tensor:
        """Kullback–Leibler divergence to the standard normal distribution [ …], nats, in closed form."""
        variance = (2 * self.log_deviation).exp()
        return 0.5 * (self.mean.square() + variance - 1 - 2 * self.log_deviation).sum(-1)


def log_normal(values: Tensor) -> Tensor:
    """Standard normal log-density of values [… d], summed over the last dimension, nats."""
    return -0.5 * (values.square() + math.log(2 * math.pi)).sum(-1)
