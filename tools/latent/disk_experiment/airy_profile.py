"""The image whose multiples come closest to a shape of every size: closed form (Airy), numerical optimum, profiles.

A decoder without biases gives y = h(r)·f for a shape of size r. The best f maximises ∫₀ᴿ ⟨f, 1_{B_r}⟩² dr among those
of unit norm, with the inner product of the plane: for f(ρ) around a centre it is ∫ f(ρ)·g(ρ)·ρ dρ but for a constant.
The weight ρ is what makes the first variation Airy's equation: with F(r) = ∫₀ʳ f(s)·s ds, a stationary f has
∫_t^R F dr = μ·f(t); differentiated twice, f'' = −f·t/μ. (Without the weight it would be f'' = −f/μ, a cosine.) The
integral is zero at t = R, hence f(R) = 0, and F(0) = 0 gives f'(0) = 0.

The same holds for any star-shaped set scaled by r, with its gauge (the r at which a point is first covered) for ρ: the
area of a set grows with r² as that of a disk does.

References
----------
Newson, Almansa, Gousseau, Ladjal: Processing simple geometric attributes with autoencoders, JMIV 2020; equations 3 to 8
of the talk by Newson (2020).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special
from scipy.sparse.linalg import svds

from flatsort.tracker.types import Float

FIRST_ZERO = 1.9863527074304732
"""Least x > 0 where the solution of f'' = −x·f, f(0) = 1, f'(0) = 0 is zero."""
RINGS = 400
"""Rings of a discretised profile."""


def airy_profile(radii: ArrayLike, radius: float) -> Float:
    """The solution f of f'' = −k·f·ρ, f(0) = 1, f'(0) = 0 with f(R) = 0, thus k = (1.98635/R)³.

    Parameters
    ----------
    radii : float64 [n]
        Distances ρ from the centre.
    radius : float
        R, in the same unit.
    """
    x = -FIRST_ZERO * np.asarray(radii, np.float64) / radius
    decaying, _, growing, _ = special.airy(x)
    profile: Float = (decaying + growing / np.sqrt(3)) / (2 * special.airy(0)[0])
    return profile


def numerical_profile(radius: float, count: int = RINGS) -> tuple[Float, Float]:
    """The maximiser of ∫₀ᴿ ⟨f, 1_{B_r}⟩² dr, without use of the equation.

    The functional is a quadratic form with the kernel R − max(s, t); its leading eigenvector is the maximum.

    Parameters
    ----------
    radius : float
        R.
    count : int
        Rings of equal width that f is constant on.

    Returns
    -------
    radii, profile : float64 [count]
        Mean radii of the rings, and f, 1 on the first of them (f'(0) = 0).
    """
    radii = (np.arange(count) + 0.5) * radius / count
    root = np.sqrt(radii * radius / count)
    kernel = root[:, None] * (radius - np.maximum.outer(radii, radii)) * root
    leading = np.linalg.eigh(kernel)[1][:, -1] / root
    return radii, leading / leading[0]


def leading_image(images: Float) -> Float:
    """The image f [m] of unit norm whose multiples come closest to images [n m].

    It is the leading right singular vector (Eckart, Young): the best that a decoder that can only scale one image could
    reach on these images. Its mean is not negative.
    """
    leading: Float = svds(images, k=1, v0=np.ones(min(images.shape)))[2][0]
    return leading if leading.sum() >= 0 else -leading


def scaled_image_error(images: Float, image: Float) -> float:
    """Mean squared error of images [n m] that are replaced by the best multiples of one image [m]."""
    unit = image / np.linalg.norm(image)
    return float(((images - np.outer(images @ unit, unit)) ** 2).mean())


def gauge(images: Float, radius: float) -> Float:
    """Size at which each pixel is first covered [m], from images [n m] of a growing shape, sizes even in 0..R."""
    first: Float = radius * (1 - images.mean(0))
    return first


def radial_profile(image: Float, sizes: Float, radius: float) -> tuple[Float, Float]:
    """Means of an image over rings of one pixel's width.

    Parameters
    ----------
    image, sizes : float64 [m]
        Values, and each pixel's gauge (of a disk: its distance from the centre).
    radius : float
        R: what lies beyond is left out.

    Returns
    -------
    radii, profile : float64 [k]
        Mean gauge and mean value of each ring that has pixels.
    """
    ring = np.floor(sizes).astype(np.int64)
    inside = (ring >= 0) & (sizes < radius - 1e-9) & (ring < np.floor(radius))
    count, total, radius_sum = (
        np.bincount(ring[inside], weights=w, minlength=int(radius)) for w in (None, image[inside], sizes[inside])
    )
    full = count > 0
    return radius_sum[full] / count[full], total[full] / count[full]


def profile_distance(first: Float, second: Float, radii: Float) -> float:
    """L2 distance of two profiles [n] at radii [n], each scaled to unit norm, in the plane: weighed by ρ.

    0: positive multiples of each other; √2: orthogonal.
    """
    weights = np.sqrt(radii)
    a, b = (weights * f / np.linalg.norm(weights * f) for f in (first, second))
    return float(np.linalg.norm(a - b))


def normalised_difference(first: Float, second: Float, radii: Float) -> float:
    """Root mean squared difference of two profiles [n] over ρ, each divided by its value at the centre."""
    centre = int(np.argmin(radii))
    return float(np.sqrt(np.mean((first / first[centre] - second / second[centre]) ** 2)))
