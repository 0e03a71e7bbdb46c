"""Properties of the flatness penalty: its zeros, its scale, and the estimator against the full Jacobian."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from flatsort.embedding.objectives import flatness
from flatsort.embedding.random_generator import RandomGenerator

D, M, N = 4, 12, 6


def decoder(seed: int = 0, d: int = D) -> nn.Module:
    """A curved decoder from d to M dimensions."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(d, 16), nn.GroupNorm(2, 16), nn.SiLU(), nn.Linear(16, M)).double()


def points(n: int = N, d: int = D) -> Tensor:
    return RandomGenerator(3).normal(n, d).double()


def all_probes(z: Tensor) -> tuple[Tensor, Tensor]:
    """Every point with every Rademacher probe."""
    signs = torch.tensor(list(itertools.product([-1.0, 1.0], repeat=z.shape[1])), dtype=z.dtype)
    return z.repeat_interleave(len(signs), 0), signs.repeat(len(z), 1)


def linear(scale: float, seed: int) -> nn.Module:
    """z → scale · Q z with orthonormal columns Q."""
    q, _ = torch.linalg.qr(RandomGenerator(seed).normal(M, D).double())
    layer = nn.Linear(D, M, bias=False).double()
    layer.weight = nn.Parameter(scale * q)
    return layer.requires_grad_(requires_grad=False)


@settings(max_examples=20)
@given(scale=st.floats(0.05, 20), seed=st.integers(0, 99), mode=st.sampled_from(flatness.MODES))
def test_an_isometry_up_to_scale_is_flat_and_its_scale_is_estimated(scale: float, seed: int, mode: str) -> None:
    z = points()
    for estimated in (
        flatness.estimate(linear(scale, seed), z, RandomGenerator(seed).signs(N, D).double(), mode),
        flatness.exact(linear(scale, seed), z, mode),
    ):
        assert float(estimated.scale) == pytest.approx(scale**2)
        assert float(estimated.penalty) == pytest.approx(0, abs=1e-12 * max(1, scale**4))


@settings(max_examples=20)
@given(scale=st.floats(0.05, 20), seed=st.integers(0, 99))
def test_the_normalised_penalty_is_independent_of_scale_and_the_papers_grows_with_its_fourth_power(
    scale: float, seed: int
) -> None:
    one, z, v = decoder(seed).requires_grad_(requires_grad=False), points(), RandomGenerator(seed).signs(N, D).double()
    for mode, power in (("normalised", 0), ("paper", 4)):
        plain = flatness.estimate(one, z, v, mode)
        scaled = flatness.estimate(lambda x: scale * one(x), z, v, mode)
        assert float(scaled.penalty) == pytest.approx(float(plain.penalty) * scale**power)


def test_exact_is_what_the_formula_says() -> None:
    one, z = decoder(), points()
    jacobians = torch.stack([torch.autograd.functional.jacobian(one, x[None])[0, :, 0] for x in z])  # type: ignore[no-untyped-call]
    g = jacobians.mT @ jacobians
    scale = g.diagonal(dim1=1, dim2=2).sum(1).mean() / D
    squared_norm = (g - scale * torch.eye(D)).square().sum((1, 2)).mean()
    torch.testing.assert_close(flatness.jacobian(one, z), jacobians)
    torch.testing.assert_close(flatness.jacobian(one, z, chunk=3), jacobians)
    torch.testing.assert_close(flatness.metric(one, z), g)
    torch.testing.assert_close(tuple(flatness.exact(one, z, "paper")), (squared_norm, scale))
    torch.testing.assert_close(flatness.exact(one, z, "normalised").penalty, squared_norm / (D * scale) ** 2)
    moments = g.square().sum((1, 2)).mean() / (D * scale) ** 2 - 1 / D
    torch.testing.assert_close(flatness.exact(one, z, "normalised").penalty, moments)


