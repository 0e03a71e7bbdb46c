"""Diagonal Gaussians against torch.distributions."""

from __future__ import annotations

import torch
from torch.distributions import MultivariateNormal, kl_divergence

from flatsort.embedding.objectives.kl import MAX_LOG_STD, Gaussian, log_normal
from flatsort.embedding.random_generator import RandomGenerator

N, D = 20, 7


def made(seed: int = 0) -> tuple[Gaussian, MultivariateNormal]:
    raw = RandomGenerator(seed).normal(N, 2 * D)
    ours = Gaussian.from_output(raw)
    return ours, MultivariateNormal(ours.mean, torch.diag_embed((2 * ours.log_std).exp()))


def test_density_and_divergence_are_those_of_torch() -> None:
    ours, theirs = made()
    values = RandomGenerator(1).normal(N, D) * 3
    standard = MultivariateNormal(torch.zeros(N, D), torch.eye(D))
    torch.testing.assert_close(ours.log_density(values), theirs.log_prob(values))  # type: ignore[no-untyped-call]
    torch.testing.assert_close(ours.kl(), kl_divergence(theirs, standard))
    torch.testing.assert_close(log_normal(values), standard.log_prob(values))  # type: ignore[no-untyped-call]


def test_the_divergence_is_the_mean_of_the_log_ratio() -> None:
    ours, _ = made()
    draws = ours.sample(RandomGenerator(2).normal(20000, N, D))
    ratios = ours.log_density(draws) - log_normal(draws)
    error = ratios.std(0) / len(draws) ** 0.5
    assert ((ratios.mean(0) - ours.kl()).abs() < 4 * error).all()


def test_draws_have_the_gradient_of_mean_and_standard_deviation() -> None:
    raw = torch.zeros(1, 2 * D, requires_grad=True)
    normal = RandomGenerator(3).normal(1, D)
    (gradient,) = torch.autograd.grad(Gaussian.from_output(raw).sample(normal).sum(), raw)
    torch.testing.assert_close(gradient, torch.cat([torch.ones(1, D), normal], 1))


def test_small_outputs_are_log_stds_and_huge_ones_stay_finite() -> None:
    small = torch.tensor([[0.0, 0.1]])
    torch.testing.assert_close(Gaussian.from_output(small).log_std, small[:, 1:], rtol=1e-4, atol=0)
    raw = torch.tensor([[0.0, 1e6], [0.0, -1e6], [0.0, 20.0]], requires_grad=True)
    gaussian = Gaussian.from_output(raw)
    assert gaussian.log_std.abs().max() <= MAX_LOG_STD
    terms = gaussian.kl() + gaussian.log_density(torch.ones(3, 1))
    assert terms.isfinite().all()
    (gradient,) = torch.autograd.grad(gaussian.kl()[2], raw)
    assert gradient[2, 1] > 0  # beyond the bound something still leads back


def test_half_precision_outputs_are_computed_in_single() -> None:
    gaussian = Gaussian.from_output(torch.zeros(2, 4, dtype=torch.bfloat16))
    assert gaussian.kl().dtype == gaussian.log_density(torch.zeros(2, 2)).dtype == torch.float32
