"""Random numbers that follow from seed and step alone."""

from __future__ import annotations

import torch

from flatsort.embedding.random_generator import Noise


def test_the_same_seed_and_step_draw_the_same() -> None:
    assert torch.equal(Noise(1, 2).normal(3, 4), Noise(1, 2).normal(3, 4))
    for other in (Noise(1, 3), Noise(2, 2), Noise(12, 2), Noise(1, 22)):
        assert not torch.equal(Noise(1, 2).normal(3, 4), other.normal(3, 4))


def test_processes_draw_together_what_one_draws_alone() -> None:
    alone = Noise(5, 6)
    shared = [Noise(5, 6, rank=rank, world=3) for rank in range(3)]
    for draw in ("normal", "uniform", "signs"):
        whole = getattr(alone, draw)(12, 2)
        for rank, noise in enumerate(shared):
            assert torch.equal(getattr(noise, draw)(4, 2), whole[rank::3])
    orders = [noise.permutation(9).tolist() for noise in shared]
    assert orders[0] == orders[1] == orders[2]


def test_blocks_stay_in_one_process() -> None:
    shared = [Noise(5, 6, rank=rank, world=2, block=3) for rank in range(2)]
    whole, parts = Noise(5, 6).normal(12, 2), [noise.normal(6, 2) for noise in shared]
    assert torch.equal(torch.cat([parts[0][:3], parts[1][:3], parts[0][3:], parts[1][3:]]), whole)
    odd, parts = Noise(5, 7).normal(4), [Noise(5, 7, rank=rank, world=2, block=3).normal(2) for rank in range(2)]
    assert torch.equal(torch.stack(parts, dim=1).flatten(), odd)


def test_a_row_that_is_picked_is_in_one_process() -> None:
    whole = Noise(5, 6).picks(12, 7)
    assert whole.shape == (7, 12)
    assert whole.sum(1).tolist() == [1] * 7
    for rank in range(3):
        assert torch.equal(Noise(5, 6, rank=rank, world=3).picks(4, 7), whole[:, rank::3])


def test_ranges() -> None:
    noise = Noise(0)
    drawn = noise.uniform(1000, low=-2.0, high=3.0)
    assert drawn.min() >= -2
    assert drawn.max() < 3
    assert set(noise.signs(100).tolist()) == {-1.0, 1.0}
    assert sorted(noise.permutation(10).tolist()) == list(range(10))


def test_the_global_generator_is_left_alone() -> None:
    before = torch.get_rng_state()
    Noise(0).normal(10)
    assert torch.equal(torch.get_rng_state(), before)
