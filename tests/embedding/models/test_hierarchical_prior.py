"""The importance-weighted bound where the exact value is known: linear maps and Gaussians."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal, kl_divergence

from flatsort.embedding.models.vhp_vae import HierarchicalPrior, PriorConfig
from flatsort.embedding.objectives.kl import MAX_LOG_STD, Gaussian
from flatsort.embedding.random_generator import RandomGenerator

ZETA, DIM = 2, 3
DEVIATION, SHIFT = 0.5, 0.3
LOADING = torch.tensor([[1.0, 0.5], [1.0, -0.5], [0.0, 0.7]])
"""p(z|ζ) = N(LOADING ζ + SHIFT, DEVIATION²)."""


def raw_log(std: float) -> float:
    """The network output of a standard deviation."""
    return MAX_LOG_STD * math.atanh(math.log(std) / MAX_LOG_STD)


def linear_prior(samples: int, loading: Tensor, *, exact: bool) -> HierarchicalPrior:
    """A prior of linear networks; q(ζ|z) is the true posterior (if that is diagonal), or a worse one."""
    prior = HierarchicalPrior(DIM, PriorConfig(dim=ZETA, hidden=[], samples=samples))
    generator, inference = prior.generator[0], prior.inference[0]
    assert isinstance(generator, nn.Linear)
    assert isinstance(inference, nn.Linear)
    precision = torch.eye(ZETA) + loading.T @ loading / DEVIATION**2
    gain = torch.linalg.inv(precision) @ loading.T / DEVIATION**2 * (1 if exact else 0.7)
    std = precision.diagonal().rsqrt() * (1 if exact else 1.5)
    with torch.no_grad():
        generator.weight.copy_(torch.cat([loading, torch.zeros(DIM, ZETA)]))
        generator.bias.copy_(torch.tensor([SHIFT] * DIM + [raw_log(DEVIATION)] * DIM))
        inference.weight.copy_(torch.cat([gain, torch.zeros(ZETA, DIM)]))
        inference.bias.copy_(torch.cat([-SHIFT * gain.sum(1), torch.tensor([raw_log(float(s)) for s in std])]))
    return prior


def marginal(loading: Tensor) -> MultivariateNormal:
    covariance = loading @ loading.T + DEVIATION**2 * torch.eye(DIM)
    return MultivariateNormal(torch.full((DIM,), SHIFT), covariance)


def log_prob(loading: Tensor, z: Tensor) -> Tensor:
    density: Tensor = marginal(loading).log_prob(z)  # type: ignore[no-untyped-call]
    return density


def posteriors(n: int) -> tuple[Gaussian, Tensor]:
    """One posterior, and n draws of it."""
    posterior = Gaussian(torch.tensor([0.5, -0.2, 1.0]), torch.tensor([-1.0, -0.5, -1.5]))
    return posterior, posterior.sample(RandomGenerator(5).normal(n, DIM))


@pytest.mark.parametrize("samples", [1, 16])
def test_with_the_true_posterior_above_the_bound_is_exact(samples: int) -> None:
    loading = LOADING * torch.tensor([[1.0, 1.0], [1.0, 1.0], [1.0, 0.0]])
    loading[:, 1] = torch.tensor([0.5, -0.5, 0.0])  # orthogonal columns: the posterior of ζ is diagonal
    posterior, z = posteriors(50)
    bound = linear_prior(samples, loading, exact=True).bound(z, posterior.log_density(z), RandomGenerator(0))
    torch.testing.assert_close(bound, posterior.log_density(z) - log_prob(loading, z), rtol=1e-4, atol=1e-4)


def test_the_bound_falls_with_samples_to_the_divergence_in_closed_form() -> None:
    posterior, z = posteriors(4000)
    means = {}
    for samples in (1, 4, 16, 256):
        prior = linear_prior(samples, LOADING, exact=False)
        with torch.no_grad():
            means[samples] = float(prior.bound(z, posterior.log_density(z), RandomGenerator(1)).mean())
    q = MultivariateNormal(posterior.mean, torch.diag((2 * posterior.log_std).exp()))
    expected = float(kl_divergence(q, marginal(LOADING)))
    same_draws = float((posterior.log_density(z) - log_prob(LOADING, z)).mean())
    assert means[1] > means[4] + 0.05 > means[16] + 0.05 > means[256]
    assert means[256] == pytest.approx(same_draws, abs=0.01)
    assert means[256] == pytest.approx(expected, abs=0.1)


def test_one_sample_is_the_nested_lower_bound() -> None:
    prior = HierarchicalPrior(DIM, PriorConfig(dim=ZETA, hidden=[8], samples=1))
    posterior, z = posteriors(1)
    z = z.expand(20000, DIM)
    bound = prior.bound(z, posterior.log_density(z), RandomGenerator(2))
    above = Gaussian.from_output(prior.inference(z[:1]))
    zeta = above.sample(RandomGenerator(3).normal(20000, ZETA))
    nested = posterior.log_density(z[:1]) + above.kl() - Gaussian.from_output(prior.generator(zeta)).log_density(z)
    error = (bound.var() / len(bound) + nested.var() / len(nested)).sqrt()
    assert abs(bound.mean() - nested.mean()) < 4 * error


def gradients(prior: HierarchicalPrior, gate: Tensor | None) -> tuple[Tensor, list[Tensor]]:
    z = RandomGenerator(6).normal(9, DIM).requires_grad_()
    bound = prior.bound(z, torch.zeros(9), RandomGenerator(7), gate).mean()
    first, *others = torch.autograd.grad(bound, [z, *prior.parameters()])
    return first, others


def test_the_gate_freezes_the_networks_and_nothing_else() -> None:
    prior = HierarchicalPrior(DIM, PriorConfig(dim=ZETA, hidden=[8], samples=4))
    z_free, free = gradients(prior, None)
    z_open, opened = gradients(prior, torch.tensor(1.0))
    z_shut, shut = gradients(prior, torch.tensor(0.0))
    assert all(g.isfinite().all() and g.abs().sum() > 0 for g in (z_free, *free))
    torch.testing.assert_close(opened, free)
    assert all((g == 0).all() for g in shut)
    torch.testing.assert_close((z_open, z_shut), (z_free, z_free))


def test_samples_have_the_moments_of_the_prior() -> None:
    prior = linear_prior(1, LOADING, exact=False)
    drawn = prior.sample(40000, RandomGenerator(8)).detach()
    expected = marginal(LOADING)
    torch.testing.assert_close(drawn.mean(0), expected.mean, atol=0.03, rtol=0)
    torch.testing.assert_close(drawn.T.cov(), expected.covariance_matrix, atol=0.04, rtol=0)


def test_bad_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"model\.prior: expected dim, samples and hidden of 1 or more, got 16, 0"):
        PriorConfig(samples=0)
