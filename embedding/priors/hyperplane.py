"""Prior over binary codes {−1, 1}ᵈ from their first two moments, sampled by random hyperplanes.

Each bit has a unit vector, and so has a boundary. A bit is 1 where its vector and the boundary's are on the same side
of a random hyperplane. With ⟨Vᵢ, Vⱼ⟩ = sin(π/2·Mᵢⱼ) the bits have exactly the means and the second moments in M.

The paper interpolates between normals of a heuristic that gets a few bits wrong; here a code's normal is that of the
widest margin, which gets all of them right.

References
----------
Fajtl, Argyriou, Monekosso, Remagnino: Latent Bernoulli autoencoder, ICML 2020.
Goemans, Williamson: Improved approximation algorithms for maximum cut, JACM 1995: rounding by a random hyperplane.
Higham: Computing the nearest correlation matrix, IMA Journal of Numerical Analysis 2002, algorithm 3.3.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
import torch
from scipy.optimize import nnls
from torch import Tensor, nn

from flatsort.embedding.random_generator import RandomGenerator
from flatsort.tracker.types import Float

MAX_PROJECTIONS = 100
"""Largest number of projections to the nearest correlation matrix; remaining negative eigenvalues are then far below
the error of the moments."""
DIAGONAL_SHIFT = 1e-12
"""First shift of the diagonal; bits that always agree then differ in √(2·shift)/π of the draws."""
VIOLATION_WEIGHT = 1e4
"""Weight of the squared distance by which a code's bit may be on the wrong side of its hyperplane."""
TOLERANCE = 1e-10
"""Change of the largest entry at which the projections end."""
TINY = 1e-9


class HyperplanePrior(nn.Module):
    """Distribution of binary codes with given means and second moments.

    Parameters
    ----------
    dim : int
        Bits of a code, d.

    Attributes
    ----------
    count : int64 scalar
        Number of codes that the prior was fitted to; 0 before `fit`.
    moments : float32 [d+1 d+1]
        Second moments of the codes with a 1 appended: the last row and column are their means.
    vectors : float32 [d+1 d+1]
        Unit vectors of the bits, in rows; the last is that of the boundary.
    """

    count: Tensor
    moments: Tensor
    vectors: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim
        self.register_buffer("count", torch.tensor(0))
        self.register_buffer("moments", torch.eye(dim + 1))
        self.register_buffer("vectors", torch.eye(dim + 1))

    @torch.no_grad()
    def fit(self, batches: Iterable[Tensor]) -> None:
        """Fit the moments to codes −1 and 1 [n d], a batch at a time.

        Raises
        ------
        ValueError
            If there are no codes.
        """
        count = 0

        def counted() -> Iterator[Tensor]:
            nonlocal count
            for codes in batches:
                count += len(codes)
                yield codes

        moments = second_moments(counted())
        self.count.fill_(count)
        self.moments.copy_(moments)
        self.vectors.copy_(bit_vectors(moments))

    def sample(self, n: int, generator: RandomGenerator) -> Tensor:
        """Codes [n d] of random hyperplanes."""
        return self.codes(generator.normal(n, self.dim + 1))

    def codes(self, normals: Tensor) -> Tensor:
        """Codes [… d] of hyperplanes with these normals [… d+1]."""
        sides = torch.where(normals @ self.vectors.T < 0, -1.0, 1.0)
        return sides[..., :-1] * sides[..., -1:]

    def normals(self, codes: Tensor) -> Tensor:
        """Normals float64 [n d+1] of hyperplanes that give codes [n d] with the widest margin.

        `codes` of them gives the codes back, except for bits that contradict relations that held in all fitted codes.
        """
        vectors = self.vectors.double().cpu().numpy()
        normals = [_normal(vectors, sides) for sides in append_one(codes).double().cpu().numpy()]
        return torch.from_numpy(np.stack(normals))

    def interpolate(self, start: Tensor, end: Tensor, steps: int) -> Tensor:
        """Codes [steps d] of hyperplanes that rotate by equal angles from one code [d] to another."""
        ends = self.normals(torch.stack([start, end])).to(self.vectors)
        return self.codes(slerp(ends[0], ends[1], steps))

    def expected(self) -> Tensor:
        """Second moments float64 [d+1 d+1] of samples in the limit; they differ from `moments` by the projection."""
        vectors = nn.functional.normalize(self.vectors.double(), dim=1)
        return (torch.asin((vectors @ vectors.T).clamp(-1, 1)) * (2 / math.pi)).fill_diagonal_(1.0)


def append_one(codes: Tensor) -> Tensor:
    """Codes [n d] with a 1 appended to each [n d+1]."""
    return torch.cat([codes, codes.new_ones(len(codes), 1)], dim=1)


def second_moments(batches: Iterable[Tensor]) -> Tensor:
    """Second moments float64 [d+1 d+1], on the CPU, of codes [n d] with a 1 appended to each, a batch at a time.

    Raises
    ------
    ValueError
        If there are no codes.
    """
    total, count = None, 0
    for codes in batches:
        extended = append_one(codes).double()
        product = extended.T @ extended
        total = product if total is None else total + product
        count += len(codes)
    if total is None or not count:
        raise ValueError("codes: expected one at least, got none")
    return total.cpu() / count


