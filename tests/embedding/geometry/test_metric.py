"""The metric tensor against closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from flatsort.embedding.geometry.metric import FLOOR, log_magnification, metric_statistics, metric_tensor, spectrum
from flatsort.embedding.models.ae import AE, AEConfig
from flatsort.embedding.nets import NetConfig
from flatsort.embedding.objectives.flatness import Decode


def _latents(n: int, dim: int) -> Tensor:
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(0))


def polar(z: Tensor) -> Tensor:
    """Radius and angle → plane: G = diag(1, r²)."""
    return torch.stack([z[:, 0] * z[:, 1].cos(), z[:, 0] * z[:, 1].sin()], dim=1)


def parabola(k: float) -> Decode:
    """A sheet with increasing curvature."""
    return lambda z: torch.cat([z, k * z**2], 1)


@pytest.mark.parametrize("chunk", [1, 4, 100])
def test_linear_decoder(chunk: int) -> None:
    matrix = _latents(7, 3)
    tensors = metric_tensor(lambda z: z @ matrix.T, _latents(10, 3), chunk)
    assert tensors.dtype == torch.float64
    assert tensors.shape == (10, 3, 3)
    torch.testing.assert_close(tensors, (matrix.T @ matrix).double().expand(10, 3, 3), rtol=1e-5, atol=1e-5)


def test_polar_coordinates() -> None:
    z = _latents(50, 2).double()
    z[:, 0] = z[:, 0].abs() + 0.1
    tensors = metric_tensor(polar, z)
    torch.testing.assert_close(tensors, torch.diag_embed(torch.stack([torch.ones(50).double(), z[:, 0] ** 2], 1)))
    torch.testing.assert_close(log_magnification(tensors), z[:, 0].log())
    statistics = metric_statistics(tensors)
    expected = torch.maximum(z[:, 0], 1 / z[:, 0]) ** 2
    assert statistics.condition_mean == pytest.approx(float(expected.mean()))
    assert statistics.condition_median == pytest.approx(float(expected.median()))
    assert statistics.magnification_std == pytest.approx(float(z[:, 0].log().std(correction=0)))
    assert statistics.log_magnification == pytest.approx(float(z[:, 0].log().mean()))
    assert statistics.scale == pytest.approx(float((1 + z[:, 0] ** 2).mean()) / 2)
    assert statistics.flatness == pytest.approx(float((1 + z[:, 0] ** 4).mean() / (1 + z[:, 0] ** 2).mean() ** 2) - 0.5)
    assert (statistics.singular, statistics.points) == (0, 50)


def test_equals_the_jacobian_of_a_conv_decoder() -> None:
    model = AE(AEConfig(shape=[1, 16, 16], dim=3, net=NetConfig(width=8, stem=4, halvings=1)))
    z = _latents(5, 3)
    for row, tensor in zip(z, metric_tensor(model.decode_weighted, z, chunk=2), strict=True):
        jacobian = torch.autograd.functional.jacobian(lambda v: model.decode_weighted(v[None])[0], row)  # type: ignore[no-untyped-call]
        torch.testing.assert_close(tensor, (jacobian.T @ jacobian).double(), rtol=1e-4, atol=1e-6)


def test_no_gradient_and_no_change_is_left() -> None:
    net = nn.Linear(2, 5)
    tensors = metric_tensor(net, _latents(4, 2))
    assert not tensors.requires_grad
    assert net.weight.grad is None


@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0])
@pytest.mark.parametrize("dim", [1, 2, 9])
def test_isometry_is_flat_at_any_scale(scale: float, dim: int) -> None:
    basis = torch.linalg.qr(_latents(12, dim).double())[0]
    statistics = metric_statistics(metric_tensor(lambda z: scale * z @ basis.T, _latents(20, dim).double()))
    assert statistics.flatness == pytest.approx(0, abs=1e-9)
    assert statistics.condition_mean == pytest.approx(1)
    assert statistics.magnification_std == pytest.approx(0, abs=1e-6)
    assert statistics.scale == pytest.approx(scale**2)
    assert statistics.log_magnification == pytest.approx(dim * math.log(scale))


def test_flatness_is_free_of_scale_and_grows() -> None:
    z = _latents(30, 2)
    bent = [metric_statistics(metric_tensor(parabola(k), z)).flatness for k in (0.0, 0.2, 0.5)]
    assert bent == sorted(bent)
    assert bent[0] == pytest.approx(0, abs=1e-6)
    large = metric_statistics(metric_tensor(lambda z: 100 * parabola(0.5)(z), z)).flatness
    assert large == pytest.approx(bent[-1], rel=1e-4)


def test_an_ignored_dimension_stays_finite_and_is_counted() -> None:
    statistics = metric_statistics(metric_tensor(lambda z: torch.stack([z[:, 0], 2 * z[:, 0]], 1), _latents(8, 3)))
    assert statistics.singular == 8
    assert statistics.condition_mean == pytest.approx(1 / FLOOR)
    assert math.isfinite(statistics.log_magnification)
    assert statistics.magnification_std == pytest.approx(0, abs=1e-6)
    # diag(5, 0, 0): 25 / 25 - 1/3
    assert statistics.flatness == pytest.approx(2 / 3)


def test_refuses_what_cannot_be_measured() -> None:
    with pytest.raises(ValueError, match="same sample for all latents"):
        metric_statistics(metric_tensor(lambda z: 0 * z, _latents(3, 2)))
    with pytest.raises(ValueError, match="not finite"):
        spectrum(torch.full((1, 2, 2), torch.nan))
    with pytest.raises(ValueError, match="got none"):
        metric_statistics(metric_tensor(polar, torch.zeros(0, 2)))