@pytest.mark.parametrize("mode", flatness.MODES)
def test_over_all_probes_the_estimate_and_its_gradient_are_the_exact_ones(mode: str) -> None:
    one = decoder()
    z = points().requires_grad_()
    many, probes = all_probes(z)
    estimated, exact = flatness.estimate(one, many, probes, mode), flatness.exact(one, z, mode)
    torch.testing.assert_close(tuple(estimated), tuple(exact))
    leaves = [z, *list(one.parameters())[:-1]]  # the last bias does not move a Jacobian
    ours = torch.autograd.grad(estimated.penalty, leaves)
    theirs = torch.autograd.grad(exact.penalty, leaves)
    torch.testing.assert_close(ours, theirs)
    assert all(g.abs().max() > 0 for g in theirs)


@pytest.mark.slow
@pytest.mark.parametrize("mode", flatness.MODES)
def test_the_estimate_is_unbiased_within_its_own_error(mode: str) -> None:
    one, z = decoder(1, d=16), points(8, 16)
    n = len(z)
    exact = flatness.exact(one, z, mode)
    generator = RandomGenerator(4)
    with torch.no_grad():
        estimated = [
            flatness.estimate(one, z, generator.signs(n, 16).double(), mode, scale=exact.scale) for _ in range(100)
        ]
        own = [flatness.estimate(one, z, generator.signs(n, 16).double(), mode) for _ in range(100)]
    for values, expected in (
        (torch.stack([f.penalty for f in estimated]), exact.penalty),
        (torch.stack([f.scale for f in own]), exact.scale),
    ):
        error = values.std() / len(values) ** 0.5
        assert abs(values.mean() - expected) < 4 * error
        assert error < 0.05 * expected
    # with c² from the same probes the paper's measure is too small by d·Var[c²], a share of 2/(n·d) at most
    if mode == "paper":
        values = torch.stack([f.penalty for f in own])
        error = values.std() / len(values) ** 0.5
        assert -2 / (n * 16) - 4 * error / exact.penalty < values.mean() / exact.penalty - 1 < 4 * error / exact.penalty


def penalty_gradient(one: nn.Module, mode: str, *, detach_scale: bool) -> Tensor:
    probes = RandomGenerator(5).signs(N, D).double()
    penalty = flatness.estimate(one, points(), probes, mode, detach_scale=detach_scale).penalty
    last = list(one.parameters())[-2]
    (gradient,) = torch.autograd.grad(penalty, last)
    return (gradient * last).sum().detach()  # how the penalty changes when the decoder's output is scaled up


def test_a_constant_scale_changes_nothing_in_the_papers_mode_and_shrinks_the_decoder_in_the_other() -> None:
    one = decoder()
    paper = [penalty_gradient(one, "paper", detach_scale=d) for d in (True, False)]
    torch.testing.assert_close(paper[0], paper[1])
    assert float(penalty_gradient(one, "normalised", detach_scale=False)) == pytest.approx(0, abs=1e-12)
    assert penalty_gradient(one, "normalised", detach_scale=True) > 0.01


@pytest.mark.parametrize("d", [2, 64])
def test_the_decoder_is_called_once_whatever_the_latent_size(d: int) -> None:
    one, calls = decoder(d=d), []

    def counted(z: Tensor) -> Tensor:
        calls.append(len(z))
        out: Tensor = one(z)
        return out

    flatness.estimate(counted, points(d=d), RandomGenerator(0).signs(N, d).double())
    assert calls == [N]


def test_a_decoder_that_ignores_its_latents_gives_a_finite_penalty() -> None:
    for mode in flatness.MODES:
        z = points().requires_grad_()
        estimated = flatness.estimate(lambda x: 0 * x, z, RandomGenerator(0).signs(N, D).double(), mode)
        (gradient,) = torch.autograd.grad(estimated.penalty, z)
        assert estimated.penalty.isfinite()
        assert gradient.isfinite().all()


def test_mixup_lies_on_the_line_between_neighbours_and_a_little_beyond() -> None:
    z = RandomGenerator(1).normal(500, 3)
    mixed = flatness.mixup(z, RandomGenerator(2), 0.2)
    line = z.roll(1, 0) - z
    share = ((mixed - z) * line).sum(1) / line.square().sum(1)
    torch.testing.assert_close(mixed, z + share[:, None] * line)
    assert -0.2 <= share.min() < -0.15
    assert 1.15 < share.max() <= 1.2
    assert torch.equal(mixed, flatness.mixup(z, RandomGenerator(2), 0.2))
