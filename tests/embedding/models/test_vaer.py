"""VAER: what its loss is made of, and what regression does to it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

from flatsort.embedding.model import Batch, build
from flatsort.embedding.models.vaer import VAER, VAERConfig
from flatsort.embedding.nets import NetConfig
from flatsort.embedding.objectives.gaussian_process import TrainedKernel, log_marginal
from flatsort.embedding.objectives.kl import Gaussian
from flatsort.embedding.random_generator import RandomGenerator
from tests.embedding.models.small_models import batch, model

SMALL = VAERConfig(shape=[6], dim=2, net=NetConfig(hidden=[16]), regress_after=3, targets=0.25)


def made(config: VAERConfig = SMALL) -> VAER:
    built = build(config)
    assert isinstance(built, VAER)
    return built


def windows(n: int = 16, w: int = 8, k: int = 1) -> Batch:
    """Two windows of samples that change smoothly with their position."""
    place = torch.linspace(-1.5, 1.5, w).repeat(n // w)[:, None] + RandomGenerator(4).normal(n, k) * 0.01
    waves = torch.sin(place[:, :1] * torch.arange(1, 7) + torch.arange(n)[:, None] // w)
    return Batch(waves, waves, place, torch.arange(n) // w)


def test_without_positions_it_is_the_vae() -> None:
    vaer, vae = model("vaer"), model("vae")
    vae.load_state_dict({key: t for key, t in vaer.state_dict().items() if not key.startswith("kernel")})
    for step in (0, 1000):
        ours, theirs = (m.loss(batch(), RandomGenerator(1, step), step) for m in (vaer, vae))
        assert ours.total.item() == ours.score.item() == theirs.total.item()


def test_before_its_time_nothing_is_regressed_but_the_kernel_learns() -> None:
    vaer, samples = made(), windows()
    with_time, without = (vaer.loss(b, RandomGenerator(1), 2) for b in (samples, replace(samples, positions=None)))
    assert with_time.score.item() == without.score.item()
    with_time.total.backward()  # type: ignore[no-untyped-call]
    grad = vaer.kernel.raw.grad
    assert grad is not None
    assert (grad != 0).all()


def test_targets_are_decoded_from_the_posterior_of_a_gaussian_process() -> None:
    """The score once more, from scikit-learn's regression of the observed means and the generator's own numbers."""
    vaer, samples, n, w = made(), windows(), 16, 8
    loss = vaer.loss(samples, RandomGenerator(1), 3)
    generator = RandomGenerator(1)
    posterior = Gaussian.from_output(vaer.encoder_output(samples.inputs))
    z, kl = posterior.sample(generator.normal(n, 2)), posterior.kl()
    order, chance = generator.uniform(n).view(2, w).argsort(1).numpy(), generator.normal(n, 2)
    assert samples.positions is not None
    place = samples.positions.double().numpy()
    for g in range(2):
        hidden, observed = g * w + order[g, :2], g * w + order[g, 2:]
        gp = GaussianProcessRegressor(ConstantKernel(1.0) * RBF(1.0) + WhiteKernel(0.05), optimizer=None)
        means = posterior.mean.detach().double().numpy()
        expected, std = gp.fit(place[observed], means[observed]).predict(place[hidden], return_std=True)
        clean_std = np.sqrt(np.maximum(std**2 - 0.05, 1e-12))  # of the latent, without the noise of observations
        drawn = torch.from_numpy(expected + clean_std * chance[hidden].double().numpy()).float()
        z, kl = z.index_copy(0, torch.from_numpy(hidden), drawn), kl.index_fill(0, torch.from_numpy(hidden), 0.0)
    score = vaer.likelihood.nll(vaer.decoder(z), samples.targets).mean() + kl.mean()
    assert loss.score.item() == pytest.approx(score.item(), rel=1e-4)


def test_the_joint_loss_reaches_the_encoder_of_what_is_observed_only() -> None:
    vaer, samples = made(), windows()
    inputs = samples.inputs.clone().requires_grad_()
    vaer.loss(replace(samples, inputs=inputs), RandomGenerator(1), 3).total.backward()  # type: ignore[no-untyped-call]
    assert inputs.grad is not None
    silent = (inputs.grad.abs().sum(1) == 0).view(2, 8).sum(1)
    assert silent.tolist() == [2, 2]


def test_training_fits_the_kernel_and_regresses_better() -> None:
    vaer, samples = made(replace(SMALL, regress_after=20)), windows(32)
    optimizer = torch.optim.Adam(vaer.parameters(), 1e-2)
    errors = []
    for step in range(60):
        loss = vaer.loss(samples, RandomGenerator(0, step), step)
        optimizer.zero_grad()
        loss.total.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        errors.append(float(loss.terms["error"].detach()))
    assert np.mean(errors[-5:]) < 0.7 * np.mean(errors[20:25])
    assert samples.positions is not None
    place, latents = samples.positions[:8], vaer.encode(samples.inputs[:8]).detach()
    fitted, fresh = (
        log_marginal(kernel(), place, latents).sum().item() for kernel in (vaer.kernel, TrainedKernel(2, 1))
    )
    assert fitted > fresh


def test_bad_batches_and_settings_are_named() -> None:
    with pytest.raises(ValueError, match=r"model\.positions: expected 2 as the data's positions have, got 1"):
        made().loss(windows(k=2), RandomGenerator(1), 0)
    ragged = replace(windows(), groups=torch.tensor([0] * 7 + [1] * 4 + [2] * 5))
    with pytest.raises(ValueError, match=r"batch: expected windows of one length"):
        made().loss(ragged, RandomGenerator(1), 0)
    with pytest.raises(ValueError, match=r"model\.targets: expected between 0 and 1"):
        VAERConfig(targets=1.0)
