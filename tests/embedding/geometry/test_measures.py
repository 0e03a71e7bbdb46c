"""Geometry of latent spaces: closed forms for a linear model, finite measures for every model."""

from __future__ import annotations

import json
import math

import pytest
import torch
from torch import nn

from flatsort.embedding.data.builtin.walker import walker
from flatsort.embedding.geometry.measures import LatentGeometry, encode, measure_geometry
from flatsort.embedding.likelihood import LikelihoodConfig
from flatsort.embedding.model import LatentModel, build
from flatsort.embedding.models.ae import AEConfig
from flatsort.embedding.models.flat_vhp_vae import FlatVHPVAEConfig
from flatsort.embedding.nets import NetConfig


def linear(dim: int, length: int, stretch: float = 1.0) -> LatentModel:
    """An autoencoder that projects on an orthonormal basis, its first direction stretched."""
    model = build(AEConfig(shape=[length], dim=dim, net=NetConfig(hidden=[])))
    basis = torch.linalg.qr(torch.randn(length, dim, generator=torch.Generator().manual_seed(0)))[0]
    factors = torch.ones(dim)
    factors[0] = stretch
    encoder, decoder = model.encoder[0], model.decoder[0]  # type: ignore[index]
    assert isinstance(encoder, nn.Linear)
    assert isinstance(decoder, nn.Linear)
    for layer, weight in ((encoder, (basis / factors).T), (decoder, basis * factors)):
        layer.weight.data.copy_(weight)
        layer.bias.data.zero_()
    return model.eval()


@pytest.mark.parametrize("dim", [1, 2, 5])
def test_an_isometry_is_flat(dim: int) -> None:
    samples = torch.randn(60, 8, generator=torch.Generator().manual_seed(1))
    geometry = measure_geometry(linear(dim, 8), samples)
    assert geometry.dim == dim
    assert geometry.data.flatness == pytest.approx(0, abs=1e-6)
    assert geometry.between.condition_median == pytest.approx(1, abs=1e-4)
    assert (geometry.geodesic_ratio, geometry.geodesic_variation) == pytest.approx((1, 0), abs=1e-3)
    assert geometry.curvature == pytest.approx(0, abs=1e-3)
    model = linear(dim, 8)
    lost = (samples - model.decode(model.encode(samples))).square().mean().sqrt()
    assert geometry.error == pytest.approx(lost.item(), rel=1e-5)


def test_a_stretched_direction_is_measured() -> None:
    geometry = measure_geometry(
        linear(2, 8, stretch=3.0), torch.randn(60, 8, generator=torch.Generator().manual_seed(1))
    )
    assert geometry.data.condition_median == pytest.approx(9, rel=1e-4)
    assert geometry.data.magnification_std == pytest.approx(0, abs=1e-5)
    assert geometry.data.flatness == pytest.approx(82 / 100 - 0.5, abs=1e-5)
    assert geometry.geodesic_variation > 0.1


def test_same_seed_same_numbers() -> None:
    model, samples = linear(2, 8), torch.randn(30, 8, generator=torch.Generator().manual_seed(1))
    assert measure_geometry(model, samples, 3) == measure_geometry(model, samples, 3)


@pytest.mark.parametrize("kind", ["gaussian", "bernoulli"])
@pytest.mark.parametrize("shape", [[21], [1, 8, 8]])
def test_every_number_is_finite(shape: list[int], kind: str) -> None:
    config = FlatVHPVAEConfig(
        shape=shape,
        dim=6,
        net=NetConfig(width=8, stem=2, halvings=1, hidden=[16]),
        likelihood=LikelihoodConfig(kind=kind),
    )
    samples = torch.rand(20, *shape, generator=torch.Generator().manual_seed(0))
    numbers = measure_geometry(build(config).eval(), samples).flat()
    assert {"dim", "error", "data.condition_mean", "between.flatness", "geodesic_variation", "curvature"} <= set(
        numbers
    )
    assert all(math.isfinite(number) for number in numbers.values())
    json.dumps(numbers, allow_nan=False)


def test_a_dimension_that_the_decoder_ignores() -> None:
    model = linear(3, 8)
    model.decoder[0].weight.data[:, 0] = 0  # type: ignore[index]
    geometry: LatentGeometry = measure_geometry(model, torch.randn(20, 8, generator=torch.Generator().manual_seed(1)))
    assert geometry.data.singular == 20
    assert all(math.isfinite(number) for number in geometry.flat().values())


def test_a_collapsed_encoder_is_refused() -> None:
    model = linear(2, 21)
    model.encoder[0].weight.data.zero_()  # type: ignore[index]
    with pytest.raises(ValueError, match="same latent for all samples"):
        measure_geometry(model, walker(20, 0).tensor(slice(None)))


def test_encoding_in_parts_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    model, samples = linear(2, 8), torch.randn(30, 8, generator=torch.Generator().manual_seed(1))
    whole = encode(model, samples)
    monkeypatch.setattr("flatsort.embedding.geometry.measures.CHUNK", 7)
    torch.testing.assert_close(encode(model, samples), whole)
    assert not whole.is_inference()
