"""Covariance loss and importances, against numpy and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from flatsort.embedding.objectives.decorrelation import covariance_loss, importances
from flatsort.embedding.random_generator import RandomGenerator


@given(st.integers(0, 99), st.integers(1, 4), st.integers(0, 5))
def test_the_mean_square_of_the_pairs(seed: int, new: int, earlier: int) -> None:
    codes = RandomGenerator(seed).normal(20, earlier + new) + 3
    covariances = np.cov(codes.double().numpy().T, bias=True).reshape(earlier + new, earlier + new)
    pairs = [(i, j) for j in range(earlier, earlier + new) for i in range(j)]
    expected = np.mean([covariances[pair] ** 2 for pair in pairs]) if pairs else 0.0
    assert float(covariance_loss(codes[:, earlier:], codes[:, :earlier])) == pytest.approx(expected, rel=1e-4)


def test_it_leads_to_codes_without_correlation() -> None:
    earlier = RandomGenerator(0).normal(64, 3)
    new = (earlier @ torch.tensor([[1.0], [1], [0]]) + RandomGenerator(1).normal(64, 1)).requires_grad_()
    (slope,) = torch.autograd.grad(covariance_loss(new, earlier), new)
    assert covariance_loss(new - 5 * slope, earlier) < 0.9 * covariance_loss(new, earlier)
    # what is not correlated has nothing to gain
    apart = earlier - earlier.mean(0)
    free = (RandomGenerator(2).normal(64, 1) - 0.3).clone()
    free -= free.mean()
    free = (free - apart @ torch.linalg.lstsq(apart, free).solution).requires_grad_()
    assert float(torch.autograd.grad(covariance_loss(free, earlier), free)[0].abs().max()) < 1e-6


def test_importances_of_a_linear_decoder_are_standard_deviation_times_length() -> None:
    directions = RandomGenerator(3).normal(4, 12)
    codes = RandomGenerator(4).normal(500, 4) * torch.tensor([3.0, 1, 0.5, 0]) + 2
    measured = importances(lambda z: z @ directions, codes, chunk=64)
    expected = codes.std(0, unbiased=False) * directions.square().mean(1).sqrt()
    torch.testing.assert_close(measured, expected, rtol=1e-4, atol=1e-6)
