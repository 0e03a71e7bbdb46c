"""VAE and β-VAE against their formulas, with the same random numbers; models that extend the VAE."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from flatsort.embedding.models.vae import VAE
from flatsort.embedding.random_generator import RandomGenerator
from tests.embedding.models.small_models import batch, model


@pytest.mark.parametrize(("name", "beta"), [("vae", 1.0), ("beta_vae", 4.0), ("beta_vae", 0.5)])
def test_the_loss_is_the_bound(name: str, beta: float) -> None:
    settings: dict[str, Any] = {} if name == "vae" else {"beta": beta}
    made, samples = model(name, **settings), batch()
    loss = made.loss(samples, RandomGenerator(3), 0)
    mean, log_std = made.encoder(samples.inputs).chunk(2, 1)
    std = torch.exp(8 * torch.tanh(log_std / 8))
    z = mean + std * RandomGenerator(3).normal(8, 4)
    nll = (made.decoder(z) - samples.targets).square().sum(1) / (2 * 0.1**2)
    kl = 0.5 * (mean**2 + std**2 - 1 - 2 * std.log()).sum(1)
    expected: Tensor = (nll + beta * kl).mean()
    torch.testing.assert_close((loss.total, loss.score), (expected, expected))
    torch.testing.assert_close(made.encode(samples.inputs), mean)


def test_a_weight_must_be_positive() -> None:
    with pytest.raises(ValueError, match=r"model\.beta: expected more than 0, got 0"):
        model("beta_vae", beta=0)


def test_at_beta_one_it_is_the_vae_to_the_last_bit() -> None:
    vae, weighted = model("vae"), model("beta_vae", beta=1.0)
    ours, theirs = (m.loss(batch(), RandomGenerator(3), 0) for m in (weighted, vae))
    assert ours.total.item() == theirs.total.item()


@pytest.mark.parametrize("name", ["beta_vae", "vaer", "vhp_vae", "flat_vhp_vae"])
def test_models_that_add_a_term_are_vaes(name: str) -> None:
    extended, samples = model(name), batch().inputs
    assert isinstance(extended, VAE)
    assert torch.equal(extended.posterior(samples).mean, extended.encode(samples))
