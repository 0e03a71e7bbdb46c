"""The models with a hierarchical prior: phases, prior, flatness, settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch

from flatsort.embedding.model import MODELS
from flatsort.embedding.models.flat_vhp_vae import FlatVHPVAEConfig
from flatsort.embedding.objectives import flatness
from flatsort.embedding.objectives.rewo import RewoConfig
from flatsort.embedding.random_generator import RandomGenerator
from flatsort.tracker.config import load, part
from tests.embedding.models.small_models import batch, model, train


@dataclass(frozen=True)
class Holder:
    model: Any = part(MODELS, FlatVHPVAEConfig())


def test_the_prior_is_frozen_until_the_error_is_below_its_threshold() -> None:
    made, samples = model("flat_vhp_vae", rewo=RewoConfig(kappa=0.15, smoothing=0.5)), batch(n=32)
    before = {key: p.clone() for key, p in made.named_parameters()}
    terms = train(made, samples, 5)
    assert terms["initial"] == 1
    assert not made.in_final_phase
    for key, p in made.named_parameters():
        assert torch.equal(p, before[key]) == key.startswith("prior."), key
    terms = train(made, samples, 80)
    assert made.in_final_phase
    assert terms["kappa"] == pytest.approx(0.15)
    assert terms["beta"] > 0.02
    assert not any(torch.equal(p, before[key]) for key, p in made.named_parameters())


def test_kappa_follows_from_the_data() -> None:
    samples = batch(n=32)
    made = model("vhp_vae", rewo=RewoConfig(unexplained=0.3))
    made.init_from_data(samples.targets)
    variance = float((samples.targets - samples.targets.mean(0)).square().mean())
    assert train(made, samples, 2)["kappa"] == pytest.approx((0.3 * variance) ** 0.5, rel=1e-4)


def test_a_kappa_out_of_reach_becomes_the_error_that_was_reached() -> None:
    samples = batch(n=32)
    rewo = RewoConfig(unexplained=1e-6, window=20, initial_steps=100, smoothing=0.9)
    made = model("vhp_vae", rewo=rewo)
    made.init_from_data(samples.targets)
    terms = train(made, samples, 120)
    assert made.in_final_phase
    assert 0.5 < terms["C_hat"] / terms["kappa"] ** 2 < 1.5


def test_the_penalty_flattens_the_decoder() -> None:
    samples = batch(n=64)
    penalties = {}
    for eta in (0.0, 300.0):
        made = model("flat_vhp_vae", eta=eta)
        train(made, samples, 60)
        points = flatness.mixup(made.encode(samples.inputs), RandomGenerator(1)).detach()
        penalties[eta] = float(flatness.exact(made.decode_weighted, points).penalty.detach())
    assert penalties[300.0] < 0.3 * penalties[0.0]


@pytest.mark.parametrize("detach", [True, False])
def test_latents_are_constants_for_the_penalty_or_not(detach: bool) -> None:
    gradients: list[torch.Tensor] = []
    for eta in (0.0, 100.0):
        made = model("flat_vhp_vae", eta=eta, detach=detach)
        made.loss(batch(), RandomGenerator(0), 0).total.backward()  # type: ignore[no-untyped-call]
        gradients.append(torch.cat([p.grad.flatten() for p in made.encoder.parameters() if p.grad is not None]))
    assert torch.allclose(gradients[0], gradients[1]) == detach


def test_the_penalty_is_that_of_the_first_rows() -> None:
    samples = batch(n=8)
    made = model("flat_vhp_vae", flat_rows=3, mode="paper", eta=2.0)
    calls = []
    made.decoder.register_forward_hook(lambda _module, given, _out: calls.append(len(given[0])))
    loss = made.loss(samples, RandomGenerator(0), 0)
    assert calls == [8, 3]
    plain = model("vhp_vae").loss(samples, RandomGenerator(0), 0)
    torch.testing.assert_close(loss.total, plain.total + 2 * loss.terms["flatness"])
    torch.testing.assert_close(loss.score, plain.score + 2 * loss.terms["flatness"])


@pytest.mark.parametrize(("text", "value"), [("auto", "auto"), ("0.08", 0.08)])
def test_kappa_and_detach_are_set_on_the_command_line(text: str, value: float | str) -> None:
    chosen = load(Holder, overrides=[f"model.rewo.kappa={text}", "model.detach=false", "model.prior.samples=4"]).model
    assert (chosen.rewo.kappa, chosen.detach, chosen.prior.samples) == (value, False, 4)


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("model.rewo.kappa=small", r"model\.rewo\.kappa: expected auto or a number > 0, got 'small'"),
        ("model.mode=round", r"model\.mode: expected paper or normalised, got 'round'"),
        ("model.flat_rows=0", r"model\.flat_rows: expected 1 or more, got 0"),
        ("model.eta=-1", r"model\.eta: expected 0 or more, got -1"),
    ],
)
def test_bad_settings_are_refused(override: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        load(Holder, overrides=[override])
