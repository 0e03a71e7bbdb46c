"""How latents are kept and compared: numbers by Euclid, codes of −1 and 1 as bits, with the same distances.

Two codes that differ in h places are 2·√h apart. Both ways come to it without rounding, so that packing changes no
track.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flatsort.tracker.types import Float, Float32

SAME = 1e-6
"""Distance, as a share of the latent's length, below which two latents differ by rounding alone."""
WORD = 64
"""Bits that are compared at once."""
ABSENT = 2**15
"""What stands for the distance to a code that is not there: more than any number of bits."""
ROWS = 8
"""Codes that are compared with all others at a time: intermediate results stay in the processor's cache."""


class Form(ABC):
    """A way to keep latents and to compare them.

    Attributes
    ----------
    dtype : dtype
        Of what is kept.
    absent : float
        Offset of a place where no latent is kept.
    offset_dtype : dtype
        Of the offsets.
    """

    dtype: np.dtype[Any]
    absent: float
    offset_dtype: np.dtype[Any]

    @abstractmethod
    def keep(self, latents: Float32 | Float) -> NDArray[Any]:
        """What is kept of latents [n d], [n w].

        Raises
        ------
        ValueError
            If they cannot be kept in this form.
        """

    @abstractmethod
    def offsets(self, kept: NDArray[Any]) -> NDArray[Any]:
        """Part of the distance that belongs to each of the kept latents [n w] alone, [n]."""

    @abstractmethod
    def compare(self, new: NDArray[Any], kept: NDArray[Any], offsets: NDArray[Any]) -> NDArray[Any]:
        """Numbers [n m] that rise with the distances of new latents [n w] to kept ones [m w] with offsets [m]."""

    @abstractmethod
    def distances(self, new: NDArray[Any], compared: NDArray[Any]) -> Float:
        """Euclidean distances [n m] of new latents [n w] from what `compare` gave, or from its least ones."""


class Vectors(Form):
    """Latents as they are, in double precision. Distances below `SAME` of the new latent's length are 0."""

    dtype, absent, offset_dtype = np.dtype(np.float64), np.inf, np.dtype(np.float64)

    def keep(self, latents: Float32 | Float) -> Float:
        """The latents."""
        return latents.astype(np.float64)

    def offsets(self, kept: Float) -> Float:
        """Squared lengths."""
        squares: Float = np.einsum("nd,nd->n", kept, kept)
        return squares

    def compare(self, new: Float, kept: Float, offsets: Float) -> Float:
        """Squared distances but for the new latent's squared length."""
        # |a − b|² = |a|² − 2ab + |b|²: float64, as the difference of large numbers
        product: Float = (-2.0 * new) @ kept.T
        product += offsets
        return product

    def distances(self, new: Float, compared: Float) -> Float:
        """Square roots."""
        lengths = self.offsets(new)[:, None]
        squared = compared + lengths
        squared[squared <= SAME**2 * lengths] = 0.0
        return np.sqrt(squared, out=squared)


class Codes(Form):
    """Codes of −1 and 1, a bit each: a 64th of the memory of `Vectors`; compared by exclusive or and counting."""

    dtype, absent, offset_dtype = np.dtype(np.uint64), ABSENT, np.dtype(np.uint16)

    def keep(self, latents: Float32 | Float) -> NDArray[np.uint64]:
        """The bits, padded with zeros to whole words of 64."""
        if latents.shape[1] >= ABSENT:
            raise ValueError(f"latents: expected codes of fewer than {ABSENT} bits, got {latents.shape[1]}")
        wrong = latents[np.abs(latents) != 1]
        if wrong.size:
            raise ValueError(f"latents: expected −1 or 1 in every place, as appearance.bits says, got {wrong[0]:g}")
        codes = np.zeros((len(latents), -(-latents.shape[1] // WORD)), np.uint64)
        packed = np.packbits(latents > 0, axis=1)
        codes.view(np.uint8)[:, : packed.shape[1]] = packed
        return codes

    def offsets(self, kept: NDArray[np.uint64]) -> NDArray[np.uint16]:
        """Zeros."""
        return np.zeros(len(kept), np.uint16)

    def compare(
        self, new: NDArray[np.uint64], kept: NDArray[np.uint64], offsets: NDArray[np.uint16]
    ) -> NDArray[np.uint16]:
        """Hamming distances."""
        found = np.empty((len(new), len(kept)), np.uint16)
        words = np.ascontiguousarray(kept.T)
        for start in range(0, len(new), ROWS):
            rows = slice(start, start + ROWS)
            found[rows] = offsets
            for word, own in zip(words, new[rows].T, strict=True):
                found[rows] += np.bitwise_count(own[:, None] ^ word)
        return found

    def distances(self, new: NDArray[np.uint64], compared: NDArray[np.uint16]) -> Float:  # noqa: ARG002
        """2·√h."""
        squared: Float = 4.0 * compared.astype(np.float64)
        return np.sqrt(squared, out=squared)


def form_of(bits: bool) -> Form:
    """Codes as bits, or latents as they are."""
    return Codes() if bits else Vectors()


def pairwise(latents: Float32, bits: bool) -> Float:
    """Euclidean distances [n n] between latents [n d]; of codes of −1 and 1 (``bits``) through their bits.

    Raises
    ------
    ValueError
        If the latents are no such codes, though ``bits`` says so.
    """
    if not bits:
        from scipy.spatial.distance import cdist

        return cdist(latents, latents)
    form = Codes()
    codes = form.keep(latents)
    return form.distances(codes, form.compare(codes, codes, form.offsets(codes)))
