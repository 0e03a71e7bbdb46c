"""Gaussian-process regression of latents: what a sequence's latents are where they were not seen, and how surely.

Every number of a latent is a process of its own, with its own kernel. All is computed in double precision and in
batches: leading dimensions are groups that know nothing of each other.

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
"""Shares of the mean variance that are added to a covariance's diagonal, one after the other, until it has a factor."""
RATE = 10.0
"""How much faster than the networks the logarithms of a trained kernel change: an optimiser's step is about the same
for every parameter, and 1e-3 a step would take a kernel from anywhere to anywhere in a few thousand steps only."""
SPREAD = 3.0
"""Standard deviation of the logarithms of length, signal and noise before anything is seen: a factor of 20."""
START_NOISE = 0.05
"""Noise before anything is seen, as a share of the signal."""
LENGTHS = (0.1, 0.3, 1.0)
"""Lengths, as shares of the positions' deviation, that `fit` begins with."""


@dataclass(frozen=True)
class Kernel:
    """Squared-exponential covariance of d processes over positions of k numbers, and the noise on what is seen.

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
        """Of the processes at positions [… n k] and [… m k], without noise: float64 [… d n m]."""
        a, b = (x.double().unsqueeze(-3) / self.length.unsqueeze(-2) for x in (a, b))
        apart = (a.unsqueeze(-2) - b.unsqueeze(-3)).square().sum(-1)
        return self.signal[:, None, None] * torch.exp(-0.5 * apart)


@dataclass(frozen=True)
class Regressed:
    """Posterior of the processes at some positions.

    Attributes
    ----------
    mean, variance : float64 [… m d]
        Of the processes; what is seen there varies by the kernel's noise more.
    """

    mean: Tensor
    variance: Tensor


def regress(kernel: Kernel, positions: Tensor, latents: Tensor, wanted: Tensor) -> Regressed:
    """Latents at wanted positions, given those that were observed: a priori their mean is 0.

    Parameters
    ----------
    kernel : Kernel
    positions : [… n k]
        Where latents were observed.
    latents : [… n d]
    wanted : [… m k]

    Raises
    ------
    ValueError
        If a covariance is not positive definite even with the most jitter, as with numbers that are not finite.
    """
    factor = _factor(kernel, positions)
    cross = kernel.covariance(positions, wanted)
    # K⁻¹ through the triangular factor L of K = L Lᵀ
    inner = torch.linalg.solve_triangular(factor, cross, upper=False)
    seen = torch.linalg.solve_triangular(factor, _columns(latents), upper=False)
    mean = (inner * seen).sum(-2)
    variance = (kernel.signal[:, None] - inner.square().sum(-2)).clamp_min(0)
    return Regressed(mean.transpose(-1, -2), variance.transpose(-1, -2))


def log_marginal(kernel: Kernel, positions: Tensor, latents: Tensor) -> Tensor:
    """Log-likelihood [… d] of latents [… n d] at positions [… n k], over what the processes may be, nats.

    Raises
    ------
    ValueError
        As `regress`.
    """
    factor = _factor(kernel, positions)
    seen = torch.linalg.solve_triangular(factor, _columns(latents), upper=False).squeeze(-1)
    volume = factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    likely: Tensor = -0.5 * seen.square().sum(-1) - volume - 0.5 * positions.shape[-2] * math.log(2 * math.pi)
    return likely


def fit(positions: Tensor, latents: Tensor, steps: int = 60) -> Kernel:
    """The kernels under which latents [n d] at positions [n k] are likeliest.

    L-BFGS on the logarithms with a wide Gaussian prior, from short, middle and long lengths; the best is kept, for each
    of the d numbers. Latents should be centred. It has no chance.

    Raises
    ------
    ValueError
        If there are fewer than two positions that differ, or numbers are not finite.
    """
    x, z = positions.detach().double(), latents.detach().double()
    if len(x) < 2 or not bool(x.isfinite().all() and z.isfinite().all()) or not bool((x != x[:1]).any()):
        raise ValueError(f"regression: expected finite latents at two or more different positions, got {len(x)}")
    unit = x.std(0).clamp_min(1e-12)
    size = z.std(0).clamp_min(1e-9 * max(float(z.abs().max()), 1.0))
    best, score = _searched(x / unit, z / size, LENGTHS[0], steps)
    for length in LENGTHS[1:]:
        other, likely = _searched(x / unit, z / size, length, steps)
        won = likely > score
        best, score = torch.where(won[:, None], other, best), torch.where(won, likely, score)
    kernel = _kernel(best)
    return Kernel(kernel.length * unit, kernel.signal * size**2, kernel.noise * size**2)


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
        """The kernels now: at first of unit length and signal, as the paper's."""
        return _kernel(_start(1.0, self._shape[1] - 2, self.raw) + self._moved)

    def surprise(self) -> Tensor:
        """Negative log-density of the kernels' prior, less a constant: it holds what no sequence determines."""
        return 0.5 * (self._moved / SPREAD).square().sum()

    @property
    def _moved(self) -> Tensor:
        return RATE * self.raw.double().view(self._shape)


def with_noise(regressed: Regressed, kernel: Kernel) -> Regressed:
    """The posterior of what is seen, noise and all."""
    return replace(regressed, variance=regressed.variance + kernel.noise)


def _searched(x: Tensor, z: Tensor, length: float, steps: int) -> tuple[Tensor, Tensor]:
    """Logarithms [d k+2] found from a starting length, and how likely they make each process [d]."""
    start = _start(length, x.shape[1], x).expand(z.shape[1], -1)
    moved = torch.zeros_like(start).requires_grad_()
    search = torch.optim.LBFGS([moved], max_iter=steps, line_search_fn="strong_wolfe")

    def likely() -> Tensor:
        return log_marginal(_kernel(start + moved), x, z) - 0.5 * (moved / SPREAD).square().sum(1)

    def closure() -> Tensor:
        search.zero_grad()
        loss = -likely().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    with torch.enable_grad():
        search.step(closure)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        return start + moved, likely()


def _start(length: float, k: int, like: Tensor) -> Tensor:
    """Logarithms [k+2] of a kernel of this length, unit signal and little noise, on the device of ``like``."""
    values = [math.log(length)] * k + [0.0, math.log(START_NOISE)]
    return torch.tensor(values, dtype=torch.float64, device=like.device)


def _kernel(logarithms: Tensor) -> Kernel:
    """From logarithms [d k+2]: lengths, signal, noise."""
    values = logarithms.exp()
    return Kernel(values[:, :-2], values[:, -2], values[:, -1])


def _columns(latents: Tensor) -> Tensor:
    return latents.double().transpose(-1, -2).unsqueeze(-1)


def _factor(kernel: Kernel, positions: Tensor) -> Tensor:
    """Cholesky factor [… d n n] of the covariance of what is seen."""
    clean = kernel.covariance(positions, positions)
    eye = torch.eye(clean.shape[-1], dtype=clean.dtype, device=clean.device)
    scale = (kernel.signal + kernel.noise)[:, None, None]
    covariance = clean + kernel.noise[:, None, None] * eye
    share = torch.zeros_like(covariance[..., :1, :1])
    factor: Tensor
    wrong = torch.ones_like(share, dtype=torch.bool)
    for jitter in JITTER:
        share = torch.where(wrong, jitter, share)
        factor, failed = torch.linalg.cholesky_ex(covariance + share * scale * eye)
        wrong = (failed > 0)[..., None, None]
        if not bool(wrong.any()):
            return factor
    raise ValueError("regression: expected a positive definite covariance, got none with any jitter")
