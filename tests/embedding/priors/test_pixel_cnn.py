"""Receptive field of the PixelCNN, its probabilities and samples."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from flatsort.embedding.priors.pixel_cnn import Level, PixelCNN, PixelCNNConfig, SymbolPrior
from flatsort.embedding.random_generator import RandomGenerator

SMALL = PixelCNNConfig(width=8, layers=4)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@torch.no_grad()
def test_a_symbol_depends_on_all_earlier_ones_and_no_later_one() -> None:
    level = Level(5, 4, 4)
    made = PixelCNN(level, SMALL).double()
    start = RandomGenerator(0).uniform(1, 4, 4).mul(5).long()
    logits = made(start).flatten(2)
    for changed in range(level.places):
        other = start.clone()
        other.view(-1)[changed] = (other.view(-1)[changed] + 1) % 5
        differs = (made(other).flatten(2) != logits).any(1)[0]
        assert differs.tolist() == [place > changed for place in range(level.places)]


@torch.no_grad()
def test_more_layers_have_a_larger_receptive_field() -> None:
    level = Level(3, 1, 9)
    start = torch.zeros(1, 1, 9, dtype=torch.long)
    other = start.clone()
    other[..., 0] = 1
    for layers in (1, 3):
        made = PixelCNN(level, PixelCNNConfig(width=8, layers=layers)).double()
        reached = (made(other) != made(start)).any(1).flatten()
        assert reached.tolist() == [0 < place <= layers + 1 for place in range(9)]


def all_maps(level: Level) -> Tensor:
    results = list(itertools.product(range(level.codes), repeat=level.places))
    return torch.tensor(results).reshape(-1, level.height, level.width)


@torch.no_grad()
@pytest.mark.parametrize("classes", [0, 2])
def test_probabilities_of_all_maps_sum_to_one(classes: int) -> None:
    top, bottom = Level(3, 1, 1), Level(2, 2, 2)
    made = SymbolPrior([top, bottom], SMALL, classes)
    pairs = list(itertools.product(range(3), range(16)))
    coarse = all_maps(top)[[i for i, _ in pairs]]
    fine = all_maps(bottom)[[j for _, j in pairs]]
    results = []
    for label in range(max(classes, 1)):
        labels = torch.full((48,), label) if classes else None
        results.append(made.nll([coarse, fine], labels))
        assert float(results[-1].neg().exp().sum()) == pytest.approx(1, abs=1e-5)
    assert not classes or not torch.allclose(results[0], results[1])


@torch.no_grad()
def test_the_fine_map_depends_on_the_coarse_one_and_on_the_label() -> None:
    made = SymbolPrior([Level(3, 2, 1), Level(4, 4, 2)], SMALL, classes=2).pixel_cnns[1]
    fine = torch.zeros(1, 4, 2, dtype=torch.long)
    coarse, other = torch.zeros(1, 2, 1, dtype=torch.long), torch.tensor([[[0], [2]]])
    zero, one = torch.tensor([0]), torch.tensor([1])
    base = made.nll(fine, made.context(coarse, zero))
    assert base != made.nll(fine, made.context(other, zero))
    assert base != made.nll(fine, made.context(coarse, one))


@torch.no_grad()
def test_a_place_alone_equals_the_whole() -> None:
    level = Level(5, 3, 2)
    made = PixelCNN(level, SMALL, above=Level(4, 2, 1)).double()
    maps, context = RandomGenerator(0).uniform(3, 3, 2).mul(5).long(), made.context(torch.tensor([[[0], [1]]] * 3))
    whole = made(maps, context).flatten(2)
    for place in range(level.places):
        known = maps.flatten(1).clone()
        known[:, place:] = 0
        torch.testing.assert_close(made.logits_at(known.reshape(3, 3, 2), place, context), whole[..., place])


@torch.no_grad()
def test_samples_are_as_frequent_as_probable() -> None:
    made = SymbolPrior([Level(3, 1, 1), Level(2, 1, 2)], SMALL)
    for part in made.pixel_cnns:
        part.head[-1].weight.mul_(20)  # type: ignore[operator]  # far from uniform
    n = 5_000
    coarse, fine = made.sample(n, RandomGenerator(3))
    drawn = torch.bincount(coarse.flatten() * 4 + fine[:, 0, 0] * 2 + fine[:, 0, 1], minlength=12) / n
    every = torch.arange(12)
    maps = [every.div(4, rounding_mode="floor").reshape(-1, 1, 1), torch.stack([every // 2 % 2, every % 2], 1)[:, None]]
    expected = made.nll(maps).neg().exp()
    assert float(expected.max()) > 0.15
    standard_error = (expected * (1 - expected) / n).sqrt()
    assert float(((drawn - expected).abs() / standard_error.clamp_min(1e-4)).max()) < 5
    assert all(
        torch.equal(a, b)
        for a, b in zip(made.sample(50, RandomGenerator(4)), made.sample(50, RandomGenerator(4)), strict=True)
    )


def test_it_learns_a_sequence() -> None:
    """Rows that repeat their first symbol cost that symbol only."""
    made = PixelCNN(Level(4, 3, 3), PixelCNNConfig(width=16, layers=2))
    optimizer = torch.optim.Adam(made.parameters(), 1e-2)
    for step in range(60):
        maps = RandomGenerator(0, step).uniform(32, 3, 1).mul(4).long().expand(-1, -1, 3)
        optimizer.zero_grad()
        loss = made.nll(maps).mean()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert 3 * 1.386 - 0.2 < float(loss.detach()) < 3 * 1.386 + 0.3


@pytest.mark.parametrize("setting", [{"width": 12}, {"layers": 0}, {"kernel": 4}, {"kernel": 1}])
def test_bad_settings_are_refused(setting: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=rf"model.pixel_cnn.{next(iter(setting))}: expected"):
        PixelCNNConfig(**setting)
