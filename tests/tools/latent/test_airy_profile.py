"""The best image to scale: Airy's equation against its series, the numerical maximum, rendered shapes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import linalg

from flatsort.embedding.data.builtin import shapes
from flatsort.tools.latent.disk_experiment import airy_profile
from flatsort.tracker.types import Float

RADIUS = 32.0


def series(x: Float, terms: int = 40) -> Float:
    """Power series of f'' = −x·f, f(0) = 1, f'(0) = 0."""
    total, term = np.zeros_like(x), np.ones_like(x)
    for n in range(terms):
        total += term
        term = -term * x**3 / ((3 * n + 3) * (3 * n + 2))
    return total


def energy(profile: Float, radii: Float) -> float:
    """∫ ⟨f, 1_{B_r}⟩² dr of a profile of unit norm, by sums."""
    step = radii[1] - radii[0]
    unit = profile / np.sqrt((profile**2 * radii).sum() * step)
    return float(((unit * radii).cumsum() ** 2).sum() * step**3)


def images(kind: str, size: int = 32, n: int = 256) -> tuple[Float, Float]:
    radius = (np.arange(n) + 0.5) * size / 2 / n
    middle = np.full(n, size / 2)
    drawn = (
        shapes.draw_disks(radius, middle, middle, size) if kind == "disk" else shapes.draw_scaled(kind, radius, size)
    )
    return drawn.reshape(n, -1) / 255, radius


def test_the_closed_form_is_the_series_and_ends_at_zero() -> None:
    radii = np.linspace(0, RADIUS, 200)
    profile = airy_profile.airy_profile(radii, RADIUS)
    np.testing.assert_allclose(profile, series(1.98635270743 * radii / RADIUS), atol=1e-9)
    assert profile[0] == pytest.approx(1)
    assert abs(profile[-1]) < 1e-12
    assert (profile[:-1] > 0).all()
    assert airy_profile.FIRST_ZERO == pytest.approx(1.98635, abs=5e-6)


def test_the_closed_form_solves_the_equation() -> None:
    radii = np.linspace(0, RADIUS, 4001)
    f = airy_profile.airy_profile(radii, RADIUS)
    step = radii[1]
    second = (f[2:] - 2 * f[1:-1] + f[:-2]) / step**2
    k = (1.98635270743 / RADIUS) ** 3
    np.testing.assert_allclose(second, -k * f[1:-1] * radii[1:-1], atol=1e-8)
    assert abs(f[1] - f[0]) / step < 1e-4


def test_the_numerical_maximum_is_airys() -> None:
    radii, profile = airy_profile.numerical_profile(RADIUS, 800)
    np.testing.assert_allclose(profile, airy_profile.airy_profile(radii, RADIUS), atol=1e-4)
    assert airy_profile.profile_distance(profile, airy_profile.airy_profile(radii, RADIUS), radii) < 1e-5


@pytest.mark.parametrize("other", ["cosine", "cone", "flat", "shifted"])
def test_nothing_else_reaches_the_maximum(other: str) -> None:
    radii = (np.arange(2000) + 0.5) * RADIUS / 2000
    airy = airy_profile.airy_profile(radii, RADIUS)
    others_by_name = {
        "cosine": np.cos(np.pi * radii / 2 / RADIUS),  # the maximum, were the weight ρ left out
        "cone": 1 - radii / RADIUS,
        "flat": np.ones_like(radii),
        "shifted": airy + 0.05 * np.sin(3 * np.pi * radii / RADIUS),
    }
    assert energy(others_by_name[other], radii) < energy(airy, radii)


def test_the_value_at_the_maximum_is_that_of_the_equation() -> None:
    radii = (np.arange(4000) + 0.5) * RADIUS / 4000
    k = (airy_profile.FIRST_ZERO / RADIUS) ** 3
    assert energy(airy_profile.airy_profile(radii, RADIUS), radii) == pytest.approx(1 / k, rel=1e-3)


@pytest.mark.parametrize("kind", ["disk", "square", "ellipse", "heart"])
def test_the_best_multiples_of_rendered_shapes_follow_airy(kind: str) -> None:
    drawn, _ = images(kind)
    best = airy_profile.leading_image(drawn)
    radii, profile = airy_profile.radial_profile(best, airy_profile.gauge(drawn, 16), 16)
    assert len(radii) >= 15
    assert airy_profile.profile_distance(profile, airy_profile.airy_profile(radii, 16), radii) < 0.03


def test_the_gauge_of_a_disk_is_the_distance() -> None:
    drawn, _ = images("disk")
    rows, columns = np.mgrid[:32, :32] + 0.5
    apart = np.hypot(rows - 16, columns - 16).ravel()
    inside = (apart > 1) & (apart < 15)
    np.testing.assert_allclose(airy_profile.gauge(drawn, 16)[inside], apart[inside], atol=0.1)


def test_larger_shapes_cover_smaller_ones() -> None:
    for kind in shapes.KINDS:
        drawn, _ = images(kind)
        assert (np.diff(drawn, axis=0) >= 0).all()


def test_the_leading_image_is_the_singular_vector_and_its_error_the_bound() -> None:
    drawn, _ = images("disk", 16, 60)
    values, rows = linalg.svd(drawn)[1:]
    best = airy_profile.leading_image(drawn)
    np.testing.assert_allclose(best, rows[0] * np.sign(rows[0].sum()), atol=1e-8)
    bound = (values[1:] ** 2).sum() / drawn.size
    assert airy_profile.scaled_image_error(drawn, best) == pytest.approx(bound)
    assert airy_profile.scaled_image_error(drawn, 7 * best) == pytest.approx(bound)
    assert airy_profile.scaled_image_error(drawn, drawn[30]) > bound


def test_distances_do_not_depend_on_scale() -> None:
    radii = np.arange(1.0, 20)
    f, g = np.cos(radii / 10), np.exp(-radii / 5)
    assert airy_profile.profile_distance(f, 3 * f, radii) == pytest.approx(0, abs=1e-12)
    assert airy_profile.profile_distance(f, -f, radii) == pytest.approx(2)
    assert airy_profile.profile_distance(f, g, radii) == pytest.approx(airy_profile.profile_distance(2 * g, f, radii))
    assert airy_profile.normalised_difference(f, 3 * f, radii) == pytest.approx(0, abs=1e-12)
    assert airy_profile.normalised_difference(f, g, radii) > 0.1
