"""Posteriors of a linear Gaussian decoder are Gaussian and known; distances of Gaussians have closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal, kl_divergence

from flatsort.embedding.likelihood import LikelihoodConfig
from flatsort.embedding.model import LatentModel, build
from flatsort.embedding.models.vae import VAEConfig
from flatsort.embedding.nets import NetConfig
from flatsort.embedding.objectives.kl import Gaussian
from flatsort.embedding.random_generator import RandomGenerator
from flatsort.embedding.representation import mcmc
from flatsort.embedding.representation.posterior import (
    gaussian_wasserstein,
    grid_posterior,
    log_joint,
    predictive,
    sliced_wasserstein,
    variational,
)

SIGMA = 0.5
WEIGHTS = torch.tensor([[0.8, 0.0], [0.0, 0.6], [0.0, 0.6], [0.5, 0.0]])
"""Orthogonal columns: the exact posterior has a diagonal covariance."""
OBLIQUE = torch.tensor([[0.8, 0.4], [0.0, 0.6], [0.3, 0.6], [0.5, 0.0]])


def linear(weights: Tensor) -> tuple[LatentModel, Tensor]:
    """A VAE whose decoder is linear and whose encoder gives the exact posterior mean and variances; its covariance."""
    config = VAEConfig(
        shape=[4], dim=2, net=NetConfig(hidden=[]), likelihood=LikelihoodConfig(kind="gaussian", sigma=SIGMA)
    )
    model = build(config)
    covariance = torch.linalg.inv(torch.eye(2) + weights.T @ weights / SIGMA**2)
    encoder, decoder = model.encoder[0], model.decoder[0]  # type: ignore[index]
    assert isinstance(encoder, nn.Linear)
    assert isinstance(decoder, nn.Linear)
    decoder.weight.data.copy_(weights)
    decoder.bias.data.zero_()
    encoder.weight.data.zero_()
    encoder.weight.data[:2] = covariance @ weights.T / SIGMA**2
    deviation = 0.5 * covariance.diagonal().log()
    encoder.bias.data.copy_(torch.cat([torch.zeros(2), 8 * torch.atanh(deviation / 8)]))  # before the bound
    return model.eval(), covariance.double()


SAMPLES = torch.tensor([[1.0, 0.5, 0.2, -0.3], [-0.5, 0.1, 0.9, 0.4], [0.0, 0.0, 0.0, 0.0]])


def test_mcmc_finds_the_posterior() -> None:
    model, covariance = linear(OBLIQUE)
    density = log_joint(model, SAMPLES)
    begin = mcmc.starts(density, RandomGenerator(0, "prior").normal(500, 2), 6, RandomGenerator(0, "starts"))
    chains = mcmc.metropolis(density, begin, RandomGenerator(0, "mcmc"), 700, 200)
    mean, measured = chains.moments()
    expected = variational(model, SAMPLES).mean.double()
    error = covariance.diagonal().sqrt() / mcmc.effective_size(chains.draws).sqrt()
    assert ((mean - expected).abs() < 4 * error).all()
    torch.testing.assert_close(measured, covariance.expand(3, 2, 2), rtol=0.2, atol=0.02)
    # the decoder is linear, which gives mean and standard deviation of decoded means
    decoded, std = predictive(model, chains.pooled())
    torch.testing.assert_close(decoded, mean.float() @ OBLIQUE.T, rtol=1e-3, atol=1e-3)
    variance = (OBLIQUE.double() @ measured @ OBLIQUE.T.double()).diagonal(dim1=1, dim2=2)
    torch.testing.assert_close(std.double(), variance.sqrt(), rtol=1e-3, atol=1e-4)


def test_the_grid_is_the_posterior() -> None:
    model, covariance = linear(OBLIQUE)
    grid, q = grid_posterior(model, SAMPLES), variational(model, SAMPLES)
    mean, measured = grid.moments()
    torch.testing.assert_close(mean, q.mean.double(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(measured, covariance.expand(3, 2, 2), rtol=1e-4, atol=1e-5)
    assert (grid.log_density.exp().sum(1) * grid.area).tolist() == pytest.approx([1, 1, 1])
    # evidence: x ~ N(0, WWᵀ + σ²), but for the constant of the likelihood
    marginal = MultivariateNormal(torch.zeros(4), OBLIQUE @ OBLIQUE.T + SIGMA**2 * torch.eye(4))
    constant = 2 * np.log(2 * np.pi * SIGMA**2)
    evidence = marginal.log_prob(SAMPLES) + constant  # type: ignore[no-untyped-call]
    torch.testing.assert_close(grid.log_evidence.float(), evidence, rtol=1e-4, atol=1e-4)


def test_divergence_of_the_exact_and_of_other_gaussians() -> None:
    model, _ = linear(WEIGHTS)
    grid, q = grid_posterior(model, SAMPLES), variational(model, SAMPLES)
    assert grid.kl(q).abs().max() < 1e-6
    model, covariance = linear(OBLIQUE)
    grid, q = grid_posterior(model, SAMPLES), variational(model, SAMPLES)
    exact = MultivariateNormal(q.mean.double(), covariance)
    moved = Gaussian(q.mean + 0.2, q.log_std - 0.1)
    other = MultivariateNormal(moved.mean.double(), torch.diag_embed((2 * moved.log_std.double()).exp()))
    torch.testing.assert_close(grid.kl(moved), kl_divergence(other, exact), rtol=1e-3, atol=1e-5)


def test_the_best_diagonal_gaussian_has_the_precisions() -> None:
    """Of a Gaussian with precision Λ it has the same mean and the variances 1 / Λᵢᵢ (Bishop 2006, equation 10.12)."""
    model, covariance = linear(OBLIQUE)
    grid, q = grid_posterior(model, SAMPLES, cells=61), variational(model, SAMPLES)
    best = grid.fit(Gaussian(q.mean + 0.3, q.log_std + 0.4))
    precision = torch.linalg.inv(covariance).diagonal()
    torch.testing.assert_close(best.mean, q.mean.double(), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close((-2 * best.log_std).exp(), precision.expand(3, 2), rtol=1e-2, atol=1e-3)
    assert (grid.kl(best) < grid.kl(q)).all()


def test_the_gap_of_the_bound_is_the_divergence() -> None:
    """log p(x) − ELBO = KL(q‖p), for a decoder that is not linear."""
    config = VAEConfig(shape=[5], dim=2, net=NetConfig(hidden=[8]), likelihood=LikelihoodConfig(kind="bernoulli"))
    model = build(config, 3).eval()
    for parameter in model.decoder.parameters():
        parameter.data.mul_(4)
    samples = torch.tensor([[1.0, 0.0, 1.0, 0.3, 0.0]])
    q = variational(model, samples)
    grid = grid_posterior(model, samples)
    with torch.no_grad():
        joint = log_joint(model, samples)(grid.nodes.float()[:, None]).double()[:, 0]
    log_q = Gaussian(q.mean.double(), q.log_std.double()).log_density(grid.nodes)
    bound = (log_q.exp() * (joint - log_q)).sum() * grid.area
    assert float(grid.log_evidence[0] - bound) == pytest.approx(float(grid.kl(q)[0]), abs=1e-3)
    assert grid.kl(q)[0] > 0


def test_gaussians_that_the_grid_does_not_cover_are_refused() -> None:
    grid = grid_posterior(linear(WEIGHTS)[0], SAMPLES[:1])
    for mean, log_std in ((0.0, -6.0), (4.9, 0.0)):
        with pytest.raises(ValueError, match="that the grid covers and resolves"):
            grid.kl(Gaussian(torch.full((1, 2), mean), torch.full((1, 2), log_std)))
    wide = build(VAEConfig(shape=[4], dim=3, net=NetConfig(hidden=[])))
    with pytest.raises(ValueError, match="expected 2 latent dimensions for a grid, got 3"):
        grid_posterior(wide, SAMPLES)


def test_wasserstein_distances() -> None:
    random = RandomGenerator(0, "w")
    factors = random.normal(4, 3, 3).double()
    covariances = factors @ factors.transpose(1, 2)
    means = random.normal(4, 3).double()
    one, two = covariances[:2], covariances[2:]
    distances = gaussian_wasserstein(means[:2], one, means[2:], two)
    from scipy.linalg import sqrtm

    for i in range(2):
        root = sqrtm(one[i].numpy())
        cross = np.trace(one[i].numpy() + two[i].numpy() - 2 * np.real(sqrtm(root @ two[i].numpy() @ root)))
        expected = np.sqrt(((means[i] - means[2 + i]) ** 2).sum().item() + cross)
        assert distances[i] == pytest.approx(expected, rel=1e-6)
    torch.testing.assert_close(
        gaussian_wasserstein(means[:2], one, means[:2], one), torch.zeros(2).double(), atol=1e-5, rtol=0
    )
    cloud = random.normal(2, 500, 3)
    shifted = sliced_wasserstein(cloud, cloud + torch.tensor([3.0, 4.0, 0.0]), RandomGenerator(1), 4000)
    assert shifted.tolist() == pytest.approx([5, 5], rel=0.05)
    assert sliced_wasserstein(cloud, cloud.flip(1), RandomGenerator(1)).abs().max() < 1e-6
