"""Discrete values that gradients pass by.

References
----------
Bengio, Léonard, Courville: Estimating or propagating gradients through stochastic neurons for conditional computation,
2013: the straight-through estimator.
"""

from __future__ import annotations

import torch
from torch import Tensor


def straight_through(hard: Tensor, soft: Tensor) -> Tensor:
    """The values of ``hard`` with the gradient of ``soft``, both of one shape; exactly, without rounding."""
    return hard.detach() + (soft - soft.detach())


def signs(values: Tensor) -> Tensor:
    """−1 where values are negative, 1 elsewhere (also at 0); no gradient."""
    return torch.where(values < 0, -1.0, 1.0).to(values.dtype)


def binarise(values: Tensor) -> Tensor:
    """Signs of values with the identity as gradient.

    Parameters
    ----------
    values : float [… d]
        Bounded, as by a tanh: without a bound the encoder's gradients are too long to learn from.

    References
    ----------
    Fajtl, Argyriou, Monekosso, Remagnino: Latent Bernoulli autoencoder, ICML 2020.
    """
    return straight_through(signs(values), values)
