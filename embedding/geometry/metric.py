"""The pullback metric of a decoder in the latent space, and statistics of it.

With J the Jacobian of the decoder's mean, G = JᵀJ measures how far a small step in the latent space moves the decoded
sample. A latent space is flat where G = c²·1 everywhere: then Euclidean distance is proportional to distance along
the data.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from flatsort.embedding.objectives.flatness import Decode, jacobian

FLOOR = 1e-12
"""Eigenvalues of the metric below this share of the largest one are rounding errors and raised to this share."""
DIRECTIONS = 16
"""Derivatives computed at a time; more is faster and takes more memory."""


@dataclass(frozen=True)
class MetricStatistics:
    """Statistics of metric tensors at a number of points; all numbers are finite.

    Attributes
    ----------
    condition_median, condition_mean : float
        Of the condition number λmax/λmin of G: 1 where G is a multiple of the identity.
    log_magnification : float
        Mean of ½ log det G, nats: how much the decoder magnifies volume.
    magnification_std : float
        Standard deviation of ½ log det G over the points, nats: 0 if the magnification is the same everywhere.
    flatness : float
        E tr G² / (E tr G)² − 1/d: 0 if and only if G = c²·1 at all points, whatever c is.
    scale : float
        c² = E tr G / d, squared units of the samples per squared unit of the latent space.
    singular : int
        Points where eigenvalues were below `FLOOR` times the largest of all points, and were set to it.
    points : int
    """

    condition_median: float
    condition_mean: float
    log_magnification: float
    magnification_std: float
    flatness: float
    scale: float
    singular: int
    points: int


def metric_tensor(decode: Decode, latents: Tensor, chunk: int = 64) -> Tensor:
    """Exact metric tensors G = JᵀJ at latents.

    Parameters
    ----------
    decode : callable
        Decoder; its rows must not depend on each other.
    latents : Tensor [n d]
    chunk : int
        Latents at a time, to bound memory.

    Returns
    -------
    float64 [n d d]
        The Jacobian is computed in the decoder's precision, the product in float64, on the CPU.

    References
    ----------
    Chen et al., Metrics for deep generative models, AISTATS 2018, eq. 3.
    """
    dim = latents.shape[1]
    tensors = [latents.new_zeros(0, dim, dim, dtype=torch.float64, device="cpu")]
    with torch.no_grad():
        for rows in torch.split(latents, chunk):
            columns = jacobian(decode, rows, DIRECTIONS).double()
            tensors.append((columns.mT @ columns).cpu())
    return torch.cat(tensors)


def log_magnification(tensors: Tensor) -> Tensor:
    """½ log det G [n] of metric tensors [n d d], nats; eigenvalues as in `spectrum`."""
    return spectrum(tensors)[0].log().sum(1) / 2


def spectrum(tensors: Tensor) -> tuple[Tensor, int]:
    """Eigenvalues of metric tensors, and the number of points with eigenvalues that were raised to `FLOOR`.

    A decoder that ignores a latent dimension has a singular metric. Its logarithm would be infinite and its condition
    number a rounding error; so eigenvalues below `FLOOR` times the largest one of all points are set to that.

    Parameters
    ----------
    tensors : float64 [n d d]

    Returns
    -------
    float64 [n d]
        Ascending and above zero.
    int
        Points with at least one eigenvalue that was raised.

    Raises
    ------
    ValueError
        If there are no tensors, one is not finite, or all are zero.
    """
    if len(tensors) == 0:
        raise ValueError("metric: expected one point or more, got none")
    if not bool(tensors.isfinite().all()):
        raise ValueError("metric: the decoder's derivative is not finite")
    values: Tensor = torch.linalg.eigvalsh(tensors.double())
    least = FLOOR * values.max()
    if least <= 0:
        raise ValueError(
            "metric: the decoder gives the same sample for all latents, so that there is nothing to measure"
        )
    return values.clamp_min(least), int((values[:, 0] < least).sum())


def metric_statistics(tensors: Tensor) -> MetricStatistics:
    """How far from flat a latent space is at the points of metric tensors [n d d].

    Raises
    ------
    ValueError
        See `spectrum`.

    References
    ----------
    Chen et al., Learning flat latent manifolds with VAEs, ICML 2020, eq. 10 and section 4 (condition number and
    normalised magnification factor).
    """
    values, singular = spectrum(tensors)
    dim = values.shape[1]
    condition = values[:, -1] / values[:, 0]
    log_volume = values.log().sum(1) / 2
    # traces of the tensors themselves, without raised eigenvalues
    trace = tensors.double().diagonal(dim1=1, dim2=2).sum(1).mean()
    square = tensors.double().square().sum((1, 2)).mean()
    return MetricStatistics(
        condition_median=float(condition.median()),
        condition_mean=float(condition.mean()),
        log_magnification=float(log_volume.mean()),
        magnification_std=float(log_volume.std(correction=0)),
        flatness=float(square / trace**2) - 1 / dim,
        scale=float(trace) / dim,
        singular=singular,
        points=len(tensors),
    )
