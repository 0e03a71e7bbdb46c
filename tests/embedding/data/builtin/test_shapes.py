"""Rendered shapes: what is drawn is what the factors say."""

from __future__ import annotations

import time

import numpy as np
import pytest

from flatsort.embedding.data.builtin import DATA_SETS, INDEPENDENT_IMAGES
from flatsort.embedding.data.builtin.shapes import (
    KINDS,
    PLACES,
    SCALES,
    TURNS,
    disks,
    draw_disks,
    draw_sprites,
    draw_strokes,
    ellipses,
    sprites,
)
from flatsort.embedding.data.sample_set import SampleSet
from flatsort.tracker.config import restore_part
from flatsort.tracker.types import Float, Image


def chosen(**factors: float | list[float]) -> dict[str, Float]:
    """Sprites in the middle, but for these factors."""
    middle = {"shape": 0, "scale": SCALES - 1, "orientation": 0, "x": (PLACES - 1) / 2, "y": (PLACES - 1) / 2}
    columns = np.broadcast_arrays(*(np.asarray(v, np.float64) for v in {**middle, **factors}.values()))
    return dict(zip({**middle, **factors}, (np.atleast_1d(c) for c in columns), strict=True))


def centre(images: Image) -> tuple[Float, Float]:
    """Of the ink, pixels."""
    ink = images[..., 0].astype(np.float64)
    y, x = np.mgrid[: ink.shape[1], : ink.shape[2]] + 0.5
    mass = ink.sum((1, 2))
    return (ink * x).sum((1, 2)) / mass, (ink * y).sum((1, 2)) / mass


def area(images: Image) -> Float:
    return np.asarray(images.astype(np.float64).sum((1, 2, 3)) / 255)


def plain(factors: dict[str, Float], size: int) -> Image:
    """The same sprites from their formulas, point by point over the whole image."""
    grid = (np.arange(2 * size) + 0.5) / 2
    drawn = []
    for shape, scale, orientation, x, y in zip(*(factors[k] for k in factors), strict=True):
        radius, turn = size * (0.1 + 0.1 * scale / (SCALES - 1)), 2 * np.pi * orientation / TURNS
        middle = [size / 2 + size / 4 * (2 * v / (PLACES - 1) - 1) for v in (x, y)]
        right, down = np.meshgrid(grid - middle[0], grid - middle[1])
        u, v = (
            (right * np.cos(turn) + down * np.sin(turn)) / radius,
            (down * np.cos(turn) - right * np.sin(turn)) / radius,
        )
        s, t = 1.25 * u, -1.25 * v
        inside = [
            np.maximum(abs(u), abs(v)) <= 0.8,
            u**2 + (v / 0.6) ** 2 <= 1,
            (s**2 + t**2 - 1) ** 3 <= s**2 * t**3,
        ][int(shape)]
        drawn.append(255 * inside.reshape(size, 2, size, 2).mean((1, 3)))
    images: Image = np.rint(np.stack(drawn)).astype(np.uint8)[..., None]
    return images


@pytest.mark.parametrize("size", [16, 33])
def test_sprites_are_their_formulas(size: int) -> None:
    data = sprites(60, 5, size)
    # single precision decides a point on the very edge otherwise
    apart = data.samples.astype(int) - plain(data.factors, size)
    assert abs(apart).max() <= 64
    assert (apart != 0).mean() < 1e-3


def test_factors_are_independent_and_whole() -> None:
    data = sprites(4000, 0, 16)
    counts = {"shape": len(KINDS), "scale": SCALES, "orientation": TURNS, "x": PLACES, "y": PLACES}
    assert list(data.factors) == list(counts)
    for name, values in data.factors.items():
        assert np.unique(values).tolist() == list(range(counts[name]))
        assert np.bincount(values.astype(int)).min() > 0.5 * 4000 / counts[name]
    table = np.corrcoef(np.stack(list(data.factors.values())))
    assert abs(table - np.eye(5)).max() < 0.06
    assert data.shape == [1, 16, 16]


@pytest.mark.parametrize("shape", range(3))
def test_place_and_scale_show(shape: int) -> None:
    across = np.linspace(0, PLACES - 1, 7)
    x, y = centre(draw_sprites(chosen(shape=shape, scale=0, x=list(across)), 32))
    # points half a pixel apart: an edge may be a quarter of a pixel off
    np.testing.assert_allclose(x - x.mean(), np.linspace(-8, 8, 7), atol=0.26)
    np.testing.assert_allclose(y - y[0], 0, atol=0.06)
    grown = area(draw_sprites(chosen(shape=shape, scale=list(np.arange(SCALES))), 64))
    np.testing.assert_allclose(np.sqrt(grown / grown[0]), 1 + np.arange(SCALES) / (SCALES - 1), rtol=0.08)


