"""Symbols as bytes and back."""

from __future__ import annotations

import pytest
import torch

from flatsort.embedding.compression import RESOLUTION, SymbolCoder
from flatsort.embedding.priors.pixel_cnn import Level, PixelCNNConfig, SymbolPrior
from flatsort.embedding.random_generator import RandomGenerator

LEVELS = [Level(7, 2, 1), Level(16, 4, 2)]


@pytest.fixture
def prior() -> SymbolPrior:
    """Far from uniform."""
    torch.manual_seed(0)
    made = SymbolPrior(LEVELS, PixelCNNConfig(width=8, layers=2))
    for part in made.pixel_cnns:
        part.head[-1].weight.data.mul_(15)  # type: ignore[operator]
    return made


def drawn(prior: SymbolPrior, n: int) -> list[list[torch.Tensor]]:
    """Maps of n samples, a list of levels each: likely ones, then any."""
    likely = prior.sample(n // 2, RandomGenerator(0))
    generator, rest = RandomGenerator(1), n - n // 2
    anyhow = [generator.uniform(rest, level.height, level.width).mul(level.codes).long() for level in LEVELS]
    whole = [torch.cat(pair) for pair in zip(likely, anyhow, strict=True)]
    return [[level[i] for level in whole] for i in range(n)]


@pytest.mark.parametrize("known", [True, False], ids=["prior", "uniform"])
def test_what_is_written_is_read_by_another_coder(prior: SymbolPrior, known: bool) -> None:
    writer, reader = (SymbolCoder(LEVELS, prior if known else None) for _ in range(2))
    code_lengths = []
    for maps in drawn(prior, 10):
        coded = writer.encode(maps)
        back = reader.decode(coded.data)
        assert all(torch.equal(a, b) for a, b in zip(maps, back, strict=True))
        assert writer.encode(maps) == coded
        # a number of b bits in an interval of 2^−b: at most one bit more, then up to the next byte
        assert coded.bits - 0.1 <= 8 * len(coded.data) + 8
        assert 8 * len(coded.data) <= coded.bits + 9.1
        code_lengths.append(8 * len(coded.data) - coded.bits)
    assert sum(code_lengths) / len(code_lengths) < 7


def test_the_bits_are_those_of_the_prior(prior: SymbolPrior) -> None:
    samples = drawn(prior, 6)[:3]
    whole = [torch.stack(level) for level in zip(*samples, strict=True)]
    with torch.no_grad():
        expected = prior.nll(whole).double() / torch.tensor(2.0).log()
    code_lengths = [SymbolCoder(LEVELS, prior).encode(maps).bits for maps in samples]
    assert code_lengths == pytest.approx(expected.tolist(), abs=0.05)
    uniform = SymbolCoder(LEVELS).encode(samples[0])
    assert uniform.bits == pytest.approx(sum(level.bits for level in LEVELS))


def test_likely_symbols_are_short(prior: SymbolPrior) -> None:
    coder = SymbolCoder(LEVELS, prior)
    maps = drawn(prior, 20)
    sizes = [len(coder.encode(each).data) for each in maps]
    assert sum(sizes[:10]) < sum(sizes[10:])
    assert sum(sizes[:10]) < sum(len(SymbolCoder(LEVELS).encode(each).data) for each in maps[:10])


def test_a_symbol_that_should_not_occur_can_be_written(prior: SymbolPrior) -> None:
    for part in prior.pixel_cnns:
        part.head[-1].bias.data[0] = 200.0  # type: ignore[operator]  # all others: e^−200
    coder = SymbolCoder(LEVELS, prior)
    never = [torch.full((level.height, level.width), level.codes - 1) for level in LEVELS]
    coded = coder.encode(never)
    assert all(torch.equal(a, b) for a, b in zip(never, coder.decode(coded.data), strict=True))
    assert coded.bits == pytest.approx(10 * 18, abs=0.1)
    assert RESOLUTION == 2**18
    always = [torch.zeros_like(each) for each in never]
    assert coder.encode(always).data == b""
    assert all(torch.equal(a, b) for a, b in zip(always, coder.decode(b""), strict=True))


def test_maps_of_another_shape_or_alphabet_are_refused() -> None:
    coder = SymbolCoder(LEVELS)
    top, bottom = torch.zeros(2, 1, dtype=torch.long), torch.zeros(4, 2, dtype=torch.long)
    with pytest.raises(ValueError, match=r"expected a map \[4 2\] of 0 to 15, got \[2, 1\] of 0 to 0"):
        coder.encode([top, top])
    with pytest.raises(ValueError, match=r"of 0 to 6, got .* of 0 to 7"):
        coder.encode([top + torch.tensor([[0], [7]]), bottom])
