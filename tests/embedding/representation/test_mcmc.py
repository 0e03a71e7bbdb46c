"""Metropolis and its diagnostics against densities and processes that are known in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import signal
from torch import Tensor

from flatsort.embedding.random_generator import RandomGenerator
from flatsort.embedding.representation.mcmc import Chains, effective_size, metropolis, split_r_hat, starts

MEANS = torch.tensor([[0.0, 0.0], [3.0, -1.0], [0.5, 8.0]])
FACTORS = torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[0.1, 0.0], [0.08, 0.02]], [[5.0, 0.0], [-1.0, 0.3]]])


def gaussians(points: Tensor) -> Tensor:
    """Three Gaussians of very different sizes, one of them nearly a line; [c 3 2] → [c 3]."""
    standard = torch.linalg.solve_triangular(FACTORS, (points - MEANS)[..., None], upper=False)[..., 0]
    density: Tensor = -0.5 * standard.square().sum(-1)
    return density


def autoregressive(rho: float, steps: int, chains: int) -> Tensor:
    """Chains [s c] of a stationary process whose correlation at lag k is ρᵏ."""
    generator = np.random.default_rng(0).normal(size=(steps + 500, chains))
    return torch.from_numpy(signal.lfilter([1.0], [1.0, -rho], generator, axis=0)[500:].copy())


@pytest.fixture(scope="module")
def sampled() -> Chains:
    return metropolis(
        gaussians, MEANS + RandomGenerator(0, "start").normal(8, 3, 2), RandomGenerator(0, "mcmc"), 1000, 400
    )


def test_moments_of_gaussians(sampled: Chains) -> None:
    """Within four standard errors that follow from the effective size."""
    mean, covariance = sampled.moments()
    expected = FACTORS.double() @ FACTORS.double().transpose(1, 2)
    std = expected.diagonal(dim1=1, dim2=2).sqrt()
    size = effective_size(sampled.draws)
    assert ((mean - MEANS).abs() < 4 * std / size.sqrt()).all()
    error = (covariance - expected).abs() / (std[:, :, None] * std[:, None])
    assert (error < 4 * math.sqrt(2) / size.min().sqrt()).all()


def test_the_proposal_is_tuned(sampled: Chains) -> None:
    assert ((sampled.acceptance > 0.2) & (sampled.acceptance < 0.5)).all()
    assert (split_r_hat(sampled.draws) < 1.03).all()
    # the effective size of an optimal random walk is about a tenth of its steps, for the narrow Gaussian, too
    assert (effective_size(sampled.draws) > 0.05 * 8 * 1000).all()
    assert sampled.draws.shape == (1000, 8, 3, 2)
    assert sampled.pooled().shape == (3, 8000, 2)


def test_the_same_generator_gives_the_same_chains() -> None:
    first, same, other = (
        metropolis(gaussians, MEANS.expand(2, 3, 2), RandomGenerator(seed), 10, 40).draws for seed in (0, 0, 1)
    )
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_a_density_with_an_edge() -> None:
    """Uniform over a square: no chain leaves it."""

    def box(points: Tensor) -> Tensor:
        return torch.where(points.abs().amax(-1) < 1, 0.0, -math.inf)

    chains = metropolis(box, torch.zeros(8, 1, 2), RandomGenerator(0), 1000, 300)
    assert chains.draws.abs().max() < 1
    assert chains.moments()[1][0].diagonal().tolist() == pytest.approx([1 / 3, 1 / 3], rel=0.08)


@pytest.mark.parametrize("burn_in", [44, 45, 46, 47])
def test_any_burn_in_tunes(burn_in: int) -> None:
    chains = metropolis(gaussians, MEANS.expand(8, 3, 2), RandomGenerator(0), 50, burn_in)
    assert ((chains.acceptance > 0.1) & (chains.acceptance < 0.7)).all()
    assert (chains.draws.std(0) > 0).all()


def test_starting_points_are_in_proportion_to_the_modes() -> None:
    """Two narrow modes, one with three quarters of the mass, under a standard normal prior."""

    def modes(points: Tensor) -> Tensor:
        left, right = (-0.5 * ((points - m) / 0.1).square().sum(-1) for m in (-1.0, 1.0))
        likelihood = torch.logaddexp(left + math.log(0.75), right + math.log(0.25))
        return likelihood - 0.5 * points.square().sum(-1)

    prior = RandomGenerator(0, "prior").normal(4000, 1)
    points = starts(lambda z: modes(z).expand(-1, 2), prior, 2000, RandomGenerator(0, "starts"))
    assert points.shape == (2000, 2, 1)
    assert (points < 0).float().mean((0, 2)).tolist() == pytest.approx([0.75, 0.75], abs=0.08)
    assert (points.abs() - 1).abs().max() < 0.5


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_effective_size_of_an_autoregressive_process(rho: float) -> None:
    chains = autoregressive(rho, 4000, 4)
    assert float(effective_size(chains)) == pytest.approx(16000 * (1 - rho) / (1 + rho), rel=0.15)
    assert float(split_r_hat(chains)) == pytest.approx(1, abs=0.02)


def test_chains_that_have_not_mixed_are_detected() -> None:
    chains = autoregressive(0.5, 1000, 4)
    apart = chains + 3 * torch.arange(4)
    assert split_r_hat(apart) > 1.5
    assert effective_size(apart) < 20
    drifting = chains + torch.linspace(0, 8, 1000)[:, None].double()
    assert split_r_hat(drifting) > 1.5
    # R̂ by its definition, of four halves of two chains
    halves = torch.cat([apart[:500, :2], apart[500:, :2]], 1)
    between, within = 500 * halves.mean(0).var(), halves.var(0).mean()
    expected = ((499 / 500 * within + between / 500) / within).sqrt()
    assert float(split_r_hat(apart[:, :2])) == pytest.approx(float(expected))
    assert split_r_hat(torch.zeros(10, 2)) == 1


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="expected steps ≥ 4 and burn-in ≥ 40, got 3 and 40"):
        metropolis(gaussians, MEANS[None], RandomGenerator(0), 3, 40)
    with pytest.raises(ValueError, match="finite where the chains start"):
        metropolis(lambda z: gaussians(z) * math.nan, MEANS[None], RandomGenerator(0), 4, 40)
