"""How sure scores and differences of systems are: a bootstrap over frames, sequences and training seeds."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from flatsort.tools.experiments.bootstrap_counts import METRICS, FrameCounts, count, scores
from flatsort.tools.experiments.results import SequenceInput, SystemResult
from flatsort.tracker.metrics.preprocessing import prepare
from flatsort.tracker.types import Float, Int

BLOCK_SECONDS = 10.0
"""Length of a block. Errors of identity matter for as long as a track lives: with shorter blocks the intervals of IDF1
and HOTA are too narrow."""
BLOCKS = 5
"""No sequence has fewer blocks."""
MANY = 5
"""From this many sequences on, the sequences are drawn too."""
TAIL = 2.5
"""Percent of the replicates outside the interval, on either side."""
RANGE = {"ids": (0.0, np.inf), "mota": (-np.inf, 100.0)}
"""Scores that can be, where that is not 0 to 100."""
CHUNK = 128
"""Replicates that are counted at a time: bounds the memory."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A score, or the difference of two.

    Attributes
    ----------
    mean : float
        Mean of the training seeds, of all frames.
    low, high : float
        Between which 95 % of the replicates lie once their mean is moved to ``mean``.
    seeds_std : float
        Standard deviation over the training seeds, 0 where there is one.
    """

    mean: float
    low: float
    high: float
    seeds_std: float


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """Intervals of the pooled scores.

    Attributes
    ----------
    systems : mapping of str to mapping of str to Interval
        System → metric (`METRICS`) → interval.
    differences : mapping of (str, str) to mapping of str to Interval
        (a, b) → metric → interval of a − b, where a comes before b in ``systems``.
    rounds : int
        Number of replicates.
    sequences_drawn : bool
        Whether sequences were drawn, or only frames within each.
    """

    systems: Mapping[str, Mapping[str, Interval]]
    differences: Mapping[tuple[str, str], Mapping[str, Interval]]
    rounds: int
    sequences_drawn: bool

    def to_json(self) -> dict[str, Any]:
        """Plain values; ``differences`` is system → system → metric → interval."""
        apart: dict[str, dict[str, Any]] = {}
        for (a, b), intervals in self.differences.items():
            apart.setdefault(a, {})[b] = _plain(intervals)
        return {
            "rounds": self.rounds,
            "sequences_drawn": self.sequences_drawn,
            "systems": {name: _plain(intervals) for name, intervals in self.systems.items()},
            "differences": apart,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Drawing:
    """How often each frame of a sequence is drawn.

    Attributes
    ----------
    rounds : int64 [m]
        The replicate that each row belongs to; one that has drawn the sequence twice has two rows.
    weights : float64 [m f]
    """

    rounds: Int
    weights: Float


def spread(
    systems: Mapping[str, SystemResult], sequences: Mapping[str, SequenceInput], *, rounds: int = 1000, seed: int = 0
) -> Spread:
    """Bootstrap intervals of the pooled scores and of the differences between systems.

    A replicate draws blocks of 10 s (a fifth of the sequence where that is shorter) from each sequence, round its end
    to its beginning, until it has as many frames as the sequence. From five sequences on, sequences are drawn first,
    with replacement. With fewer the intervals hold for the sequences at hand only. Each system's training seed is
    drawn as well: an interval speaks of one training, not of the mean of several. All systems get the same frames, so
    that what makes a frame hard for both does not count in their difference.

    Which box is matched with which within a frame, and which match is a switch, stays as in the evaluation. Only what
    is counted is drawn: identities of drawn frames keep their names, and IDF1 assigns them anew in each replicate.
    Fewer different frames have fewer broken tracks, so IDF1, HOTA and AssA of replicates are too high on average, by
    more than their standard deviation even. That is why an interval is centred on the score itself.

    Parameters
    ----------
    systems : mapping of str to SystemResult
    sequences : mapping of str to SequenceInput
    rounds : int
        Number of replicates.
    seed : int

    Raises
    ------
    ValueError
        If there are no systems or ``rounds`` is below 1.

    References
    ----------
    Politis and Romano, A circular block-resampling procedure for stationary data, 1992.
    """
    if rounds < 1 or not systems:
        raise ValueError(f"spread: expected systems and at least one round, got {len(systems)} and {rounds}")
    lengths = {name: _length(name, systems, given) for name, given in sequences.items()}
    blocks = {name: block_length(lengths[name], given.fps) for name, given in sequences.items()}
    drawings = draw(lengths, blocks, rounds, seed)
    replicas = {
        name: _replicates(system, sequences, lengths, drawings, rounds, seed) for name, system in systems.items()
    }
    overall = {name: _overall(system) for name, system in systems.items()}
    return Spread(
        systems={
            name: {m: _interval(replicas[name][m], *overall[name][m], RANGE.get(m, (0.0, 100.0))) for m in METRICS}
            for name in systems
        },
        differences={
            (a, b): {m: _difference(replicas[a][m] - replicas[b][m], overall[a][m], overall[b][m]) for m in METRICS}
            for a, b in combinations(systems, 2)
        },
        rounds=rounds,
        sequences_drawn=len(sequences) >= MANY,
    )


def block_length(frames: int, fps: float) -> int:
    """Frames of a block."""
    return max(1, min(round(BLOCK_SECONDS * fps), frames // BLOCKS))


def draw(lengths: Mapping[str, int], blocks: Mapping[str, int], rounds: int, seed: int) -> dict[str, Drawing]:
    """Draw frames of each sequence, in blocks; see `spread`."""
    generator = np.random.default_rng(seed)
    n = len(lengths)
    picks = generator.integers(n, size=(rounds, n)) if n >= MANY else np.tile(np.arange(n), (rounds, 1))
    drawings = {}
    for position, (name, length) in enumerate(lengths.items()):
        chosen, _ = np.nonzero(picks == position)
        starts = generator.integers(length, size=(len(chosen), -(-length // blocks[name])))
        frames = (starts[:, :, None] + np.arange(blocks[name])) % length
        cells = frames.reshape(len(chosen), -1)[:, :length] + length * np.arange(len(chosen))[:, None]
        weights = np.bincount(cells.ravel(), minlength=len(chosen) * length)
        drawings[name] = Drawing(chosen, weights.reshape(-1, length).astype(np.float64))
    return drawings


def counted(
    system: SystemResult, seed: int, sequences: Mapping[str, SequenceInput], lengths: Mapping[str, int]
) -> dict[str, FrameCounts]:
    """What the scores of a system with one training seed are made of, by sequence."""
    tracks = {run.sequence: run.tracks for run in system.runs if (run.seed or 0) == seed}
    results = system.evaluations[seed].sequences
    return {
        name: count(results[name], prepare(name, given.truth, tracks[name]), lengths[name])
        for name, given in sequences.items()
    }


def _length(name: str, systems: Mapping[str, SystemResult], given: SequenceInput) -> int:
    evaluations = (evaluation for system in systems.values() for evaluation in system.evaluations.values())
    return max(len(given.detections), *(evaluation.sequences[name].counts.frames for evaluation in evaluations), 1)


def _replicates(
    system: SystemResult,
    sequences: Mapping[str, SequenceInput],
    lengths: Mapping[str, int],
    drawings: Mapping[str, Drawing],
    rounds: int,
    seed: int,
) -> dict[str, Float]:
    """Scores of a system in each replicate, metric → [rounds]."""
    seeds = list(system.evaluations)
    chosen = np.random.default_rng([seed, zlib.crc32(system.name.encode())]).integers(len(seeds), size=rounds)
    totals = np.zeros((rounds, 5 + 2 * len(system.first.hota.alphas)))
    for position, trained in enumerate(seeds):
        for name, counts in counted(system, trained, sequences, lengths).items():
            rows = np.flatnonzero(chosen[drawings[name].rounds] == position)
            for part in np.split(rows, range(CHUNK, len(rows), CHUNK)):
                np.add.at(totals, drawings[name].rounds[part], counts.totals(drawings[name].weights[part]))
    return scores(totals)


def _overall(system: SystemResult) -> dict[str, tuple[float, float]]:
    """Mean and standard deviation over the training seeds, by metric."""
    rows = {m: [float(getattr(e.overall, m)) for e in system.evaluations.values()] for m in METRICS}
    return {m: (float(np.mean(v)), float(np.std(v, ddof=1)) if len(v) > 1 else 0.0) for m, v in rows.items()}


def _difference(replicates: Float, a: tuple[float, float], b: tuple[float, float]) -> Interval:
    return _interval(replicates, a[0] - b[0], float(np.hypot(a[1], b[1])), (-np.inf, np.inf))


def _interval(replicates: Float, mean: float, std: float, within: tuple[float, float]) -> Interval:
    centred = replicates - replicates.mean() + mean
    low, high = np.clip(np.percentile(centred, (TAIL, 100 - TAIL)), *within).tolist()
    return Interval(mean, low, high, std)


def _plain(intervals: Mapping[str, Interval]) -> dict[str, dict[str, float]]:
    return {metric: asdict(interval) for metric, interval in intervals.items()}
