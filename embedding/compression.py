"""Lossless compression of maps of symbols: range coding with the probabilities of a prior.

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
"""Counts that probabilities are rounded to; each symbol has one count more, so that none is impossible. With 512 codes
that costs 0.003 bits a symbol."""


@dataclass(frozen=True)
class EncodedSymbols:
    """A sample's symbols as bytes, and their information content −log2 p, in bits, under the coder's probabilities."""

    data: bytes
    bits: float


class SymbolCoder:
    """Range coder of the maps of one sample at a time, with the probabilities of a prior or with uniform ones.

    Decoding needs exactly the probabilities of encoding. So both compute them in the same way, symbol by symbol and for
    one sample, in double precision, and round them to counts.

    Parameters
    ----------
    levels : sequence of Level
        Sizes of the maps, coarse to fine.
    prior : SymbolPrior, optional
    """

    def __init__(self, levels: Sequence[Level], prior: SymbolPrior | None = None) -> None:
        self.levels = tuple(levels)
        self._pixel_cnns: list[PixelCNN | None] = [None] * len(levels)
        if prior is not None:
            self._pixel_cnns = [*copy.deepcopy(prior).cpu().double().eval().pixel_cnns]

    def encode(self, maps: Sequence[Tensor]) -> EncodedSymbols:
        """Encode the maps int64 [h w] of a sample in the fewest bytes that a range coder allows.

        Raises
        ------
        ValueError
            If the maps do not have the sizes of the coder's levels.
        """
        for level, each in zip(self.levels, maps, strict=True):
            if each.shape != (level.height, level.width) or not 0 <= int(each.min()) <= int(each.max()) < level.codes:
                raise ValueError(
                    f"symbols: expected a map [{level.height} {level.width}] of 0 to {level.codes - 1}, "
                    f"got {list(each.shape)} of {int(each.min())} to {int(each.max())}"
                )
        symbols = [int(symbol) for each in maps for symbol in each.flatten()]
        remaining = iter(symbols)
        tables: list[Float] = []

        def choose(table: Float) -> int:
            tables.append(table)
            return next(remaining)

        self._code_symbols(choose)
        bits = -sum(np.log2(table[symbol] / table.sum()) for table, symbol in zip(tables, symbols, strict=True))
        return EncodedSymbols(_shortest_bytes(symbols, tables), float(bits))

    def decode(self, data: bytes) -> list[Tensor]:
        """Decode the maps int64 [h w] of a sample.

        Raises
        ------
        ValueError
            If the bytes are damaged. Not all damage is detected.
        """
        decoder = _range_decoder(data)
        try:
            return self._code_symbols(lambda table: int(decoder.decode(_model(table))))
        except AssertionError as error:
            raise ValueError(f"stream: expected {len(data)} bytes of this coder, got others ({error})") from error

    @torch.no_grad()
    def _code_symbols(self, choose: Callable[[Float], int]) -> list[Tensor]:
        """Maps of the symbols that ``choose`` returns for the counts [codes] of the possible symbols, one by one."""
        maps: list[Tensor] = []
        for level, part in zip(self.levels, self._pixel_cnns, strict=True):
            context = part.context(maps[-1][None] if maps else None) if part is not None else None
            drawn = torch.zeros(level.height, level.width, dtype=torch.long)
            for place in range(level.places):
                counts = torch.ones(level.codes, dtype=torch.float64)
                if part is not None:
                    counts += (RESOLUTION * part.logits_at(drawn[None], place, context)[0].softmax(0)).floor()
                drawn.view(-1)[place] = choose(counts.numpy())
            maps.append(drawn)
        return maps


def _shortest_bytes(symbols: Sequence[int], tables: Sequence[Float]) -> bytes:
    """The shortest bytes that are decoded as these symbols.

    The library returns a number in the final interval in whole words of 32 bits; the shortest number in it begins with
    the same bytes, or with those plus one.
    """
    models = [_model(table) for table in tables]
    encoder = constriction.stream.queue.RangeEncoder()
    for symbol, model in zip(symbols, models, strict=True):
        encoder.encode(symbol, model)
    whole: bytes = encoder.get_compressed().astype(">u4").tobytes()
    return next((short for short in _shorter_candidates(whole) if _decodes_to(short, symbols, models)), whole)


def _decodes_to(data: bytes, symbols: Sequence[int], models: Sequence[constriction.stream.model.Categorical]) -> bool:
    decoder = _range_decoder(data)
    try:
        return all(decoder.decode(model) == symbol for symbol, model in zip(symbols, models, strict=True))
    except AssertionError:  # what the library raises for bytes that encode no symbols
        return False


def _shorter_candidates(whole: bytes) -> Iterator[bytes]:
    value = int.from_bytes(whole, "big")
    for size in range(len(whole)):
        head = value >> 8 * (len(whole) - size)
        yield head.to_bytes(size, "big")
        if head + 1 < 256**size:
            yield (head + 1).to_bytes(size, "big")


def _range_decoder(data: bytes) -> constriction.stream.queue.RangeDecoder:
    """A range decoder of bytes, padded with zeros."""
    padded = data + bytes(8 + -len(data) % 4)
    return constriction.stream.queue.RangeDecoder(np.frombuffer(padded, ">u4").astype(np.uint32))


def _model(counts: Float) -> constriction.stream.model.Categorical:
    return constriction.stream.model.Categorical(counts, perfect=False)
