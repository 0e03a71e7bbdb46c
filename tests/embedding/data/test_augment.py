"""Augmentation: what each option does, that off does nothing, and that processes share a batch."""

from __future__ import annotations

from dataclasses import fields

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from flatsort.embedding.data.augment import AugmentConfig, augment
from flatsort.embedding.random_generator import RandomGenerator

ALL = AugmentConfig(
    mirror=0.5, shift=0.1, scale=0.2, gain=0.5, gamma=0.5, colour=0.3, occlusion=0.5, occluder=0.6, noise=0.05
)


def images(n: int = 8, channels: int = 3, height: int = 16, width: int = 8) -> Tensor:
    return RandomGenerator(5).uniform(n, channels, height, width)


@given(
    config=st.builds(
        AugmentConfig,
        mirror=st.floats(0, 1),
        shift=st.floats(0, 1),
        scale=st.floats(0, 10),
        gain=st.floats(0, 10),
        gamma=st.floats(0, 10),
        colour=st.floats(0, 10),
        occlusion=st.floats(0, 1),
        occluder=st.floats(0.1, 1),
        noise=st.floats(0, 10),
    ),
    n=st.integers(0, 3),
    channels=st.sampled_from([1, 3]),
    extreme=st.booleans(),
)
def test_images_stay_finite_and_in_range(config: AugmentConfig, n: int, channels: int, extreme: bool) -> None:
    samples = images(n, channels).round() if extreme else images(n, channels)
    before = samples.clone()
    out = augment(samples, config, RandomGenerator(1))
    assert out.shape == samples.shape
    assert out.isfinite().all()
    assert ((out >= 0) & (out <= 1)).all()
    assert torch.equal(samples, before)


@pytest.mark.parametrize("samples", [images(), torch.randn(5, 7, generator=torch.Generator().manual_seed(0)) * 3])
def test_off_gives_an_equal_copy(samples: Tensor) -> None:
    out = augment(samples, AugmentConfig(), RandomGenerator(0))
    assert torch.equal(out, samples)
    assert out.data_ptr() != samples.data_ptr()


def test_the_generator_decides() -> None:
    assert torch.equal(augment(images(), ALL, RandomGenerator(3, 4)), augment(images(), ALL, RandomGenerator(3, 4)))
    assert not torch.equal(augment(images(), ALL, RandomGenerator(3, 4)), augment(images(), ALL, RandomGenerator(3, 5)))


@pytest.mark.parametrize("world", [2, 4])
def test_processes_change_their_rows_as_one_process_would(world: int) -> None:
    config = AugmentConfig(**{f.name: getattr(ALL, f.name) for f in fields(ALL) if f.name != "occlusion"})
    alone = augment(images(), config, RandomGenerator(2, 9))
    for rank in range(world):
        mine = augment(images()[rank::world], config, RandomGenerator(2, 9, rank=rank, world=world))
        torch.testing.assert_close(mine, alone[rank::world], atol=1e-6, rtol=0)


def test_processes_hide_the_same_pixels() -> None:
    dark = torch.zeros(8, 1, 16, 8)
    lit = torch.arange(1, 9)[:, None, None, None] / 8 + dark  # all rows differ, so that what hides shows
    config = AugmentConfig(occlusion=0.7)
    alone = augment(lit, config, RandomGenerator(2)) != lit
    for rank in range(2):
        mine = augment(lit[rank::2], config, RandomGenerator(2, rank=rank, world=2)) != lit[rank::2]
        assert torch.equal(mine, alone[rank::2])


def test_mirror() -> None:
    samples = images(200)
    assert torch.equal(augment(samples, AugmentConfig(mirror=1), RandomGenerator(0)), samples.flip(3))
    mirrored = augment(samples, AugmentConfig(mirror=0.3), RandomGenerator(0))
    swapped = torch.tensor([torch.equal(a, b.flip(2)) for a, b in zip(mirrored, samples, strict=True)])
    assert 30 < int(swapped.sum()) < 90
    assert torch.equal(mirrored[~swapped], samples[~swapped])


def test_shift_moves_the_image_and_repeats_its_border() -> None:
    ramp = (torch.arange(64) / 64).repeat(50, 1, 4, 1)
    out = augment(ramp, AugmentConfig(shift=0.25), RandomGenerator(0))
    offsets = (out - ramp)[:, 0, 0, 24:40]  # far from the border, a shift of a ramp adds a constant
    assert (offsets.amax(1) - offsets.amin(1)).max() < 1e-5
    assert offsets.abs().max() <= 0.25 + 1e-5
    assert offsets.abs().max() > 0.2
    assert (out[:, 0, 0, 1:] - out[:, 0, 0, :-1]).min() > -1e-6


