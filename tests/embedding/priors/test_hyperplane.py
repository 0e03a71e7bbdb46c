"""The prior over binary codes, against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal
from torch import Tensor

from flatsort.embedding.priors import hyperplane
from flatsort.embedding.priors.hyperplane import HyperplanePrior
from flatsort.embedding.random_generator import RandomGenerator

MANY = 40_000
SEEDS = st.integers(0, 1000)


def codes_of(seed: int, n: int = 2000, d: int = 6) -> Tensor:
    """Codes with means and correlations: signs of shifted, mixed normal numbers."""
    generator = RandomGenerator(seed, "codes")
    normal = generator.normal(n, d) @ generator.normal(d, d) + generator.normal(1, d)
    return torch.where(normal < 0, -1.0, 1.0)


def fitted(codes: Tensor) -> HyperplanePrior:
    prior = HyperplanePrior(codes.shape[1])
    prior.fit(torch.split(codes, 300))
    return prior


def test_two_bits_have_the_probabilities_of_orthants() -> None:
    prior = fitted(torch.tensor([[1.0, 1], [1, 1], [1, -1], [-1, 1], [-1, -1], [1, 1], [-1, -1], [1, -1]]))
    vectors = prior.vectors.double()
    drawn = prior.sample(MANY, RandomGenerator(0))
    # both bits are 1 where all three sides are alike: twice the chance of an orthant
    gram = (vectors @ vectors.T).numpy()
    both = 2 * multivariate_normal(np.zeros(3), gram).cdf(np.zeros(3))
    assert both == pytest.approx(
        0.25 + sum(math.asin(gram[i, j]) for i, j in ((0, 1), (0, 2), (1, 2))) / (2 * math.pi), abs=1e-3
    )
    share = float((drawn == 1).all(1).double().mean())
    assert share == pytest.approx(both, abs=4 * math.sqrt(both * (1 - both) / MANY))
    assert share == pytest.approx(3 / 8, abs=0.01)  # two bits and their means determine it: as among the codes


@settings(max_examples=8, deadline=None)
@given(SEEDS)
def test_means_are_exact_and_so_are_possible_covariances(seed: int) -> None:
    prior = fitted(codes_of(seed))
    expected, gram = prior.expected(), torch.sin(math.pi / 2 * prior.moments.double())
    np.testing.assert_allclose(expected[-1], prior.moments[-1].double(), atol=1e-6)
    torch.testing.assert_close(prior.vectors.norm(dim=1), torch.ones(7))
    if float(torch.linalg.eigvalsh(gram)[0]) > 1e-6:
        np.testing.assert_allclose(expected, prior.moments.double(), atol=1e-5)


def test_samples_have_the_moments_and_a_rounded_gaussian_has_not() -> None:
    prior = fitted(codes_of(3))
    generator = 4 / math.sqrt(MANY)
    drawn = hyperplane.second_moments([prior.sample(MANY, RandomGenerator(1))])
    assert float((drawn - prior.expected()).abs().max()) < generator
    assert float((drawn - prior.moments).abs().max()) < generator + 0.02
    rounded = hyperplane.second_moments([hyperplane.round_gaussian(prior.moments, MANY, RandomGenerator(1))])
    assert float((rounded - prior.moments).abs().max()) > 0.1
    mean = prior.moments[-1, :-1].double()
    closed = torch.erf(mean / (2 * (1 - mean.square())).sqrt())  # of a Gaussian's signs
    assert float((rounded[-1, :-1] - closed).abs().max()) < generator


def test_bits_that_never_change_and_bits_that_always_agree() -> None:
    codes = codes_of(5, d=4)
    codes = torch.cat([codes, torch.ones(len(codes), 1), -torch.ones(len(codes), 1), codes[:, :1], -codes[:, 1:2]], 1)
    drawn = fitted(codes).sample(5000, RandomGenerator(0))
    assert bool((drawn[:, 4] == 1).all())
    assert bool((drawn[:, 5] == -1).all())
    assert int((drawn[:, 6] != drawn[:, 0]).sum()) <= 2
    assert int((drawn[:, 7] == drawn[:, 1]).sum()) <= 2


def test_impossible_moments_are_projected_and_keep_the_means() -> None:
    moments = torch.tensor([[1, -0.9, -0.9, 0], [-0.9, 1, -0.9, 0.2], [-0.9, -0.9, 1, 0], [0, 0.2, 0, 1]]).double()
    vectors = hyperplane.bit_vectors(moments)
    np.testing.assert_allclose(vectors.norm(dim=1), 1, rtol=1e-12)
    np.testing.assert_allclose(torch.asin(vectors @ vectors.T)[-1, :-1] * 2 / math.pi, [0, 0.2, 0], atol=1e-12)


def test_the_nearest_correlation_matrix_of_higham() -> None:
    """The example of Higham 2002, section 4, whose solution is published to four digits."""
    near = hyperplane.nearest_correlation(torch.tensor([[1, 1, 0], [1, 1, 1], [0, 1, 1]]).double())
    expected = [[1, 0.7607, 0.1573], [0.7607, 1, 0.7607], [0.1573, 0.7607, 1]]
    np.testing.assert_allclose(near, expected, atol=1e-4)


@settings(max_examples=10, deadline=None)
@given(SEEDS)
def test_normals_give_their_codes_back(seed: int) -> None:
    codes = codes_of(seed)
    prior = fitted(codes)
    normals = prior.normals(codes[:10])
    assert torch.equal(prior.codes(normals.float()), codes[:10])
    margin = (normals @ prior.vectors.double().T) * hyperplane.append_one(codes[:10])
    np.testing.assert_allclose(margin.min(dim=1).values, 1, atol=0.05)


def test_an_interpolation_begins_and_ends_at_its_codes() -> None:
    codes = codes_of(2, d=40)
    prior = fitted(codes)
    path = prior.interpolate(codes[0], codes[1], 9)
    assert torch.equal(path[0], codes[0])
    assert torch.equal(path[-1], codes[1])
    changes = (path[1:] != path[:-1]).sum(1)
    assert int(changes.max()) < int((codes[0] != codes[1]).sum())  # not all at once


def test_slerp_turns_evenly() -> None:
    start, end = torch.tensor([2.0, 0, 0]), torch.tensor([0, 0.5, 0])
    path = hyperplane.slerp(start, end, 4)
    angles = torch.atan2(path[:, 1], path[:, 0])
    np.testing.assert_allclose(angles, np.radians([0, 30, 60, 90]), atol=1e-6)
    np.testing.assert_allclose(hyperplane.slerp(start, 3 * start, 3), [[1, 0, 0]] * 3, atol=1e-6)


def test_no_codes_are_refused() -> None:
    with pytest.raises(ValueError, match="codes: expected one at least, got none"):
        HyperplanePrior(3).fit([])
