"""The four operations: homogeneity without biases, invariances of the encoder, sizes."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from flatsort.embedding.likelihood import LikelihoodConfig
from flatsort.embedding.model import LatentModel, build
from flatsort.embedding.models.disk_ae import DiskAEConfig
from flatsort.embedding.random_generator import RandomGenerator

LAMBDAS = (0.1, 0.7, 3.0, 11.0)


def made(shape: list[int] | None = None, dim: int = 2, centre: bool = False, **settings: Any) -> LatentModel:
    likelihood = LikelihoodConfig(centre=centre)
    config = DiskAEConfig(shape=shape or [1, 16, 16], dim=dim, widths=[4, 8], likelihood=likelihood, **settings)
    model = build(config, 3)
    model.init_from_data(RandomGenerator(5).uniform(6, *config.shape))
    return model.eval()


def apart(model: LatentModel, factor: float, proper: bool = False) -> float:
    """‖D(λz) − λD(z)‖ / ‖λD(z)‖, of the decoded image or of the decoder alone."""
    z = RandomGenerator(1).normal(5, model.dim)
    decode = model.decoder if proper else model.decode
    with torch.no_grad():
        plain = factor * decode(z)
        return float((decode(factor * z) - plain).norm() / plain.norm())


@pytest.mark.parametrize("shape", [[1, 16, 16], [3, 16, 8], [6]])
@pytest.mark.parametrize("factor", LAMBDAS)
def test_without_biases_the_decoder_can_only_scale(shape: list[int], factor: float) -> None:
    assert apart(made(shape, bias=False), factor) < 1e-5
    assert apart(made(shape), factor) > 1e-2


def test_decoded_images_are_homogeneous_without_centre_only() -> None:
    centred = made(bias=False, centre=True)
    assert apart(centred, 3.0, proper=True) < 1e-5
    assert apart(centred, 3.0) > 1e-2


def test_a_negative_factor_gives_another_image() -> None:
    model = made(bias=False)
    z = RandomGenerator(1).normal(5, 2)
    assert not torch.allclose(model.decoder(-z), -model.decoder(z), atol=1e-2)


def test_coordinates_are_constants_as_biases_are() -> None:
    assert apart(made(bias=False, coord=True), 3.0) > 1e-2


def test_without_biases_brightness_scales_the_code() -> None:
    images = RandomGenerator(2).uniform(4, 1, 16, 16)
    for bias, same in ((False, True), (True, False)):
        model = made(bias=bias)
        with torch.no_grad():
            assert torch.allclose(model.encode(0.5 * images), 0.5 * model.encode(images), atol=1e-5) == same


def test_with_slope_one_the_model_is_affine() -> None:
    model = made(slope=0.999999)
    a, b = RandomGenerator(2).uniform(4, 1, 16, 16), RandomGenerator(3).uniform(4, 1, 16, 16)
    with torch.no_grad():
        between = model.encode((a + b) / 2)
        torch.testing.assert_close(between, (model.encode(a) + model.encode(b)) / 2, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("shape", "smallest"), [([1, 64, 64], 1), ([3, 64, 32], 2), ([1, 24, 8], 3), ([1, 6, 10], 15)])
def test_images_are_halved_as_often_as_they_can_be(shape: list[int], smallest: int) -> None:
    model = made(shape)
    last = model.encoder[-1]  # type: ignore[index]
    assert last.in_features == 8 * smallest if len(shape) == 3 and min(shape[1:]) > 6 else 4 * smallest
    with torch.no_grad():
        assert model.decode(model.encode(torch.zeros(2, *shape))).shape == (2, *shape)


def test_coordinates_go_from_one_side_to_the_other() -> None:
    first = made(coord=True).encoder[0]  # type: ignore[index]
    y, x = first.coordinates
    assert first.in_channels == 3
    assert torch.equal(x, y.T)
    assert (x[:, 0] == -1).all()
    assert (x[:, -1] == 1).all()
    assert "encoder.0.coordinates" not in made(coord=True).state_dict()


def test_bad_settings_are_one_sentence() -> None:
    with pytest.raises(ValueError, match="expected an even height and width, got 15 and 8"):
        build(DiskAEConfig(shape=[1, 15, 8]))
    with pytest.raises(ValueError, match=r"model\.slope"):
        DiskAEConfig(slope=1.0)
    with pytest.raises(ValueError, match=r"model\.widths"):
        DiskAEConfig(widths=[])
