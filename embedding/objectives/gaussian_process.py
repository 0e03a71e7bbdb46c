"""Gaussian-process regression of latents over known positions, such as time: posterior mean and variance.

Each latent dimension is a process of its own, with its own kernel. All is computed in double precision and in batches:
leading dimensions are independent groups.

References
----------
Rasmussen, Williams: Gaussian processes for machine learning, 2006, equations 2.25, 2.26, 2.30 and 5.9.
Yoo et al.: Variational auto-encoded regression, CVPR 2017, section 3.2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

JITTER = (0.0, 1e-10, 1e-8, 1e-6, 1e-4)
"""Shares of the mean variance that are added to a covariance's diagonal, one after the other, until it has a Cholesky
factor."""
LEARNING_RATE_FACTOR = 10.0
"""Learning rate of the logarithms of a trained kernel, as a multiple of the networks': an optimiser's step is about the
same for every parameter, and with 1e-3 a step a kernel would need thousands of steps to move far."""
PRIOR_STD = 3.0
"""Prior standard deviation of the logarithms of length, signal and noise: a factor of 20."""
INITIAL_NOISE = 0.05
"""Noise that optimisation starts from, as a share of the signal."""
LENGTHS = (0.1, 0.3, 1.0)
"""Lengths that `fit` starts from, as shares of the positions' standard deviation."""


@dataclass(frozen=True)
class Kernel:
    """Squared-exponential covariance of d processes over positions of k dimensions, and the noise of observations.

    ``signal · exp(−½ Σ ((x − x') / length)²)``

    Attributes
    ----------
    length : float64 [d k]
        In the positions' units.
    signal, noise : float64 [d]
        Variances, in squared units of the latents.
    """

    length: Tensor
    signal: Tensor
    noise: Tensor

    def covariance(self, a: Tensor, b: Tensor) -> Tensor:
        """Covariances float64 [… d n m] of the processes at positions [… n k] and [… m k], without noise."""
        a, b = (x.double().unsqueeze(-3) / self.length.unsqueeze(-2) for x in (a, b))
        squared_distance = (a.unsqueeze(-2) - b.unsqueeze(-3)).square().sum(-1)
        return self.signal[:, None, None] * torch.exp(-0.5 * squared_distance)


@dataclass(frozen=True)
class GaussianProcessPosterior:
    """Posterior of the processes at some positions.

    Attributes
    ----------
    mean, variance : float64 [… m d]
        Of the processes, without the noise of observations.
    """

    mean: Tensor
    variance: Tensor


def regress(kernel: Kernel, positions: Tensor, latents: Tensor, queries: Tensor) -> GaussianProcessPosterior:
    """Posterior of the latents at queried positions, given observed ones; the prior mean is 0.

    Parameters
    ----------
    kernel : Kernel
    positions : [… n k]
        Positions of the observed latents.
    latents : [… n d]
    queries : [… m k]
        Positions of the latents to regress.

    Raises
    ------
    ValueError
        If a covariance is not positive definite even with the most jitter, as with values that are not finite.
    """
    factor = _factor(kernel, positions)
    cross = kernel.covariance(positions, queries)
    # K⁻¹ through the triangular factor L of K = L Lᵀ
    inner = torch.linalg.solve_triangular(factor, cross, upper=False)
    whitened = torch.linalg.solve_triangular(factor, _columns(latents), upper=False)
    mean = (inner * whitened).sum(-2)
    variance = (kernel.signal[:, None] - inner.square().sum(-2)).clamp_min(0)
    return GaussianProcessPosterior(mean.transpose(-1, -2), variance.transpose(-1, -2))


def log_marginal(kernel: Kernel, positions: Tensor, latents: Tensor) -> Tensor:
    """Log marginal likelihood [… d] of latents [… n d] at positions [… n k], nats.

    Raises
    ------
    ValueError
        As `regress`.
    """
    factor = _factor(kernel, positions)
    whitened = torch.linalg.solve_triangular(factor, _columns(latents), upper=False).squeeze(-1)
    volume = factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    value: Tensor = -0.5 * whitened.square().sum(-1) - volume - 0.5 * positions.shape[-2] * math.log(2 * math.pi)
    return value


