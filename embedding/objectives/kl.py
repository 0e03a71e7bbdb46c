"""Diagonal Gaussians (posteriors of encoders, priors) and their Kullback–Leibler divergence.

References
----------
Kingma, Welling: Auto-encoding variational Bayes, ICLR 2014, section 2.4 and appendix B.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

MAX_LOG_STD = 8.0
"""Logarithms of standard deviations stay within ±8, that is standard deviations between 3e-4 and 3e3, so that no
exponential of a network's output overflows and no precision dominates the other terms in float32."""


@dataclass(frozen=True)
class Gaussian:
    """Gaussian with a diagonal covariance over the last dimension.

    Attributes
    ----------
    mean, log_std : float32 [… d]
        Mean and logarithm of the standard deviation.
    """

    mean: Tensor
    log_std: Tensor

    @classmethod
    def from_output(cls, raw: Tensor) -> Gaussian:
        """From a network's output [… 2d]: means, then logarithms of standard deviations before they are bounded.

        The bound is a tanh, since clipping would have no gradient. Always in single precision, since log-densities add
        many terms.
        """
        mean, log_std = raw.float().chunk(2, dim=-1)
        return cls(mean, MAX_LOG_STD * torch.tanh(log_std / MAX_LOG_STD))

    def sample(self, normal: Tensor) -> Tensor:
        """Mean + standard deviation · standard normal numbers: a draw that has a gradient (reparameterisation)."""
        return self.mean + self.log_std.exp() * normal

    def log_density(self, values: Tensor) -> Tensor:
        """Log-density of values [… d], summed over the last dimension [ …], nats."""
        standard = (values - self.mean) * (-self.log_std).exp()
        return log_normal(standard) - self.log_std.sum(-1)

    def kl(self) -> Tensor:
        """Kullback–Leibler divergence to the standard normal distribution [ …], nats, in closed form."""
        variance = (2 * self.log_std).exp()
        return 0.5 * (self.mean.square() + variance - 1 - 2 * self.log_std).sum(-1)


def log_normal(values: Tensor) -> Tensor:
    """Standard normal log-density of values [… d], summed over the last dimension, nats."""
    return -0.5 * (values.square() + math.log(2 * math.pi)).sum(-1)