def test_scale_changes_the_slope_within_its_limits() -> None:
    ramp = ((torch.arange(64) + 0.5) / 64).repeat(100, 1, 64, 1)
    out = augment(ramp, AugmentConfig(scale=0.25), RandomGenerator(0))
    slopes = (out[:, 0, 32, 40] - out[:, 0, 32, 24]) * 4
    assert slopes.min() >= 1 / 1.25 - 1e-4
    assert slopes.max() <= 1.25 + 1e-4
    assert slopes.max() - slopes.min() > 0.3
    torch.testing.assert_close(out[:, 0, 32, 31:33].mean(1), torch.full((100,), 0.5), atol=1e-4, rtol=0)


def test_gain_multiplies_all_values_of_a_sample_and_colour_each_channel() -> None:
    samples = images() * 0.4 + 0.05
    ratio = (augment(samples, AugmentConfig(gain=0.5), RandomGenerator(0)) / samples).flatten(1)
    torch.testing.assert_close(ratio, ratio[:, :1].expand_as(ratio))
    assert ratio.min() >= 1 / 1.5 - 1e-5
    assert ratio.max() <= 1.5 + 1e-5
    assert ratio[:, 0].std() > 0.1
    by_channel = (augment(samples, AugmentConfig(colour=0.5), RandomGenerator(0)) / samples).flatten(2)
    torch.testing.assert_close(by_channel, by_channel[:, :, :1].expand_as(by_channel))
    assert by_channel[:, :, 0].std(1).min() > 0.01


def test_gamma_is_a_power() -> None:
    samples = images() * 0.8 + 0.1
    exponent = (augment(samples, AugmentConfig(gamma=0.5), RandomGenerator(0)).log() / samples.log()).flatten(1)
    torch.testing.assert_close(exponent, exponent[:, :1].expand_as(exponent), rtol=1e-3, atol=1e-3)
    assert exponent.min() >= 1 / 1.5 - 1e-3
    assert exponent.max() <= 1.5 + 1e-3
    assert exponent[:, 0].std() > 0.1


def test_black_and_white_stay_what_they_are_under_gamma() -> None:
    samples = torch.tensor([0.0, 1.0]).repeat(4, 1, 2, 2)
    torch.testing.assert_close(augment(samples, AugmentConfig(gamma=5), RandomGenerator(0)), samples)


def test_an_occluder_is_a_rectangle_of_the_next_sample() -> None:
    samples = images(100, 3, 20, 10)
    out = augment(samples, AugmentConfig(occlusion=0.6, occluder=0.5), RandomGenerator(0))
    changed = (out != samples).any(1)
    hidden = changed.flatten(1).any(1)
    assert 40 < int(hidden.sum()) < 80
    for row in hidden.nonzero()[:, 0].tolist():
        ys, xs = changed[row].nonzero(as_tuple=True)
        box = slice(int(ys.min()), int(ys.max()) + 1), slice(int(xs.min()), int(xs.max()) + 1)
        assert changed[row][box].all()
        assert len(range(*box[0].indices(20))) <= 10
        assert len(range(*box[1].indices(10))) <= 5
        assert torch.equal(out[row][:, box[0], box[1]], samples[row - 1][:, box[0], box[1]])


def test_an_occluder_lies_inside_of_the_image() -> None:
    marked = torch.arange(1, 201)[:, None, None, None] / 200 + torch.zeros(200, 1, 20, 10)
    out = augment(marked, AugmentConfig(occlusion=1, occluder=0.1), RandomGenerator(0))
    sizes = (out != marked).sum((1, 2, 3))
    assert set(sizes.tolist()) == {2}  # 2 × 1 pixels, wherever it is


def test_vectors_take_noise_only() -> None:
    samples = torch.zeros(2000, 4)
    out = augment(samples, ALL, RandomGenerator(0))
    assert abs(out.std().item() - ALL.noise) < 0.1 * ALL.noise
    assert out.min() < 0  # vectors have no range


@pytest.mark.parametrize("wrong", [{"mirror": 1.5}, {"shift": -0.1}, {"occluder": 0.0}, {"gain": float("nan")}])
def test_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"augment.{next(iter(wrong))}: expected"):
        AugmentConfig(**wrong)
