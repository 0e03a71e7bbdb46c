"""Euclidean distances of latents, stored as floating-point numbers or, where they are codes of −1 and 1, as bits.

Two codes with Hamming distance h have the Euclidean distance 2·√h. Both forms of storage give exactly this number, so
that storing bits changes no track.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flatsort.tracker.types import Float, Float32

ROUNDING = 1e-6
"""Distance, as a share of the latent's length, below which two latents differ by rounding errors only."""
WORD = 64
"""Bits in a machine word; a word is compared at once."""
ABSENT = 2**15
"""Hamming distance to an empty place of a gallery: more than any number of bits."""
ROWS = 8
"""Codes that are compared with all others at a time, so that intermediate results stay in the processor's cache."""


class LatentStorage(ABC):
    """A form in which latents are stored and compared.

    Attributes
    ----------
    dtype : dtype
        Of a stored latent.
    absent : float
        Offset of a place where no latent is stored.
    offset_dtype : dtype
        Of the offsets.
    """

    dtype: np.dtype[Any]
    absent: float
    offset_dtype: np.dtype[Any]

    @abstractmethod
    def encode(self, latents: Float32 | Float) -> NDArray[Any]:
        """Latents [n d] in the form in which they are stored, [n w].

        Raises
        ------
        ValueError
            If they cannot be stored in this form.
        """

    @abstractmethod
    def offsets(self, kept: NDArray[Any]) -> NDArray[Any]:
        """The part of the comparison [n] that depends on the stored latents [n w] alone."""

    @abstractmethod
    def compare(self, new: NDArray[Any], kept: NDArray[Any], offsets: NDArray[Any]) -> NDArray[Any]:
        """Numbers [n m] that increase with the distance of new latents [n w] to stored ones [m w] with offsets [m]."""

    @abstractmethod
    def distances(self, new: NDArray[Any], compared: NDArray[Any]) -> Float:
        """Euclidean distances [n m] of new latents [n w], from the results of `compare` or the smallest of them."""


class FloatLatents(LatentStorage):
    """Latents in double precision. Distances below `ROUNDING` of the new latent's length are 0."""

    dtype, absent, offset_dtype = np.dtype(np.float64), np.inf, np.dtype(np.float64)

    def encode(self, latents: Float32 | Float) -> Float:
        """The latents as float64."""
        return latents.astype(np.float64)

    def offsets(self, kept: Float) -> Float:
        """Squared lengths."""
        squares: Float = np.einsum("nd,nd->n", kept, kept)
        return squares

    def compare(self, new: Float, kept: Float, offsets: Float) -> Float:
        """Squared distances without the squared length of the new latent."""
        # |a − b|² = |a|² − 2ab + |b|²: float64, as the difference of large numbers
        product: Float = (-2.0 * new) @ kept.T
        product += offsets
        return product

    def distances(self, new: Float, compared: Float) -> Float:
        """Square roots of the squared distances."""
        lengths = self.offsets(new)[:, None]
        squared = compared + lengths
        squared[squared <= ROUNDING**2 * lengths] = 0.0
        return np.sqrt(squared, out=squared)


class BinaryCodes(LatentStorage):
    """Codes of −1 and 1, one bit a number: a 64th of the memory of `FloatLatents`; compared by XOR and counting."""

    dtype, absent, offset_dtype = np.dtype(np.uint64), ABSENT, np.dtype(np.uint16)

    def encode(self, latents: Float32 | Float) -> NDArray[np.uint64]:
        """The bits, padded with zeros to whole words of 64 bits."""
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
        """Zeros: a code alone adds nothing."""
        return np.zeros(len(kept), np.uint16)

    def compare(
        self, new: NDArray[np.uint64], kept: NDArray[np.uint64], offsets: NDArray[np.uint16]
    ) -> NDArray[np.uint16]:
        """Hamming distances."""
        hamming = np.empty((len(new), len(kept)), np.uint16)
        words = np.ascontiguousarray(kept.T)
        for start in range(0, len(new), ROWS):
            rows = slice(start, start + ROWS)
            hamming[rows] = offsets
            for word, own in zip(words, new[rows].T, strict=True):
                hamming[rows] += np.bitwise_count(own[:, None] ^ word)
        return hamming

    def distances(self, new: NDArray[np.uint64], compared: NDArray[np.uint16]) -> Float:  # noqa: ARG002
        """2·√h of the Hamming distances h."""
        squared: Float = 4.0 * compared.astype(np.float64)
        return np.sqrt(squared, out=squared)


def storage_for(bits: bool) -> LatentStorage:
    """Storage of codes of −1 and 1 as ``bits``, or of any latents as numbers."""
    return BinaryCodes() if bits else FloatLatents()


def pairwise(latents: Float32, bits: bool) -> Float:
    """Euclidean distances [n n] between latents [n d]; ``bits``: they are codes of −1 and 1 and are compared as bits.

    Raises
    ------
    ValueError
        If ``bits`` is set and the latents are no codes of −1 and 1.
    """
    if not bits:
        from scipy.spatial.distance import cdist

        return cdist(latents, latents)
    storage = BinaryCodes()
    codes = storage.encode(latents)
    return storage.distances(codes, storage.compare(codes, codes, storage.offsets(codes)))
