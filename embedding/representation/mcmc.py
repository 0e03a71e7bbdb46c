"""Random-walk Metropolis for many densities and many chains at once, and convergence diagnostics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from flatsort.embedding.objectives.kl import log_normal
from flatsort.embedding.random_generator import RandomGenerator

LogDensity = Callable[[Tensor], Tensor]
"""Points [c n d] of c chains in n spaces → log-density [c n] of each, up to a constant per space."""

GAIN = 0.6
"""Exponent of the decreasing gain with which burn-in adapts the size of the proposal."""


@dataclass(frozen=True, eq=False)
class Chains:
    """Samples after burn-in, drawn with a fixed proposal.

    Attributes
    ----------
    draws : float32 [s c n d]
        Steps, chains, densities, dimensions.
    acceptance : float32 [n]
        Share of the proposals that were accepted.
    """

    draws: Tensor
    acceptance: Tensor

    def pooled(self) -> Tensor:
        """All draws of all chains, [n s·c d]."""
        return self.draws.flatten(0, 1).transpose(0, 1)

    def moments(self) -> tuple[Tensor, Tensor]:
        """Mean [n d] and covariance [n d d] over all chains, float64."""
        pooled = self.pooled().double()
        apart = pooled - pooled.mean(1, keepdim=True)
        return pooled.mean(1), apart.transpose(1, 2) @ apart / (pooled.shape[1] - 1)


@torch.no_grad()
def metropolis(
    log_density: LogDensity, start: Tensor, generator: RandomGenerator, steps: int = 2000, burn_in: int = 1000
) -> Chains:
    """Sample densities that are known up to a constant.

    A proposal is a normal step, accepted with the Metropolis probability min(1, ratio of the densities). During burn-in
    the size of the steps is adapted towards the optimal acceptance, and half way through their covariance is set to
    that of the chains, for each density. Then both are fixed, so that the samples are a Markov chain with the right
    stationary distribution.

    Parameters
    ----------
    log_density : callable
    start : float32 [c n d]
        Where c chains start in each of n densities: far apart, so that a lack of mixing shows.
    generator : RandomGenerator
    steps, burn_in : int
        Steps that are kept, and burn-in steps before them; at least 40 of these.

    Raises
    ------
    ValueError
        If there are too few steps, or the density is not finite at the start.

    References
    ----------
    Roberts and Rosenthal, Optimal scaling for various Metropolis–Hastings algorithms, Statistical Science 2001 (optimal
    acceptance, 0.44 in one dimension to 0.234 in many). Haario et al., An adaptive Metropolis algorithm, Bernoulli
    2001.
    """
    if steps < 4 or burn_in < 40:
        raise ValueError(f"mcmc: expected steps ≥ 4 and burn-in ≥ 40, got {steps} and {burn_in}")
    _, n, d = start.shape
    target = 0.234 + (0.44 - 0.234) / d
    points, value = start, log_density(start)
    if not bool(value.isfinite().all()):
        raise ValueError("mcmc: expected a log-density that is finite where the chains start, got another")
    size = torch.full((n,), 2.38 / d**0.5).log()
    root = torch.eye(d).expand(n, d, d)
    history: list[Tensor] = []
    kept: list[Tensor] = []
    accepted = torch.zeros(n)
    half = burn_in // 2
    for step in range(-burn_in, steps):
        if step == -half:
            root, size = _root(torch.stack(history)), torch.full((n,), 2.38 / d**0.5).log()
        move = torch.einsum("nij,cnj->cni", root, generator.normal(*points.shape))
        proposed = points + size.exp()[:, None] * move
        new = log_density(proposed)
        # a proposal whose density is not finite is rejected
        accept = generator.uniform(*value.shape).log() < new - value
        points = torch.where(accept[..., None], proposed, points)
        value = torch.where(accept, new, value)
        share = accept.float().mean(0)
        if step < 0:
            since = step + (burn_in if step < -half else half)
            size = size + (share - target) / (since + 1) ** GAIN
            if -3 * burn_in // 4 <= step < -half:
                history.append(points)
        else:
            kept.append(points)
            accepted += share / steps
    return Chains(torch.stack(kept), accepted)


@torch.no_grad()
def starts(log_density: LogDensity, prior: Tensor, chains: int, generator: RandomGenerator) -> Tensor:
    """Starting points [c n d] of chains: draws [k d] from a prior, resampled with the ratio of the densities as weight.

    Modes that are far from each other then get chains in proportion to their mass.

    Parameters
    ----------
    log_density : callable
        Includes the prior's density, which is divided out.
    prior : float32 [k d]
        Standard normal draws.
    chains : int
    generator : RandomGenerator

    References
    ----------
    Rubin, Using the SIR algorithm to simulate posterior distributions, Bayesian Statistics 3, 1988.
    """
    n = log_density(prior[:1, None]).shape[1]
    weights = log_density(prior[:, None].expand(-1, n, -1)) - log_normal(prior)[:, None]
    cumulative = weights.softmax(0).cumsum(0).T.contiguous()
    drawn = generator.uniform(n, chains) * cumulative[:, -1:]
    return prior[torch.searchsorted(cumulative, drawn).clamp_max(len(prior) - 1)].transpose(0, 1)


def split_r_hat(draws: Tensor) -> Tensor:
    """Potential scale reduction of chains [s c …] split in halves, float64 […]: 1 when all halves agree.

    1 where no chain moves and all are at the same point; infinite where they are at different points.

    References
    ----------
    Gelman et al., Bayesian data analysis, third edition, section 11.4.
    """
    within, total = _variances(_halves(draws))
    return torch.where(total > 0, (total / within).sqrt(), torch.ones_like(total))


def effective_size(draws: Tensor) -> Tensor:
    """Effective sample size of chains [s c …] for their mean, float64 […].

    From autocorrelations over all chains, up to the first pair of lags whose sum is not positive, made to fall.

    References
    ----------
    Geyer, Practical Markov chain Monte Carlo, Statistical Science 1992; Gelman et al., as above, section 11.5.
    """
    chains = _halves(draws)
    s, c = chains.shape[:2]
    centred = chains - chains.mean(0)
    spectrum = torch.fft.rfft(centred, n=2 * s, dim=0)
    covariance = torch.fft.irfft(spectrum.abs().square(), n=2 * s, dim=0)[:s].mean(1) / s
    within, total = _variances(chains)
    correlation = 1 - (within - covariance) / total.clamp_min(1e-300)
    pairs = correlation[: s // 2 * 2].unflatten(0, (-1, 2)).sum(1)
    positive = (pairs > 0).cumprod(0)
    falling = torch.cummin(pairs, 0).values * positive
    time = (2 * falling.sum(0) - 1).clamp_min(1 / torch.tensor(float(s * c)).log10())
    size: Tensor = s * c / time
    return size


def _halves(draws: Tensor) -> Tensor:
    """Chains [s c …] → [s/2 2c …], float64."""
    half = len(draws) // 2
    return torch.cat([draws[:half], draws[-half:]], dim=1).double()


def _variances(chains: Tensor) -> tuple[Tensor, Tensor]:
    """Mean variance within chains, and the estimate of the total variance, which includes that of their means."""
    s = len(chains)
    within = chains.var(0).mean(0)
    return within, (s - 1) / s * within + chains.mean(0).var(0)


def _root(draws: Tensor) -> Tensor:
    """Cholesky factor [n d d] of the regularised covariance within chains of draws [s c n d]."""
    centred = (draws - draws.mean(0)).double()
    covariance = torch.einsum("scni,scnj->nij", centred, centred) / (draws.shape[0] * draws.shape[1])
    scale = covariance.diagonal(dim1=1, dim2=2).mean(1).clamp_min(1e-12)
    ridge = 1e-3 * scale[:, None, None] * torch.eye(draws.shape[3], dtype=torch.float64)
    root: Tensor = torch.linalg.cholesky(covariance + ridge)
    return root.float()
