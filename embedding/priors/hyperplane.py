"""Binary codes as the sides of vectors about a random hyperplane: a prior over {−1, 1}ᵈ from two moments.

Every bit is a unit vector, and so is a boundary. A bit is 1 where a random normal has its vector and the boundary on
one side. With ⟨Vᵢ, Vⱼ⟩ = sin(π/2·Mᵢⱼ) the bits have exactly the means and the second moments in M.

References
----------
Fajtl, Argyriou, Monekosso, Remagnino: Latent Bernoulli autoencoder, ICML 2020.
Goemans, Williamson: Improved approximation algorithms for maximum cut, JACM 1995: rounding by a random hyperplane.
Higham: Computing the nearest correlation matrix, IMA Journal of Numerical Analysis 2002, algorithm 3.3.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from embedding.noise import Noise

ROUNDS = 100
"""Projections of the repair; eigenvalues below 0 are far below the moments' own error by then."""
SHIFT = 1e-12
"""First shift of the diagonal; a pair that must agree always does so but for √(2·shift)/π of the draws."""


class HyperplanePrior(nn.Module):
    """The distribution of codes of which means and second moments are known.

    Parameters
    ----------
    dim : int
        Bits of a code, d.

    Attributes
    ----------
    count : int64 scalar
        Codes that were seen; 0 before `fit`.
    moments : float32 [d+1 d+1]
        Second moments of the codes with a 1 appended: the last row and column are their means.
    vectors : float32 [d+1 d+1]
        Unit vectors of the bits, in rows; the last is the boundary.
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
        """Take the moments of codes −1 and 1 [n d], a batch at a time.

        Raises
        ------
        ValueError
            If there are no codes.
        """
        total, count = torch.zeros_like(self.moments, dtype=torch.float64), 0
        for codes in batches:
            longer = bordered(codes).double()
            total += longer.T @ longer
            count += len(codes)
        if not count:
            raise ValueError("codes: expected one at least, got none")
        moments = total / count
        self.count.fill_(count)
        self.moments.copy_(moments)
        self.vectors.copy_(vectors_of(moments.cpu()))

    def sample(self, n: int, noise: Noise) -> Tensor:
        """Codes [n d] of random hyperplanes."""
        return self.codes(noise.normal(n, self.dim + 1))

    def codes(self, normals: Tensor) -> Tensor:
        """Codes [… d] of hyperplanes with these normals [… d+1]."""
        sides = torch.where(normals @ self.vectors.T < 0, -1.0, 1.0)
        return sides[..., :-1] * sides[..., -1:]

    def expected(self) -> Tensor:
        """Second moments float64 [d+1 d+1] that samples have in the limit; beside `moments`: what the repair cost."""
        vectors = self.vectors.double()
        return torch.asin((vectors @ vectors.T).clamp(-1, 1)) * (2 / math.pi)


def bordered(codes: Tensor) -> Tensor:
    """Codes [n d] with a 1 appended to each [n d+1]."""
    return torch.cat([codes, codes.new_ones(len(codes), 1)], dim=1)


def vectors_of(moments: Tensor) -> Tensor:
    """Unit vectors float64 [n n], in rows, whose random hyperplanes have these second moments.

    The Gram matrix sin(π/2·moments) need not be positive definite: bits that are always equal make it singular, three
    bits can make it indefinite. It is replaced by the nearest correlation matrix, whose diagonal is then shifted as
    little as the Cholesky factorisation asks for.

    Parameters
    ----------
    moments : float64 [n n]
        Symmetric, −1 to 1, with ones on the diagonal.
    """
    gram = torch.sin(math.pi / 2 * moments.double())
    identity = torch.eye(len(gram), dtype=torch.float64)
    factor, failed = torch.linalg.cholesky_ex(gram)
    if failed:
        gram, shift = nearest_correlation(gram), SHIFT
        factor, failed = torch.linalg.cholesky_ex(gram + shift * identity)
        while failed:
            shift *= 10
            factor, failed = torch.linalg.cholesky_ex(gram + shift * identity)
    return nn.functional.normalize(factor, dim=1)


def nearest_correlation(matrix: Tensor) -> Tensor:
    """The correlation matrix float64 [n n] nearest to a symmetric one, by alternating projections.

    They go to the positive semidefinite matrices, with Dykstra's correction, and to those with a unit diagonal, in
    which they end: an eigenvalue may be a little below 0.
    """
    y, correction = matrix.clone(), torch.zeros_like(matrix)
    for _ in range(ROUNDS):
        r = y - correction
        values, basis = torch.linalg.eigh(r)
        x = (basis * values.clamp(min=0)) @ basis.T
        correction = x - r
        before, y = y, x.clone().fill_diagonal_(1.0)
        if float((y - before).abs().max()) < 1e-10:
            break
    return y
