"""The multiplier against the same rules computed with floats."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from flatsort.embedding.likelihood import Likelihood, LikelihoodConfig
from flatsort.embedding.objectives.rewo import MIN_BETA, Rewo, RewoConfig
from flatsort.embedding.random_generator import RandomGenerator

GAUSSIAN = Likelihood(LikelihoodConfig(sigma=0.2), [5])
BERNOULLI = Likelihood(LikelihoodConfig(kind="bernoulli"), [5])


def errors(start: float, end: float, n: int, decay: float = 30.0) -> list[float]:
    """Mean errors of batches that fall towards a floor, with some noise."""
    generator = RandomGenerator(0).normal(n).tolist()
    return [(end + (start - end) * math.exp(-i / decay)) * (1 + 0.02 * generator[i]) for i in range(n)]


def reference(config: RewoConfig, sequence: list[float], aim: float) -> list[tuple[float, float, float, bool]]:
    """β, κ², Ĉ and phase after every batch, by the rules of the module's description."""
    auto = config.kappa == "auto"
    beta, kappa2, hat, initial, mark = config.beta, aim if auto else config.kappa**2, 0.0, True, 0.0
    rows = []
    for i, c in enumerate(sequence):
        hat = c if i == 0 else (1 - config.smoothing) * c + config.smoothing * hat
        if not initial:
            delta = min((hat - kappa2) / kappa2, 1)
            f = -1 if delta > 0 else math.tanh(config.tau * (beta - 1))
            beta = min(max(beta * math.exp(config.nu * f * delta), MIN_BETA), 1)
        elif hat < kappa2:
            initial = False
        elif auto:
            full = (i + 1) % config.window == 0
            if (full and hat > (1 - config.plateau) * mark) or i + 1 >= config.initial_steps:
                initial, kappa2 = False, (1 + config.slack) * hat
            if i == 0 or full:
                mark = hat
        rows.append((beta, kappa2, hat, initial))
    return rows


def play(rewo: Rewo, sequence: list[float]) -> list[tuple[float, float, float, bool]]:
    rows = []
    for c in sequence:
        rewo.update(torch.tensor(c))
        rows.append((float(rewo.beta), float(rewo.kappa2), float(rewo.error), bool(rewo.initial)))
    return rows


@pytest.mark.parametrize(
    "config",
    [
        RewoConfig(window=50, smoothing=0.9),
        RewoConfig(window=50, smoothing=0.9, unexplained=0.001),
        RewoConfig(window=50, initial_steps=70, smoothing=0.9, unexplained=0.001),
        RewoConfig(kappa=0.12, smoothing=0.9, nu=0.5, tau=5),
        RewoConfig(kappa=0.01),
    ],
    ids=["auto", "plateau", "steps are over", "kappa", "never reached"],
)
def test_it_follows_the_rules(config: RewoConfig) -> None:
    # at first the error falls, then the constraint is broken for a while
    sequence = errors(0.5, 0.01, 200) + errors(0.02, 0.012, 100) + errors(0.01, 0.009, 100)
    rewo = Rewo(config, GAUSSIAN)
    rewo.init_from_data(torch.tensor(0.5))
    expected = reference(config, sequence, config.unexplained * 0.5)
    for ours, theirs in zip(play(rewo, sequence), expected, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-4)


def test_initial_phase_freezes_beta_then_it_rises_to_one_and_falls_when_the_constraint_breaks() -> None:
    rewo = Rewo(RewoConfig(kappa=0.1, smoothing=0.0), GAUSSIAN)
    rewo.update(torch.tensor(0.02))
    assert [float(rewo.gate), float(rewo.beta)] == pytest.approx([0, 0.01])
    rewo.update(torch.tensor(0.009))  # below κ² = 0.01: the phase is over, β moves from the next batch on
    assert [float(rewo.gate), float(rewo.beta)] == pytest.approx([1, 0.01])
    play(rewo, [0.009] * 300)
    assert float(rewo.beta) == pytest.approx(1, abs=1e-4)
    before = float(rewo.beta)
    rewo.update(torch.tensor(0.012))
    assert float(rewo.beta) == pytest.approx(before * math.exp(-0.2), rel=1e-5)
    rewo.update(torch.tensor(100.0))  # an excess counts as 100 % at most
    assert float(rewo.beta) == pytest.approx(before * math.exp(-1.2), rel=1e-5)
    play(rewo, [100.0] * 50)
    assert float(rewo.beta) == pytest.approx(MIN_BETA)
    assert not rewo.initial  # no way back into the initial phase


