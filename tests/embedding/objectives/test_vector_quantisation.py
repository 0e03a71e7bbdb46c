"""Nearest codes, their gradients, and codebooks as k-means."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from torch import Tensor

from flatsort.embedding.objectives.vector_quantisation import CodebookConfig, Quantiser, perplexity
from flatsort.embedding.random_generator import RandomGenerator

DIM = 3


def alone(value: Tensor) -> Tensor:
    return value


def maps(n: int = 8, height: int = 3, width: int = 2, seed: int = 0) -> Tensor:
    """Feature maps [n d h w] whose vectors lie in four clusters."""
    generator = RandomGenerator(seed)
    centres = 4 * RandomGenerator(99).normal(4, DIM)
    which = generator.uniform(n * height * width).mul(4).long()
    vectors = centres[which] + 0.3 * generator.normal(len(which), DIM)
    return vectors.reshape(n, height, width, DIM).permute(0, 3, 1, 2).contiguous()


def flat(features: Tensor) -> Tensor:
    return features.permute(0, 2, 3, 1).reshape(-1, DIM)


def quantiser(features: Tensor, **settings: object) -> Quantiser:
    """One whose codes start from four of the vectors, one of each cluster."""
    made = Quantiser(CodebookConfig(codes=4, dead_below=0, **settings), DIM)  # type: ignore[arg-type]
    vectors, centres = flat(features), 4 * RandomGenerator(99).normal(4, DIM)
    made._set(torch.ones(4, dtype=torch.bool), vectors[torch.cdist(centres, vectors).argmin(1)])
    return made


def means(made: Quantiser, features: Tensor) -> Tensor:
    symbols = made.symbols(features).flatten()
    return torch.stack([flat(features)[symbols == k].mean(0) for k in range(4)])


def test_the_nearest_code_by_brute_force() -> None:
    features, made = maps(), Quantiser(CodebookConfig(codes=16), DIM)
    nearest = np.linalg.norm(flat(features).numpy()[:, None] - made.codebook.numpy(), axis=2).argmin(1)
    quantised = made(features)
    assert np.array_equal(quantised.symbols.flatten().numpy(), nearest)
    torch.testing.assert_close(flat(quantised.codes), made.codebook[torch.from_numpy(nearest)])
    assert torch.equal(made.look_up(quantised.symbols), made.codebook[quantised.symbols].permute(0, 3, 1, 2))


@pytest.mark.parametrize("kind", ["ema", "gradient"])
def test_gradients_are_those_of_the_paper(kind: str) -> None:
    features = maps().requires_grad_()
    made = quantiser(features.detach(), kind=kind, commitment=0.25)
    weights, count = RandomGenerator(1).normal(*features.shape), features.numel()
    quantised = made(features)
    (through,) = torch.autograd.grad((quantised.codes * weights).sum(), features, retain_graph=True)
    torch.testing.assert_close(through, weights)  # straight through
    quantised.loss.backward()
    difference = features.detach() - made.look_up(quantised.symbols).detach()
    torch.testing.assert_close(features.grad, 0.25 * 2 * difference / count)
    if kind == "gradient":
        expected = torch.zeros(4, DIM).index_add_(0, quantised.symbols.flatten(), -2 * flat(difference) / count)
        torch.testing.assert_close(made.weight.grad, expected)
    else:
        assert not list(made.parameters())


def by_gradient(made: Quantiser, features: Tensor) -> None:
    optimizer = torch.optim.SGD(made.parameters(), 2.0 / made._rate**2)
    for _ in range(100):
        optimizer.zero_grad()
        made(features).loss.backward()
        optimizer.step()


def by_averages(made: Quantiser, features: Tensor) -> None:
    for step in range(100):
        made(features, RandomGenerator(0, step))
        made.after_step(alone)


@pytest.mark.parametrize(
    ("learn", "settings"),
    [
        (by_gradient, {"kind": "gradient"}),
        (by_gradient, {"kind": "gradient", "codebook_rate": 3.0}),
        (by_averages, {"kind": "ema", "decay": 0.9}),
    ],
)
def test_the_stationary_codes_are_those_of_k_means(
    learn: Callable[[Quantiser, Tensor], None], settings: dict[str, object]
) -> None:
    features = maps(n=40)
    made = quantiser(features, **settings)
    start = made.codebook.detach().numpy().copy()
    learn(made, features)
    golden = KMeans(4, init=start, n_init=1, tol=0).fit(flat(features).numpy())
    torch.testing.assert_close(made.codebook.detach(), means(made, features), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(made.codebook.detach().numpy(), golden.cluster_centers_, rtol=1e-3, atol=1e-3)
    assert np.array_equal(made.symbols(features).flatten().numpy(), golden.labels_)


def test_averages_without_a_past_are_iterations_of_lloyd() -> None:
    features = RandomGenerator(4).normal(30, DIM, 3, 2)  # no clusters: assignments change in every iteration
    made = Quantiser(CodebookConfig(codes=4, dead_below=0, decay=0.0, smoothing=1e-9), DIM)
    made.init_from_data(features)
    for _ in range(3):
        start = made.codebook.numpy().copy()
        labels = np.linalg.norm(flat(features).numpy()[:, None] - start, axis=2).argmin(1)
        made(features, RandomGenerator(0))
        made.after_step(alone)
        lloyd = np.stack([flat(features).numpy()[labels == k].mean(0) for k in range(4)])
        np.testing.assert_allclose(made.codebook.numpy(), lloyd, rtol=1e-4, atol=1e-5)


def test_moving_averages_equal_their_closed_form() -> None:
    gamma, epsilon, steps = 0.9, 0.5, 5
    made = Quantiser(CodebookConfig(codes=4, dead_below=0, decay=gamma, smoothing=epsilon), DIM)
    usage, sums = gamma**steps * made.usage.double(), gamma**steps * made.sums.double()
    for step in range(steps):
        features = maps(seed=step)
        symbols, vectors = made.symbols(features).flatten(), flat(features).double()
        one_hot = torch.nn.functional.one_hot(symbols, 4).double() / len(symbols)
        weight = (1 - gamma) * gamma ** (steps - 1 - step)
        usage, sums = usage + weight * one_hot.sum(0), sums + weight * one_hot.T @ vectors
        made(features, RandomGenerator(0, step))
        made.after_step(alone)
    n = 48  # vectors of a step: the paper's N is n·usage
    smooth = (n * usage + epsilon) / (n * usage.sum() + 4 * epsilon) * usage.sum()
    torch.testing.assert_close(made.usage.double(), usage, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(made.codebook.double(), sums / smooth[:, None], rtol=1e-5, atol=1e-6)


def test_the_codebook_has_a_rate_of_its_own_with_adam() -> None:
    features, changes = maps(), []
    for rate in (1.0, 5.0):
        made = quantiser(features, kind="gradient", codebook_rate=rate)
        before = made.codebook.detach().clone()
        optimizer = torch.optim.Adam(made.parameters(), 1e-3)
        made(features).loss.backward()
        optimizer.step()
        changes.append((made.codebook.detach() - before).abs().max())
    assert float(changes[1] / changes[0]) == pytest.approx(5, rel=1e-2)


@pytest.mark.parametrize("kind", ["ema", "gradient"])
def test_dead_codes_become_vectors_of_the_batch(kind: str) -> None:
    config = CodebookConfig(codes=8, kind=kind, dead_below=0.5, decay=0.5)
    made, features = Quantiser(config, DIM), maps()
    with torch.no_grad():
        made._set(torch.arange(8) >= 3, 1000.0 + torch.arange(8.0)[:, None].expand(8, DIM))  # nothing is near
    for step in range(2):
        assert made.codebook[3:].min() > 500
        made(features, RandomGenerator(0, step))
        made.after_step(alone)
    revived = made.codebook.detach()[3:]
    assert float(torch.cdist(revived, flat(features)).min(1).values.max()) < 1e-5
    assert made.usage[3:].tolist() == pytest.approx([1 / 8] * 5)
    made(features, RandomGenerator(0, 3))
    assert len(made(features).symbols.unique()) > 3


@pytest.mark.parametrize("kind", ["ema", "gradient"])
def test_processes_that_share_a_batch_agree_with_one(kind: str) -> None:
    config = CodebookConfig(codes=8, kind=kind, dead_below=0.9, decay=0.3)
    torch.manual_seed(0)
    one = Quantiser(config, DIM)
    two = [Quantiser(config, DIM) for _ in range(2)]
    for each in two:
        each.load_state_dict(one.state_dict())
    for step in range(4):
        features = maps(seed=step)
        one(features, RandomGenerator(0, step))
        one.after_step(alone)
        for rank, each in enumerate(two):
            each(features[rank::2], RandomGenerator(0, step, rank=rank, world=2))
        statistics = [each._batch_statistics[0] for each in two if each._batch_statistics is not None]
        for i, each in enumerate(two):
            each.after_step(lambda value, other=statistics[1 - i]: (value + other) / 2)  # type: ignore[misc]
        for name, expected in one.state_dict().items():
            torch.testing.assert_close(two[0].state_dict()[name], expected, rtol=1e-4, atol=1e-4)
            assert torch.equal(two[0].state_dict()[name], two[1].state_dict()[name])


def test_codes_start_from_the_data() -> None:
    features = maps()
    first, second = (Quantiser(CodebookConfig(codes=12), DIM) for _ in range(2))
    for each in (first, second):
        each.init_from_data(features)
    assert torch.equal(first.codebook, second.codebook)
    assert float(torch.cdist(first.codebook, flat(features)).min(1).values.max()) == pytest.approx(0, abs=1e-5)
    first.init_from_data(features[:1])  # fewer vectors than codes
    assert first.codebook.isfinite().all()


def test_perplexity_in_closed_form() -> None:
    assert float(perplexity(torch.full((16,), 1 / 16))) == pytest.approx(16)
    assert float(perplexity(torch.tensor([0.0, 3.0, 0.0]))) == pytest.approx(1)
    assert float(perplexity(torch.tensor([0.5, 0.25, 0.25]))) == pytest.approx(2**1.5)
    assert float(perplexity(torch.tensor([2.0, 1.0, 1.0]))) == pytest.approx(2**1.5)


def test_no_statistics_are_kept_without_a_generator() -> None:
    made = Quantiser(CodebookConfig(codes=4), DIM)
    before = {name: value.clone() for name, value in made.state_dict().items()}
    made(maps())
    made.after_step(alone)
    assert all(torch.equal(value, before[name]) for name, value in made.state_dict().items())


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ({"codes": 1}, "codes: expected 2 or more, got 1"),
        ({"kind": "kmeans"}, "kind: expected ema or gradient, got 'kmeans'"),
        ({"decay": 1.0}, "decay: expected 0 or more and less than 1"),
        ({"dead_below": 1.0}, "dead_below"),
        ({"codebook_rate": 0.0}, "codebook_rate: expected more than 0"),
        ({"smoothing": 0.0}, "smoothing"),
        ({"commitment": -1.0}, "commitment"),
    ],
)
def test_bad_settings_are_refused(setting: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        CodebookConfig(**setting)  # type: ignore[arg-type]


def test_bits_of_a_symbol() -> None:
    assert CodebookConfig(codes=512).bits == 9
    assert CodebookConfig(codes=3).bits == pytest.approx(math.log2(3))
