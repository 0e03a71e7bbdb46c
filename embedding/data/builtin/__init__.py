"""Data sets that need no download: rendered from known factors, or part of an installed package.

A data set is one file that registers a function: config → `SampleSet`. Its config says what others must know of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

from flatsort.embedding.data.sample_set import SampleSet
from flatsort.tracker.registry import PartConfig, Registry
from flatsort.tracker.types import Float, Image

DATA_SETS: Registry[SampleSet] = Registry("data set", __name__)
SEEDED = "seeded"
"""Tag of data sets that are another one with every seed."""
INDEPENDENT_IMAGES = "independent images"
"""Tag of images each of which has factors of its own: new ones are as good as held-out ones."""
LEAST_SIZE = 16
"""Least height and width of rendered shapes, pixels."""


class DrawVector(Protocol):
    """Draws a vector float64 [length] as an image, RGB uint8 [h w 3]."""

    def __call__(self, values: Float, /) -> Image: ...  # noqa: D102


@dataclass(frozen=True)
class DataSetConfig(PartConfig):
    """What a data set is made from, and what others must know of it.

    Attributes
    ----------
    samples : int
        How many, where that can be chosen.
    seed : int
        Two data sets with the same settings have the same samples.
    subject : str
        What the samples show; part of the data set's note.
    draw : callable or None
        Draws a sample that is a vector. None: as bars. Images need none.
    """

    samples: int = 5000
    seed: int = 0
    subject: ClassVar[str] = ""
    draw: ClassVar[DrawVector | None] = None

    @classmethod
    def note(cls, n: int, seed: int) -> str:
        """The note of a set of n rendered samples."""
        return f"rendered: {n} {cls.subject}, seed {seed}"


@dataclass(frozen=True)
class RenderedImagesConfig(DataSetConfig):
    """Square images of any size.

    Attributes
    ----------
    size : int
        Height and width, pixels.
    """

    size: int = 64


def drawing_of(note: str) -> DrawVector | None:
    """How the vectors of a data set are drawn, by its note; None where no data set says so."""
    for config in map(DATA_SETS.config, DATA_SETS.names()):
        if issubclass(config, DataSetConfig) and config.draw is not None and config.subject in note:
            return config.draw
    return None


def require_drawable(name: str, n: int, size: int, least_size: int = LEAST_SIZE) -> None:
    """Raise ValueError unless there is an image to draw, and it is large enough."""
    if n < 1 or size < least_size:
        raise ValueError(f"{name}: expected n ≥ 1 and size ≥ {least_size}, got n {n} and size {size}")
