"""Rendered sequences: sprites that go round, each on an ellipse of its own, and turn as they go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from flatsort.embedding.data.builtin import DATA_SETS, SEEDED, RenderedImagesConfig, require_drawable
from flatsort.embedding.data.builtin.shapes import KINDS, PLACES, SCALES, TURNS, draw_sprites
from flatsort.embedding.data.sample_set import SampleSet

FRAMES = 100
"""Frames of a sequence; the last one may have fewer."""


@dataclass(frozen=True)
class OrbitsConfig(RenderedImagesConfig):
    """Sequences of sprites on ellipses."""

    subject: ClassVar[str] = "images of sprites that go round"


def orbits(n: int, seed: int, size: int = 64) -> SampleSet:
    """Sequences of white sprites on black: a shape of one size goes round an ellipse at a constant rate and turns.

    Parameters
    ----------
    n : int
        Images: sequences of `FRAMES`, one after the other.
    seed : int
        Two calls with the same arguments give the same images.
    size : int
        Height and width in pixels, at least 16.

    Returns
    -------
    SampleSet
        uint8 [n size size 1], with ``sequence`` and ``frame``. The factors are ``shape`` (0..2), ``scale`` (0..5),
        ``x`` and ``y`` (in the units of `embedding.data.builtin.shapes.sprites`, not whole), and ``sin`` and ``cos``
        of the orientation.

    Raises
    ------
    ValueError
        If a number is out of range.
    """
    require_drawable("orbits", n, size)
    random = np.random.default_rng([seed, size, 5])
    sequence, frame = np.divmod(np.arange(n), FRAMES)
    count = int(sequence[-1]) + 1
    of_sequence = {
        "shape": random.integers(0, len(KINDS), count).astype(np.float64),
        "scale": random.uniform(0, SCALES - 1, count),
        "period": random.uniform(40, 80, count) * random.choice([-1.0, 1.0], count),
        "turn": random.uniform(-0.06, 0.06, count),
        "phase": random.uniform(0, 2 * np.pi, count),
        "start": random.uniform(0, 2 * np.pi, count),
        "width": random.uniform(0.2, 0.5, count),
        "height": random.uniform(0.2, 0.5, count),
    }
    of_frame = {name: values[sequence] for name, values in of_sequence.items()}
    angle = of_frame["phase"] + 2 * np.pi * frame / of_frame["period"]
    turn = of_frame["start"] + of_frame["turn"] * frame
    place = {"x": 0.5 + of_frame["width"] * np.cos(angle), "y": 0.5 + of_frame["height"] * np.sin(angle)}
    place = {name: (PLACES - 1) * values for name, values in place.items()}
    factors = {"shape": of_frame["shape"], "scale": of_frame["scale"], **place}
    images = draw_sprites({**factors, "orientation": turn * TURNS / (2 * np.pi)}, size)
    columns = {"sequence": sequence.astype(np.int64), "frame": frame.astype(np.int64)}
    names = tuple(f"orbit {k}" for k in range(count))
    return SampleSet(
        images, columns, names, OrbitsConfig.note(n, seed), {**factors, "sin": np.sin(turn), "cos": np.cos(turn)}
    )


@DATA_SETS.register("orbits", OrbitsConfig, tags=(SEEDED,))
def _orbits(config: OrbitsConfig) -> SampleSet:
    return orbits(config.samples, config.seed, config.size)
