"""Flatness of a decoder: how far its metric tensor is from a multiple of the identity.

G(z) = JᵀJ with the Jacobian J [m d] of the decoded mean; A = G − c²·1; c² = E[tr G]/d. Where A = 0, Euclidean distance
between latents is proportional to the geodesic one. Two measures:

* ``paper``: E‖A‖²_F, summed over all d² entries, mean over points. Its unit is that of c⁴: shrinking the decoder's
  Jacobian lowers it, and a good weight depends on the data.
* ``normalised``: E‖A‖²_F/(d·c²)² = E[tr G²]/(E tr G)² − 1/d: independent of scale, between 0 and 1 at a point.

With probes v, E[vvᵀ] = 1, and w = Jᵀ(Jv), ‖A‖²_F = E‖w − c²v‖² and tr G = E‖Jv‖²: two products for any d. Probes are
Rademacher vectors, for which vᵀv = d without variance; with Gaussian ones the estimate varies too much to be useful.

References
----------
Chen, Klushyn, Ferroni, Bayer, van der Smagt: Learning flat latent manifolds with VAEs, ICML 2020, equations 8–10.
Hutchinson: A stochastic estimator of the trace of the influence matrix, 1989.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.func import jvp, vjp, vmap

from flatsort.embedding.random_generator import RandomGenerator

Decode = Callable[[Tensor], Tensor]
"""Latents [n d] → decoded means [n m], row by row."""

MODES = ("paper", "normalised")
MIN_SCALE = 1e-12
"""Lower bound of c² as a divisor in the normalised measure, for a decoder that ignores its latents."""


class Flatness(NamedTuple):
    """Flatness at a set of points.

    Attributes
    ----------
    penalty : scalar
        The measure of the chosen mode; 0 is flat.
    scale : scalar
        c², squared units of a sample's values for a unit of the latent.
    """

    penalty: Tensor
    scale: Tensor


def mixup(z: Tensor, generator: RandomGenerator, alpha0: float = 0.2) -> Tensor:
    """Points on and a little beyond the lines between latents: (1−α)z_i + αz_j, α uniform in [−α₀, 1 + α₀).

    Each latent is paired with that of the row before, since batches are shuffled. The penalty is so evaluated where
    there are no samples, too.

    Parameters
    ----------
    z : [n d]
    generator : RandomGenerator
    alpha0 : float
        How far beyond, as a share of the line.
    """
    share = generator.uniform(len(z), 1, low=-alpha0, high=1 + alpha0)
    return torch.lerp(z, z.roll(1, 0), share)


def estimate(
    decode: Decode,
    z: Tensor,
    probes: Tensor,
    mode: str = "normalised",
    *,
    scale: Tensor | None = None,
    detach_scale: bool = False,
) -> Flatness:
    """Flatness from one product with J and one with Jᵀ, differentiable.

    One pass through the decoder computes the product Jv (forward mode) and records what Jᵀ needs (reverse mode).

    Parameters
    ----------
    decode : callable
    z, probes : [n d]
        Points, and a Rademacher vector for each.
    mode : str
        ``paper`` or ``normalised``.
    scale : scalar, optional
        c², if it is known. By default c² is the estimate mean ‖Jv‖²/d of the same points and probes. That minimises the
        ``paper`` measure in c², which is then too small by d·Var[c²]: the share is at most 2/(n·d) for given points.
    detach_scale : bool
        Whether c² is a constant for the gradient. In ``paper`` mode that changes nothing (c² is its minimiser); in
        ``normalised`` mode the gradient then shrinks the decoder, too.
    """
    products: tuple[Tensor, Tensor] = _products(decode, z, probes)
    product, g_probes = products
    if scale is None:
        scale = product.square().sum(1).mean() / z.shape[1]
    return _measure((g_probes, probes), scale, mode, detach_scale)


@torch.compiler.disable  # type: ignore[untyped-decorator]
def _products(decode: Decode, z: Tensor, probes: Tensor) -> tuple[Tensor, Tensor]:
    """Jv and Jᵀ(Jv); not traced, since forward mode through normalisation layers cannot be."""
    _, transposed, product = vjp(lambda points: _mean_and_jvp(decode, points, probes), z, has_aux=True)  # type: ignore[misc]
    (g_probes,) = transposed(product)
    return product, g_probes


def exact(decode: Decode, z: Tensor, mode: str = "normalised") -> Flatness:
    """Flatness from the full Jacobian, d products with J: for evaluation, and to check `estimate` against."""
    g = metric(decode, z)
    scale = g.diagonal(dim1=1, dim2=2).sum(1).mean() / z.shape[1]
    return _measure((g, torch.eye(z.shape[1], dtype=z.dtype, device=z.device)), scale, mode, detach_scale=False)


def metric(decode: Decode, z: Tensor) -> Tensor:
    """Metric tensors G = JᵀJ [n d d] at points [n d]."""
    j = jacobian(decode, z)
    return j.transpose(1, 2) @ j


def jacobian(decode: Decode, z: Tensor, chunk: int | None = None) -> Tensor:
    """Jacobians [n m d] at points [n d], by a forward-mode product for each latent dimension.

    Parameters
    ----------
    decode : callable
    z : [n d]
    chunk : int, optional
        Dimensions at a time, where memory is short; all by default.
    """

    def column(direction: Tensor) -> Tensor:
        return _mean_and_jvp(decode, z, direction.expand_as(z))[1]

    basis = torch.eye(z.shape[1], dtype=z.dtype, device=z.device)
    columns: Tensor = vmap(column, chunk_size=chunk)(basis)
    return columns.permute(1, 2, 0)


def _mean_and_jvp(decode: Decode, z: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
    """Decoded means, and the products of J with tangents."""
    _load_forward_mode()
    mean, product = jvp(decode, (z,), (tangents,))  # type: ignore[misc]
    return mean, product


@cache
def _load_forward_mode() -> None:
    with warnings.catch_warnings():  # torch's own rules for forward mode use functions that torch calls deprecated
        warnings.simplefilter("ignore")
        jvp(torch.sin, (torch.zeros(1),), (torch.zeros(1),))


def _measure(products: tuple[Tensor, Tensor], scale: Tensor, mode: str, detach_scale: bool) -> Flatness:
    """Mean over points of ‖product − c²·probe‖², in the unit of the mode."""
    product, probe = products
    used = scale.detach() if detach_scale else scale
    if mode == "paper":
        squares = (product - used * probe).square()
    else:
        squares = (product / used.clamp_min(MIN_SCALE) - probe).square() / probe.shape[-1] ** 2
    return Flatness(squares.flatten(1).sum(1).mean(), scale)