def test_areas_of_square_and_ellipse() -> None:
    square, ellipse = area(draw_sprites(chosen(shape=[0, 1]), 64))
    radius = 0.2 * 64
    assert square == pytest.approx((1.6 * radius) ** 2, rel=0.05)
    assert ellipse == pytest.approx(np.pi * 0.6 * radius**2, rel=0.02)


def test_a_half_turn_points_a_heart_down() -> None:
    up, down = draw_sprites(chosen(shape=2, orientation=[0, TURNS / 2]), 32)
    np.testing.assert_array_equal(up[::-1, ::-1], down)
    # the tip of an upright heart is its lowest row
    filled = (up[..., 0] > 0).sum(1)[(up[..., 0] > 0).any(1)]
    assert filled[-1] < filled[0]
    assert not np.array_equal(up, down)


def test_no_sprite_leaves_the_image() -> None:
    ends = [(PLACES - 1) / 2, 0.0, PLACES - 1.0]
    for shape in range(3):
        for turn in (0, 5):
            whole, *others = area(draw_sprites(chosen(shape=shape, orientation=turn, x=ends, y=ends), 64))
            np.testing.assert_allclose(others, whole, rtol=0.03)


def test_ellipses_have_their_area() -> None:
    data = ellipses(200, 0, 48)
    inside = np.maximum(data.factors["width"], data.factors["height"]) < 0.45 * 48
    np.testing.assert_allclose(area(data.samples)[inside], data.factors["area"][inside], rtol=0.03)
    x, y = centre(data.samples)
    assert abs(np.stack([x, y]) - 24).max() < 0.2


def test_disks_have_their_area_and_place() -> None:
    data = disks(200, 0, 32)
    large = data.factors["radius"] > 2
    blurred = data.factors["area"] + np.pi / 3  # mean of π(r + u)² over an edge of u from −1 to 1
    np.testing.assert_allclose(area(data.samples)[large], blurred[large], rtol=0.05)
    moved = disks(50, 0, 32, moving=True)
    x, y = centre(moved.samples)
    np.testing.assert_allclose(x, moved.factors["x"], atol=0.1)
    np.testing.assert_allclose(y, moved.factors["y"], atol=0.1)
    assert len(np.unique(moved.factors["radius"])) == 1


def test_the_edge_of_a_disk_is_two_pixels_wide() -> None:
    row = draw_disks(np.array([4.0]), np.array([8.5]), np.array([8.5]), 17)[0, 8, :, 0].astype(int)
    np.testing.assert_array_equal(row[8:], [255, 255, 255, 255, 128, 0, 0, 0, 0])
    half = draw_disks(np.array([3.5]), np.array([8.5]), np.array([8.5]), 17)[0, 8, 8:, 0].astype(int)
    np.testing.assert_array_equal(half[:6], [255, 255, 255, 191, 64, 0])


def rendered(name: str, n: int, seed: int, size: int) -> SampleSet:
    settings = {"name": name, "samples": n, "seed": seed, "size": size}
    return DATA_SETS.build(restore_part(DATA_SETS, settings))


def test_shapes_are_registered() -> None:
    assert DATA_SETS.names(INDEPENDENT_IMAGES) == ["disks", "ellipses", "moving_disks", "sprites"]
    np.testing.assert_array_equal(rendered("moving_disks", 3, 0, 32).samples, disks(3, 0, 32, moving=True).samples)


@pytest.mark.parametrize("name", DATA_SETS.names(INDEPENDENT_IMAGES))
def test_the_seed_decides(name: str) -> None:
    first, same, other = rendered(name, 20, 3, 16), rendered(name, 20, 3, 16), rendered(name, 20, 4, 16)
    assert np.array_equal(first.samples, same.samples)
    assert not np.array_equal(first.samples, other.samples)
    assert first.samples.dtype == np.uint8
    assert first.samples.max() > 200


@pytest.mark.parametrize("name", DATA_SETS.names(INDEPENDENT_IMAGES))
def test_bad_numbers_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="expected n ≥ 1 and size ≥ 16, got n 0 and size 32"):
        rendered(name, 0, 0, 32)
    with pytest.raises(ValueError, match="got n 5 and size 15"):
        rendered(name, 5, 0, 15)


def test_thousands_of_sprites_take_no_time() -> None:
    before = time.process_time()
    sprites(2000, 0, 32)
    assert time.process_time() - before < 0.4  # 2000 whole images took longer


def test_a_stroke_has_the_ink_of_its_area() -> None:
    start, end = np.array([[[5.0, 16.0]]]), np.array([[[25.0, 16.3]]])
    ink = draw_strokes(start, end, 2.0, 32, 32)[0]
    assert ink.sum() == pytest.approx(20 * 4 + np.pi * 4, rel=0.03)
    assert ink.max() == 1
    assert ink[:10].max() == 0
