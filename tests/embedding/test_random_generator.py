"""Random numbers that depend on seed and step only."""

from __future__ import annotations

import torch

from flatsort.embedding.random_generator import RandomGenerator


def test_the_same_seed_and_step_draw_the_same() -> None:
    assert torch.equal(RandomGenerator(1, 2).normal(3, 4), RandomGenerator(1, 2).normal(3, 4))
    for other in (RandomGenerator(1, 3), RandomGenerator(2, 2), RandomGenerator(12, 2), RandomGenerator(1, 22)):
        assert not torch.equal(RandomGenerator(1, 2).normal(3, 4), other.normal(3, 4))


def test_processes_draw_together_what_one_draws_alone() -> None:
    alone = RandomGenerator(5, 6)
    shared = [RandomGenerator(5, 6, rank=rank, world=3) for rank in range(3)]
    for draw in ("normal", "uniform", "signs"):
        whole = getattr(alone, draw)(12, 2)
        for rank, generator in enumerate(shared):
            assert torch.equal(getattr(generator, draw)(4, 2), whole[rank::3])
    orders = [generator.permutation(9).tolist() for generator in shared]
    assert orders[0] == orders[1] == orders[2]


def test_blocks_stay_in_one_process() -> None:
    shared = [RandomGenerator(5, 6, rank=rank, world=2, block=3) for rank in range(2)]
    whole, parts = RandomGenerator(5, 6).normal(12, 2), [generator.normal(6, 2) for generator in shared]
    assert torch.equal(torch.cat([parts[0][:3], parts[1][:3], parts[0][3:], parts[1][3:]]), whole)
    whole, parts = (
        RandomGenerator(5, 7).normal(4),
        [RandomGenerator(5, 7, rank=rank, world=2, block=3).normal(2) for rank in range(2)],
    )
    assert torch.equal(torch.stack(parts, dim=1).flatten(), whole)


def test_a_drawn_row_is_in_one_process() -> None:
    whole = RandomGenerator(5, 6).draw_rows(12, 7)
    assert whole.shape == (7, 12)
    assert whole.sum(1).tolist() == [1] * 7
    for rank in range(3):
        assert torch.equal(RandomGenerator(5, 6, rank=rank, world=3).draw_rows(4, 7), whole[:, rank::3])


def test_ranges() -> None:
    generator = RandomGenerator(0)
    drawn = generator.uniform(1000, low=-2.0, high=3.0)
    assert drawn.min() >= -2
    assert drawn.max() < 3
    assert set(generator.signs(100).tolist()) == {-1.0, 1.0}
    assert sorted(generator.permutation(10).tolist()) == list(range(10))


def test_the_global_generator_is_left_alone() -> None:
    before = torch.get_rng_state()
    RandomGenerator(0).normal(10)
    assert torch.equal(torch.get_rng_state(), before)