def test_at_beta_one_the_loss_is_the_lower_bound_of_a_gaussian_with_standard_deviation_kappa() -> None:
    rewo = Rewo(RewoConfig(kappa=0.07, beta=1.0), GAUSSIAN)
    raw, targets, bound = RandomGenerator(1).normal(6, 5), RandomGenerator(2).normal(6, 5), torch.tensor(3.0)
    total, score, _ = rewo(GAUSSIAN.error(raw, targets).mean(), bound)
    nll = Likelihood(LikelihoodConfig(sigma=0.07), [5]).nll(raw, targets).mean()
    torch.testing.assert_close((total, score), (nll + bound, nll + bound))


def test_of_a_bernoulli_kappa_only_decides() -> None:
    raw, targets, bound = RandomGenerator(1).normal(6, 5), RandomGenerator(2).uniform(6, 5), torch.tensor(3.0)
    for kappa in (0.1, 1.0, "auto"):
        rewo = Rewo(RewoConfig(kappa=kappa, beta=0.5), BERNOULLI)
        total, score, terms = rewo(BERNOULLI.error(raw, targets).mean(), bound)
        nll = BERNOULLI.nll(raw, targets).mean()
        torch.testing.assert_close((total, score), (nll + 0.5 * bound, nll + bound))
        assert all(torch.as_tensor(term).isfinite() for term in terms.values())


def test_only_training_batches_count() -> None:
    rewo = Rewo(RewoConfig(), GAUSSIAN)
    rewo.eval()
    rewo(torch.tensor(0.5), torch.tensor(1.0))
    rewo.after_step(lambda mean: mean)
    assert int(rewo.steps) == 0
    rewo.train()
    rewo(torch.tensor(0.5), torch.tensor(1.0))
    rewo.after_step(lambda mean: mean / 2)  # as if other processes had smaller errors
    assert (int(rewo.steps), float(rewo.error)) == (1, 0.25)
    rewo.after_step(lambda mean: mean)
    assert int(rewo.steps) == 1


def test_what_a_state_dict_holds_goes_on_as_if_never_interrupted() -> None:
    sequence = errors(0.5, 0.01, 400)
    config = RewoConfig(window=40)
    whole = play(Rewo(config, GAUSSIAN), sequence)
    for cut in (20, 41, 390):
        first, second = Rewo(config, GAUSSIAN), Rewo(config, GAUSSIAN)
        play(first, sequence[:cut])
        second.load_state_dict(first.state_dict())
        assert play(second, sequence[cut:]) == whole[cut:]


def test_a_later_update_leaves_the_loss_of_before_alone() -> None:
    rewo = Rewo(RewoConfig(kappa=10.0, smoothing=0.0), GAUSSIAN)
    play(rewo, [1.0, 1.0])
    bound = torch.tensor(3.0, requires_grad=True)
    total, _, terms = rewo(torch.tensor(0.5), bound)
    before = float(terms["beta"])
    play(rewo, [1.0])
    assert float(rewo.beta) > before == float(terms["beta"])
    assert float(torch.autograd.grad(total, bound)[0]) == pytest.approx(before)


@pytest.mark.parametrize(
    ("key", "value"),
    [("kappa", 0), ("kappa", "big"), ("kappa", True), ("kappa", None), ("kappa", float("nan")), ("beta", 2.0)],
)
def test_bad_settings_are_refused(key: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"model\.rewo\.{key}: expected .*, got {value!r}"):
        RewoConfig(**{key: value})
