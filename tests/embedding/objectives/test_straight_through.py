"""Discrete values that gradients pass by."""

from __future__ import annotations

import torch

from flatsort.embedding.objectives.straight_through import binarise, straight_through


def test_signs_forward_and_the_identity_backward() -> None:
    values = torch.tensor([-0.7, -1e-9, 0.0, 1e-9, 0.3], requires_grad=True)
    codes = binarise(values)
    assert codes.tolist() == [-1, -1, 1, 1, 1]
    (codes * torch.arange(5.0)).sum().backward()  # type: ignore[no-untyped-call]
    assert values.grad is not None
    assert values.grad.tolist() == [0, 1, 2, 3, 4]


def test_the_gradient_of_a_tanh_stays() -> None:
    raw = torch.tensor([-2.0, 0.5], requires_grad=True)
    binarise(torch.tanh(raw)).sum().backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(raw.grad, 1 - torch.tanh(raw.detach()).square())


def test_values_are_the_hard_ones_without_rounding() -> None:
    soft = torch.randn(1000, generator=torch.Generator().manual_seed(0)) * 1e3
    hard = torch.full_like(soft, 0.1)
    assert torch.equal(straight_through(hard, soft), hard)