def fit(positions: Tensor, latents: Tensor, steps: int = 60) -> Kernel:
    """Kernels of maximum a posteriori for latents [n d] at positions [n k].

    L-BFGS on the logarithms with a wide Gaussian prior, from short, middle and long lengths; the best is kept for each
    of the d processes. Latents should be centred. Deterministic.

    Raises
    ------
    ValueError
        If there are fewer than two positions that differ, or numbers are not finite.
    """
    x, z = positions.detach().double(), latents.detach().double()
    if len(x) < 2 or not bool(x.isfinite().all() and z.isfinite().all()) or not bool((x != x[:1]).any()):
        raise ValueError(f"regression: expected finite latents at two or more different positions, got {len(x)}")
    unit = x.std(0).clamp_min(1e-12)
    scale = z.std(0).clamp_min(1e-9 * max(float(z.abs().max()), 1.0))
    best, score = _optimised(x / unit, z / scale, LENGTHS[0], steps)
    for length in LENGTHS[1:]:
        other, other_score = _optimised(x / unit, z / scale, length, steps)
        better = other_score > score
        best, score = torch.where(better[:, None], other, best), torch.where(better, other_score, score)
    kernel = _kernel(best)
    return Kernel(kernel.length * unit, kernel.signal * scale**2, kernel.noise * scale**2)


class TrainedKernel(nn.Module):
    """Kernels of d processes whose logarithms are parameters of a model.

    Parameters
    ----------
    dim, positions : int
        d and k of `Kernel`.
    """

    def __init__(self, dim: int, positions: int) -> None:
        super().__init__()
        self._shape = (dim, positions + 2)
        self.raw = nn.Parameter(torch.zeros(dim * (positions + 2)))

    def forward(self) -> Kernel:
        """The current kernels; initially of unit length and signal, as in the paper."""
        return _kernel(_initial_logarithms(1.0, self._shape[1] - 2, self.raw) + self._offset)

    def negative_log_prior(self) -> Tensor:
        """Negative log-density of the kernels' prior, up to a constant; it bounds what no sequence determines."""
        return 0.5 * (self._offset / PRIOR_STD).square().sum()

    @property
    def _offset(self) -> Tensor:
        """Logarithms [d k+2], relative to the initial ones."""
        return LEARNING_RATE_FACTOR * self.raw.double().view(self._shape)


def with_noise(posterior: GaussianProcessPosterior, kernel: Kernel) -> GaussianProcessPosterior:
    """The posterior of observations: its variance includes their noise."""
    return replace(posterior, variance=posterior.variance + kernel.noise)


def _optimised(x: Tensor, z: Tensor, length: float, steps: int) -> tuple[Tensor, Tensor]:
    """Logarithms [d k+2] optimised from an initial length, and the log-posterior of each process [d]."""
    initial = _initial_logarithms(length, x.shape[1], x).expand(z.shape[1], -1)
    offset = torch.zeros_like(initial).requires_grad_()
    optimiser = torch.optim.LBFGS([offset], max_iter=steps, line_search_fn="strong_wolfe")

    def log_posterior() -> Tensor:
        return log_marginal(_kernel(initial + offset), x, z) - 0.5 * (offset / PRIOR_STD).square().sum(1)

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = -log_posterior().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    with torch.enable_grad():
        optimiser.step(closure)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        return initial + offset, log_posterior()


def _initial_logarithms(length: float, k: int, like: Tensor) -> Tensor:
    """Logarithms [k+2] of a kernel of this length, unit signal and little noise, on the device of ``like``."""
    values = [math.log(length)] * k + [0.0, math.log(INITIAL_NOISE)]
    return torch.tensor(values, dtype=torch.float64, device=like.device)


def _kernel(logarithms: Tensor) -> Kernel:
    """Kernels from logarithms [d k+2] of lengths, signal and noise."""
    values = logarithms.exp()
    return Kernel(values[:, :-2], values[:, -2], values[:, -1])


def _columns(latents: Tensor) -> Tensor:
    return latents.double().transpose(-1, -2).unsqueeze(-1)


def _factor(kernel: Kernel, positions: Tensor) -> Tensor:
    """Cholesky factor [… d n n] of the covariance of observations."""
    covariance = kernel.covariance(positions, positions)
    eye = torch.eye(covariance.shape[-1], dtype=covariance.dtype, device=covariance.device)
    scale = (kernel.signal + kernel.noise)[:, None, None]
    covariance = covariance + kernel.noise[:, None, None] * eye
    share = torch.zeros_like(covariance[..., :1, :1])
    factor: Tensor
    singular = torch.ones_like(share, dtype=torch.bool)
    for jitter in JITTER:
        share = torch.where(singular, jitter, share)
        factor, failed = torch.linalg.cholesky_ex(covariance + share * scale * eye)
        singular = (failed > 0)[..., None, None]
        if not bool(singular.any()):
            return factor
    raise ValueError("regression: expected a positive definite covariance, got none with any jitter")
