"""Rendered sequences: sprites that go round, each on an ellipse of its own, and turn as they go."""

from __future__ import annotations

import numpy as np

from flatsort.embedding.data.sample_set import SampleSet
from flatsort.embedding.data.shapes import KINDS, PLACES, SCALES, TURNS, draw_sprites, require_drawable

FRAMES = 100
"""Frames of a sequence; the last one may have fewer."""


def orbits(n: int, seed: int, size: int = 64) -> SampleSet:
    """Sequences of white sprites on black: a shape of one size goes round an ellipse at a constant rate and turns.

    Parameters
    ----------
    n : int
        Pictures: sequences of `FRAMES`, one after the other.
    seed : int
        Two calls with the same arguments give the same pictures.
    size : int
        Height and width in pixels, at least 16.

    Returns
    -------
    SampleSet
        uint8 [n size size 1], with ``sequence`` and ``frame``. The factors are ``shape`` (0..2), ``scale`` (0..5),
        ``x`` and ``y`` (in the units of `embedding.data.shapes.sprites`, not whole), and ``sin`` and ``cos`` of the
        orientation.

    Raises
    ------
    ValueError
        If a number is out of range.
    """
    require_drawable("orbits", n, size)
    random = np.random.default_rng([seed, size, 5])
    sequence, frame = np.divmod(np.arange(n), FRAMES)
    count = int(sequence[-1]) + 1
    own = {
        "shape": random.integers(0, len(KINDS), count).astype(np.float64),
        "scale": random.uniform(0, SCALES - 1, count),
        "period": random.uniform(40, 80, count) * random.choice([-1.0, 1.0], count),
        "turn": random.uniform(-0.06, 0.06, count),
        "phase": random.uniform(0, 2 * np.pi, count),
        "start": random.uniform(0, 2 * np.pi, count),
        "width": random.uniform(0.2, 0.5, count),
        "height": random.uniform(0.2, 0.5, count),
    }
    each = {name: values[sequence] for name, values in own.items()}
    angle = each["phase"] + 2 * np.pi * frame / each["period"]
    turn = each["start"] + each["turn"] * frame
    place = {"x": 0.5 + each["width"] * np.cos(angle), "y": 0.5 + each["height"] * np.sin(angle)}
    place = {name: (PLACES - 1) * values for name, values in place.items()}
    kept = {"shape": each["shape"], "scale": each["scale"], **place}
    pictures = draw_sprites({**kept, "orientation": turn * TURNS / (2 * np.pi)}, size)
    columns = {"sequence": sequence.astype(np.int64), "frame": frame.astype(np.int64)}
    names = tuple(f"orbit {k}" for k in range(count))
    note = f"rendered: {n} pictures of sprites that go round, seed {seed}"
    return SampleSet(pictures, columns, names, note, {**kept, "sin": np.sin(turn), "cos": np.cos(turn)})