def bit_vectors(moments: Tensor) -> Tensor:
    """Unit vectors float64 [n n], in rows, whose random hyperplanes give these second moments as closely as possible.

    Not all moments are possible: the Gram matrix sin(π/2·moments) of three bits can be indefinite, and that of trained
    models' codes is. The last row, the means, is kept; the components of the bits' vectors orthogonal to the boundary
    get the nearest correlation matrix, whose diagonal is shifted as little as the Cholesky factorisation requires.

    Parameters
    ----------
    moments : float64 [n n]
        Symmetric, −1 to 1, with ones on the diagonal.
    """
    gram = torch.sin(math.pi / 2 * moments.double())
    parallel = gram[-1, :-1]
    orthogonal = (1 - parallel.square()).clamp_min(0).sqrt()
    partial = (gram[:-1, :-1] - torch.outer(parallel, parallel)) / torch.outer(orthogonal, orthogonal).clamp_min(TINY)
    partial = partial.clamp(-1, 1).fill_diagonal_(1.0)
    vectors = torch.eye(len(gram), dtype=torch.float64)
    vectors[:-1, :-1] = orthogonal[:, None] * _factor(partial)
    vectors[:-1, -1] = parallel
    return vectors


def nearest_correlation(matrix: Tensor) -> Tensor:
    """The correlation matrix float64 [n n] nearest to a symmetric one, by alternating projections.

    The projections are to positive semidefinite matrices, with Dykstra's correction, and to matrices with a unit
    diagonal, which is the last one: an eigenvalue may be slightly negative.
    """
    nearest, correction = matrix.clone(), torch.zeros_like(matrix)
    for _ in range(MAX_PROJECTIONS):
        corrected = nearest - correction
        values, basis = torch.linalg.eigh(corrected)
        semidefinite = (basis * values.clamp_min(0)) @ basis.T
        correction = semidefinite - corrected
        before, nearest = nearest, semidefinite.clone().fill_diagonal_(1.0)
        if float((nearest - before).abs().max()) < TOLERANCE:
            break
    return nearest


def slerp(start: Tensor, end: Tensor, steps: int) -> Tensor:
    """Spherical linear interpolation: unit vectors [steps n] in equal angles from one vector [n] to another."""
    start, end = (nn.functional.normalize(vector, dim=0) for vector in (start, end))
    angle = 2 * torch.atan2((end - start).norm(), (end + start).norm())
    share = torch.linspace(0, 1, steps, dtype=start.dtype)[:, None]
    if float(angle.sin()) < TINY:  # equal, or opposite, where no path is shorter than another
        return nn.functional.normalize(torch.lerp(start[None], end[None], share), dim=1)
    return (torch.sin((1 - share) * angle) * start + torch.sin(share * angle) * end) / angle.sin()


def round_gaussian(moments: Tensor, n: int, generator: RandomGenerator) -> Tensor:
    """Codes float64 [n d]: signs of draws of a Gaussian with the codes' means and covariances.

    The baseline of random hyperplanes; its codes have neither: their means are erf(μ/√2σ), covariances are smaller.

    Parameters
    ----------
    moments : float [d+1 d+1]
        As `HyperplanePrior.moments`.
    n : int
    generator : RandomGenerator
    """
    moments = moments.double()
    mean = moments[-1, :-1]
    values, basis = torch.linalg.eigh(moments[:-1, :-1] - torch.outer(mean, mean))
    normal = generator.normal(n, len(mean)).double()
    drawn = mean + (normal * values.clamp_min(0).sqrt()) @ basis.T
    return torch.where(drawn < 0, -1.0, 1.0).double()


def _factor(matrix: Tensor) -> Tensor:
    """Cholesky factor with unit rows of a correlation matrix, or of the nearest one."""
    factor, failed = torch.linalg.cholesky_ex(matrix)
    if failed:
        matrix, shift = nearest_correlation(matrix), DIAGONAL_SHIFT
        identity = torch.eye(len(matrix), dtype=matrix.dtype)
        while failed:
            factor, failed = torch.linalg.cholesky_ex(matrix + shift * identity)
            shift *= 10
    return nn.functional.normalize(factor, dim=1)


def _normal(vectors: Float, sides: Float) -> Float:
    """The shortest normal [n] that has vectors [n n] on the given sides (−1, 1) at a distance of 1 or more.

    Lawson, Hanson: Solving least squares problems, 1974, chapter 23: least distance programming as a non-negative least
    squares problem. Sides that contradict each other are violated at the cost of `VIOLATION_WEIGHT`.
    """
    signed = vectors * sides[:, None]
    slack = np.eye(len(sides)) / math.sqrt(VIOLATION_WEIGHT)
    system = np.vstack([signed.T, slack, np.ones(len(sides))])
    target = np.zeros(len(system))
    target[-1] = 1.0
    multipliers, _ = nnls(system, target, maxiter=30 * len(sides))
    residual = system @ multipliers - target
    normal: Float = -residual[: len(sides)] / residual[-1]
    return normal
