"""Gaussian-process regression against GPyTorch and scikit-learn."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from torch import Tensor

from flatsort.embedding.objectives.gaussian_process import Kernel, TrainedKernel, fit, log_marginal, regress, with_noise
from flatsort.embedding.random_generator import RandomGenerator

with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)  # of torch.jit, at the import
    import gpytorch

KERNEL = Kernel(
    torch.tensor([[0.7, 1.5], [0.3, 4.0], [2.0, 0.9]]).double(),
    torch.tensor([1.3, 0.6, 2.0]).double(),
    torch.tensor([0.02, 0.1, 1e-4]).double(),
)


def observations(n: int = 20, m: int = 7) -> tuple[Tensor, Tensor, Tensor]:
    """Positions [n 2], latents [n 3] on smooth surfaces, queried positions [m 2]."""
    x = RandomGenerator(0).uniform(n, 2).double() * 3
    z = torch.stack([torch.sin(2 * x[:, 0]), torch.cos(x[:, 1]) * x[:, 0], x.sum(1) - 3], dim=1)
    return x, z + 0.1 * RandomGenerator(1).normal(n, 3).double(), RandomGenerator(2).uniform(m, 2).double() * 3


class _Exact(gpytorch.models.ExactGP):  # type: ignore[misc]
    def __init__(self, x: Tensor, z: Tensor, likelihood: Any) -> None:
        super().__init__(x, z, likelihood)
        self.mean_module = gpytorch.means.ZeroMean()
        self.covar_module = gpytorch.kernels.ScaleKernel(gpytorch.kernels.RBFKernel(ard_num_dims=2))

    def forward(self, x: Tensor) -> Any:
        return gpytorch.distributions.MultivariateNormal(self.mean_module(x), self.covar_module(x))


def gpytorch_posterior(d: int) -> tuple[Tensor, Tensor, float]:
    """Posterior mean and variance [m] of process d, and the log marginal likelihood."""
    x, z, queries = observations()
    noise_constraint = gpytorch.constraints.GreaterThan(1e-8)
    model = _Exact(x, z[:, d], gpytorch.likelihoods.GaussianLikelihood(noise_constraint=noise_constraint)).double()
    model.covar_module.outputscale = KERNEL.signal[d]
    model.covar_module.base_kernel.lengthscale = KERNEL.length[d]
    model.likelihood.noise = KERNEL.noise[d]
    with torch.no_grad(), gpytorch.settings.fast_computations(False, False, False):
        model.train()
        log_likelihood = gpytorch.mlls.ExactMarginalLogLikelihood(model.likelihood, model)(model(x), z[:, d]) * len(x)
        model.eval()
        posterior = model(queries)
        return posterior.mean, posterior.variance, float(log_likelihood)


@pytest.mark.parametrize("d", range(3))
def test_gpytorch_gives_the_same(d: int) -> None:
    x, z, queries = observations()
    posterior, log_likelihood = regress(KERNEL, x, z, queries), log_marginal(KERNEL, x, z)
    mean, variance, evidence = gpytorch_posterior(d)
    torch.testing.assert_close(posterior.mean[:, d], mean, rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(posterior.variance[:, d], variance, rtol=1e-5, atol=1e-8)
    assert log_likelihood[d].item() == pytest.approx(evidence, rel=1e-8)


@pytest.mark.parametrize("d", range(3))
def test_scikit_learn_gives_the_same(d: int) -> None:
    x, z, queries = observations()
    posterior = with_noise(regress(KERNEL, x, z, queries), KERNEL)
    kernel = ConstantKernel(KERNEL.signal[d].item()) * RBF(KERNEL.length[d].numpy()) + WhiteKernel(
        KERNEL.noise[d].item()
    )
    peer = GaussianProcessRegressor(kernel, optimizer=None, alpha=0.0).fit(x.numpy(), z[:, d].numpy())
    mean, std = peer.predict(queries.numpy(), return_std=True)
    np.testing.assert_allclose(posterior.mean[:, d], mean, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(posterior.variance[:, d].sqrt(), std, rtol=1e-6)
    assert log_marginal(KERNEL, x, z)[d].item() == pytest.approx(peer.log_marginal_likelihood_value_, rel=1e-9)


def test_fitted_kernels_are_as_likely_as_scikit_learns() -> None:
    x, z, _ = observations(40)
    z = z - z.mean(0)
    log_likelihood = log_marginal(fit(x, z), x, z)
    for d in range(3):
        start = ConstantKernel(1.0) * RBF([1.0, 1.0], (1e-2, 1e2)) + WhiteKernel(0.05, (1e-6, 1e1))
        peer = GaussianProcessRegressor(start)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a process may not depend on a position
            peer.fit(x.numpy(), z[:, d].numpy())
        assert (
            log_likelihood[d].item() > peer.log_marginal_likelihood_value_ - 1.0
        )  # the prior of `fit` may cost a little


def test_fitting_follows_the_units() -> None:
    x, z, _ = observations(25)
    one, other = fit(x, z), fit(x * torch.tensor([10.0, 0.1]), z * 5)
    torch.testing.assert_close(other.length, one.length * torch.tensor([10.0, 0.1]), rtol=1e-3, atol=0.0)
    torch.testing.assert_close(other.signal, one.signal * 25, rtol=1e-3, atol=0.0)
    torch.testing.assert_close(other.noise, one.noise * 25, rtol=1e-3, atol=0.0)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 4), st.integers(2, 9), st.integers(1, 5))
def test_groups_are_independent(seed: int, groups: int, n: int, m: int) -> None:
    x, queries = (
        RandomGenerator(seed, name).uniform(groups * k, 2).view(groups, k, 2) for name, k in (("x", n), ("w", m))
    )
    z = RandomGenerator(seed, "z").normal(groups * n, 3).view(groups, n, 3)
    together, log_likelihood = regress(KERNEL, x, z, queries), log_marginal(KERNEL, x, z)
    for g in range(groups):
        alone = regress(KERNEL, x[g], z[g], queries[g])
        torch.testing.assert_close(together.mean[g], alone.mean)
        torch.testing.assert_close(together.variance[g], alone.variance)
        torch.testing.assert_close(log_likelihood[g], log_marginal(KERNEL, x[g], z[g]))


def test_the_posterior_is_the_prior_far_away_and_the_observation_close_by() -> None:
    x, z, _ = observations()
    far = regress(KERNEL, x, z, torch.full((1, 2), 1e3))
    torch.testing.assert_close(far.mean, torch.zeros(1, 3).double())
    torch.testing.assert_close(far.variance, KERNEL.signal[None])
    exact = Kernel(KERNEL.length, KERNEL.signal, torch.zeros(3).double())
    positions = torch.linspace(0, 9, 6)[:, None].expand(-1, 2)
    near = regress(exact, positions, z[:6], positions)
    torch.testing.assert_close(near.mean, z[:6], rtol=1e-5, atol=1e-5)
    assert near.variance.max() < 1e-5


def test_equal_positions_get_jitter_and_infinite_values_are_refused() -> None:
    kernel = Kernel(torch.ones(1, 1).double(), torch.ones(1).double(), torch.zeros(1).double())
    x = torch.zeros(5, 1)
    posterior = regress(kernel, x, torch.full((5, 1), 2.0), x[:1])
    assert posterior.mean.item() == pytest.approx(2.0, rel=1e-3)
    with pytest.raises(ValueError, match="expected a positive definite covariance"):
        regress(kernel, torch.full((5, 1), math.nan), torch.ones(5, 1), x)
    with pytest.raises(ValueError, match="expected finite latents at two or more different positions, got 5"):
        fit(x, torch.ones(5, 1))


def test_gradients_are_right() -> None:
    x, z, queries = (t[:4] for t in observations())

    def mean(length: Tensor, signal: Tensor, generator: Tensor) -> Tensor:
        kernel = Kernel(length, signal, generator)
        posterior = regress(kernel, x, z, queries)
        return torch.cat([posterior.mean, posterior.variance]).sum() + log_marginal(kernel, x, z).sum()

    values = (KERNEL.length, KERNEL.signal, KERNEL.noise)
    assert torch.autograd.gradcheck(mean, tuple(v.clone().requires_grad_() for v in values))


def test_a_trained_kernel_begins_with_unit_length_and_signal() -> None:
    trained = TrainedKernel(3, 2)
    kernel = trained()
    assert kernel.length.tolist() == [[1.0, 1.0]] * 3
    assert kernel.signal.tolist() == [1.0] * 3
    assert trained.negative_log_prior().item() == 0
    with torch.no_grad():
        trained.raw.add_(0.1)
    assert trained().length[0, 0].item() == pytest.approx(math.e)
    assert trained.negative_log_prior().item() == pytest.approx(12 * 0.5 / 9, rel=1e-5)
