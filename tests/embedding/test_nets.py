"""Shapes of encoders and decoders, and smoothness."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from flatsort.embedding.nets import NetConfig, make_decoder, make_encoder


@settings(max_examples=20)
@given(
    channels=st.sampled_from([1, 3]),
    stem=st.sampled_from([1, 2, 4]),
    halvings=st.integers(0, 2),
    height=st.integers(1, 3),
    width=st.integers(1, 3),
)
def test_images_of_any_divisible_size(channels: int, stem: int, halvings: int, height: int, width: int) -> None:
    unit = stem * 2**halvings
    shape = [channels, height * unit, width * unit]
    config = NetConfig(width=8, decoder_width=8, stem=stem, halvings=halvings)
    encoder, decoder = make_encoder(shape, 5, config), make_decoder(5, shape, config)
    code = encoder(torch.rand(2, *shape))
    assert code.shape == (2, 5)
    assert decoder(code).shape == (2, *shape)


def test_vectors() -> None:
    config = NetConfig(hidden=[16, 12])
    code = make_encoder([7], 3, config)(torch.rand(4, 7))
    assert code.shape == (4, 3)
    assert make_decoder(3, [7], config)(code).shape == (4, 7)


@pytest.mark.parametrize("shape", [[3, 60, 32], [3, 64, 30]])
def test_sides_that_cannot_be_halved_are_refused(shape: list[int]) -> None:
    with pytest.raises(ValueError, match=f"multiples of 16.*got {shape[1]} and {shape[2]}"):
        make_encoder(shape, 5, NetConfig())


def test_widths_fit_the_groups() -> None:
    with pytest.raises(ValueError, match=r"net\.width: expected a multiple of 8, got 12"):
        NetConfig(width=12)
    with pytest.raises(ValueError, match=r"net\.decoder_width: expected a multiple of 8, got 4"):
        NetConfig(decoder_width=4)


@torch.no_grad()
def test_decoders_are_smooth() -> None:
    decoder = make_decoder(2, [1, 8, 8], NetConfig(width=8, decoder_width=8, stem=2, halvings=1)).double()
    z = torch.zeros(1, 2, dtype=torch.float64)
    step = torch.tensor([[1e-3, 0.0]], dtype=torch.float64)

    def slope(at: torch.Tensor) -> torch.Tensor:
        gradient: torch.Tensor = (decoder(at + step) - decoder(at - step)) / 2e-3
        return gradient

    # a kink would change the slope by as much however near the two points lie
    changes = [float((slope(z + h * 100 * step) - slope(z)).abs().max()) for h in (1.0, 0.1)]
    assert changes[1] < 0.15 * changes[0]
