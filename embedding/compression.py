"""Maps of symbols as bytes: range coding with the probabilities of a prior.

References
----------
Martin, Range encoding: an algorithm for removing redundancy from a digitised message, 1979; Bamler, Understanding
entropy coding with asymmetric numeral systems (ANS): a statistician's perspective, 2022 (the library).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import constriction
import numpy as np
import torch
from torch import Tensor

from flatsort.embedding.priors.pixel_cnn import Level, PixelCNN, SymbolPrior
from flatsort.tracker.types import Float

RESOLUTION = 2.0**18
"""Counts that a probability is rounded to; each symbol has one beside, so that none is impossible. With 512 codes that
costs 0.003 bits a symbol."""


@dataclass(frozen=True)
class Coded:
    """A sample's symbols as bytes, and −log2 of the probability of them that the coder used."""

    data: bytes
    bits: float


class SymbolCoder:
    """Codes the maps of one sample at a time: with a prior's probabilities, or with equal ones.

    The bytes can be read back only if reader and writer have the same probabilities to the last count. So both compute
    them in the same way, symbol by symbol and for one sample, in double precision, and round them.

    Parameters
    ----------
    levels : sequence of Level
        Of the maps, coarse to fine.
    prior : SymbolPrior, optional
    """

    def __init__(self, levels: Sequence[Level], prior: SymbolPrior | None = None) -> None:
        self.levels = tuple(levels)
        self._parts: list[PixelCNN | None] = [None] * len(levels)
        if prior is not None:
            self._parts = [*copy.deepcopy(prior).cpu().double().eval().pixel_cnns]

    def encode(self, maps: Sequence[Tensor]) -> Coded:
        """Bytes of the maps int64 [h w] of a sample: as few as a range coder can do with.

        Raises
        ------
        ValueError
            If the maps are not of the coder's levels.
        """
        for level, each in zip(self.levels, maps, strict=True):
            if each.shape != (level.height, level.width) or not 0 <= int(each.min()) <= int(each.max()) < level.codes:
                raise ValueError(
                    f"symbols: expected a map [{level.height} {level.width}] of 0 to {level.codes - 1}, "
                    f"got {list(each.shape)} of {int(each.min())} to {int(each.max())}"
                )
        symbols = [int(symbol) for each in maps for symbol in each.flatten()]
        left = iter(symbols)
        tables: list[Float] = []

        def choose(table: Float) -> int:
            tables.append(table)
            return next(left)

        self._walk(choose)
        bits = -sum(np.log2(table[symbol] / table.sum()) for table, symbol in zip(tables, symbols, strict=True))
        return Coded(_written(symbols, tables), float(bits))

    def decode(self, data: bytes) -> list[Tensor]:
        """Maps int64 [h w] of the sample that these bytes came of.

        Raises
        ------
        ValueError
            If they came of none. Not all damage is found.
        """
        decoder = _reader(data)
        try:
            return self._walk(lambda table: int(decoder.decode(_model(table))))
        except AssertionError as error:
            raise ValueError(f"stream: expected {len(data)} bytes of this coder, got others ({error})") from error

    @torch.no_grad()
    def _walk(self, choose: Callable[[Float], int]) -> list[Tensor]:
        """Maps whose every symbol ``choose`` gave, from the counts [codes] of all that were possible."""
        maps: list[Tensor] = []
        for level, part in zip(self.levels, self._parts, strict=True):
            context = part.context(maps[-1][None] if maps else None) if part is not None else None
            drawn = torch.zeros(level.height, level.width, dtype=torch.long)
            for place in range(level.places):
                counts = torch.ones(level.codes, dtype=torch.float64)
                if part is not None:
                    counts += (RESOLUTION * part.logits_at(drawn[None], place, context)[0].softmax(0)).floor()
                drawn.view(-1)[place] = choose(counts.numpy())
            maps.append(drawn)
        return maps


def _written(symbols: Sequence[int], tables: Sequence[Float]) -> bytes:
    """The shortest bytes that are read as these symbols.

    The library gives whole words of 32 bits of a number in the final interval; the shortest number in it begins with
    the same bytes, or with those plus one.
    """
    models = [_model(table) for table in tables]
    encoder = constriction.stream.queue.RangeEncoder()
    for symbol, model in zip(symbols, models, strict=True):
        encoder.encode(symbol, model)
    whole: bytes = encoder.get_compressed().astype(">u4").tobytes()
    return next((short for short in _shorter(whole) if _reads(short, symbols, models)), whole)


def _reads(data: bytes, symbols: Sequence[int], models: Sequence[constriction.stream.model.Categorical]) -> bool:
    decoder = _reader(data)
    try:
        return all(decoder.decode(model) == symbol for symbol, model in zip(symbols, models, strict=True))
    except AssertionError:  # the library's word for bytes that no symbols are written as
        return False


def _shorter(whole: bytes) -> Iterator[bytes]:
    value = int.from_bytes(whole, "big")
    for size in range(len(whole)):
        head = value >> 8 * (len(whole) - size)
        yield head.to_bytes(size, "big")
        if head + 1 < 256**size:
            yield (head + 1).to_bytes(size, "big")


def _reader(data: bytes) -> constriction.stream.queue.RangeDecoder:
    """A decoder of bytes, which are followed by zeros."""
    padded = data + bytes(8 + -len(data) % 4)
    return constriction.stream.queue.RangeDecoder(np.frombuffer(padded, ">u4").astype(np.uint32))


def _model(counts: Float) -> constriction.stream.model.Categorical:
    return constriction.stream.model.Categorical(counts, perfect=False)
