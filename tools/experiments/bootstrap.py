"""Confidence intervals of scores and of their differences, by a bootstrap over frames, sequences and training seeds."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from flatsort.tools.experiments import result_cache
from flatsort.tools.experiments.bootstrap_counts import METRICS, FrameCounts, count_frames, scores_of_totals
from flatsort.tools.experiments.result_cache import Cache
from flatsort.tools.experiments.results import Benchmark, BenchmarkSequence, SystemResult
from flatsort.tools.experiments.seed_statistics import mean_and_std
from flatsort.tracker.io.mot import MotTable
from flatsort.tracker.metrics.preprocessing import ScoredSequence, prepare
from flatsort.tracker.metrics.scoring_rules import rules_for
from flatsort.tracker.types import Float, Int

BLOCK_SECONDS = 10.0
"""Length of a block. An identity error counts for the whole life of a track: with shorter blocks the intervals of IDF1
and HOTA are too narrow."""
MIN_BLOCKS = 5
"""Least number of blocks in a sequence."""
MIN_SEQUENCES = 5
"""From this number of sequences on, sequences are sampled as well."""
TAIL_PERCENT = 2.5
"""Percent of the replicates outside of the interval, on either side."""
SCORE_RANGES = {"ids": (0.0, np.inf), "mota": (-np.inf, 100.0)}
"""Possible values of scores, where they are not 0 to 100."""
CHUNK = 128
"""Replicates that are counted at a time, which bounds the memory."""
INTERVALS = "intervals"
"""Folder of the cache."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A score, or the difference between two scores, with its confidence interval.

    Attributes
    ----------
    mean : float
        Score on all frames, averaged over the training seeds.
    low, high : float
        Ends of the 95 % interval: percentiles of the replicates after their mean is shifted to ``mean``.
    seeds_std : float
        Standard deviation over the training seeds; 0 for a single one.
    """

    mean: float
    low: float
    high: float
    seeds_std: float


@dataclass(frozen=True, slots=True, eq=False)
class ConfidenceIntervals:
    """Confidence intervals of the pooled scores of systems and of their differences.

    Attributes
    ----------
    systems : mapping of str to mapping of str to Interval
        System → metric (`METRICS`) → interval.
    differences : mapping of (str, str) to mapping of str to Interval
        (a, b) → metric → interval of a − b, where a comes before b in ``systems``.
    rounds : int
        Number of replicates.
    sequences_drawn : bool
        Whether sequences were sampled, or only frames within each.
    """

    systems: Mapping[str, Mapping[str, Interval]]
    differences: Mapping[tuple[str, str], Mapping[str, Interval]]
    rounds: int
    sequences_drawn: bool

    def to_json(self) -> dict[str, Any]:
        """Values for JSON; ``differences`` is system → system → metric → interval."""
        differences: dict[str, dict[str, Any]] = {}
        for (a, b), intervals in self.differences.items():
            differences.setdefault(a, {})[b] = _to_json(intervals)
        return {
            "rounds": self.rounds,
            "sequences_drawn": self.sequences_drawn,
            "systems": {name: _to_json(intervals) for name, intervals in self.systems.items()},
            "differences": differences,
        }


@dataclass(frozen=True, slots=True, eq=False)
class FrameWeights:
    """How often each frame of a sequence is sampled.

    Attributes
    ----------
    rounds : int64 [m]
        Replicate of each row; a replicate that has sampled the sequence twice has two rows.
    weights : float64 [m f]
    """

    rounds: Int
    weights: Float


def bootstrap_intervals(
    systems: Mapping[str, SystemResult],
    sequences: Mapping[str, BenchmarkSequence],
    *,
    rounds: int = 1000,
    seed: int = 0,
) -> ConfidenceIntervals:
    """Bootstrap intervals of the pooled scores and of the differences between systems.

    A replicate samples blocks of 10 s (a fifth of the sequence where that is shorter) from each sequence, which is
    treated as circular, until it has as many frames as the sequence. From five sequences on, the sequences are sampled
    first, with replacement; with fewer, the intervals are valid for these sequences only. Each system's training seed
    is sampled as well: an interval describes one training, not the mean of several. All systems get the same frames, so
    their difference is paired: frames that are hard for both systems do not widen it.

    Matches within a frame, and which of them are switches, are those of the evaluation. Only the counts are resampled:
    identities keep their names, and IDF1 assigns them again in each replicate. A replicate has fewer different frames,
    hence fewer broken tracks, so its IDF1, HOTA and AssA are too high on average, by even more than their standard
    deviation. Therefore an interval is centred on the score itself.

    Parameters
    ----------
    systems : mapping of str to SystemResult
    sequences : mapping of str to BenchmarkSequence
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
        raise ValueError(f"bootstrap: expected systems and at least one round, got {len(systems)} and {rounds}")
    lengths = {name: _length(name, systems, sequence) for name, sequence in sequences.items()}
    blocks = {name: block_length(lengths[name], sequence.fps) for name, sequence in sequences.items()}
    samples = sample_frames(lengths, blocks, rounds, seed)
    replicas = {
        name: _replicates(system, sequences, lengths, samples, rounds, seed) for name, system in systems.items()
    }
    overall = {name: _overall(system) for name, system in systems.items()}
    return ConfidenceIntervals(
        systems={
            name: {
                m: _interval(replicas[name][m], *overall[name][m], SCORE_RANGES.get(m, (0.0, 100.0))) for m in METRICS
            }
            for name in systems
        },
        differences={
            (a, b): {m: _difference(replicas[a][m] - replicas[b][m], overall[a][m], overall[b][m]) for m in METRICS}
            for a, b in combinations(systems, 2)
        },
        rounds=rounds,
        sequences_drawn=len(sequences) >= MIN_SEQUENCES,
    )


def cached_intervals(benchmark: Benchmark, cache: Cache, rounds: int) -> ConfidenceIntervals:
    """`bootstrap_intervals` of a benchmark, from the cache where they are there.

    Parameters
    ----------
    benchmark : Benchmark
    cache : Cache
    rounds : int
        Number of replicates, at least 1.
    """
    names = list(benchmark.systems)
    pairs = list(combinations(names, 2))
    key = result_cache.digest(benchmark.key, names, rounds, METRICS, result_cache.key_of_code((__name__,)))
    stored = cache.load(INTERVALS, key)
    if stored is None:
        computed = bootstrap_intervals(benchmark.systems, benchmark.sequences, rounds=rounds)
        stored = {
            "systems": np.array([_to_rows(computed.systems[name]) for name in names]),
            "differences": np.array([_to_rows(computed.differences[pair]) for pair in pairs]),
        }
        cache.store(INTERVALS, key, stored)
    return ConfidenceIntervals(
        systems={name: _from_rows(values) for name, values in zip(names, stored["systems"], strict=True)},
        differences={pair: _from_rows(values) for pair, values in zip(pairs, stored["differences"], strict=True)},
        rounds=rounds,
        sequences_drawn=len(benchmark.sequences) >= MIN_SEQUENCES,
    )


def block_length(frames: int, fps: float) -> int:
    """Number of frames in a block."""
    return max(1, min(round(BLOCK_SECONDS * fps), frames // MIN_BLOCKS))


def sample_frames(
    lengths: Mapping[str, int], blocks: Mapping[str, int], rounds: int, seed: int
) -> dict[str, FrameWeights]:
    """Sample the frames of each sequence in blocks; see `bootstrap_intervals`."""
    generator = np.random.default_rng(seed)
    n = len(lengths)
    picks = generator.integers(n, size=(rounds, n)) if n >= MIN_SEQUENCES else np.tile(np.arange(n), (rounds, 1))
    samples = {}
    for position, (name, length) in enumerate(lengths.items()):
        chosen, _ = np.nonzero(picks == position)
        starts = generator.integers(length, size=(len(chosen), -(-length // blocks[name])))
        frames = (starts[:, :, None] + np.arange(blocks[name])) % length
        cells = frames.reshape(len(chosen), -1)[:, :length] + length * np.arange(len(chosen))[:, None]
        weights = np.bincount(cells.ravel(), minlength=len(chosen) * length)
        samples[name] = FrameWeights(chosen, weights.reshape(-1, length).astype(np.float64))
    return samples


def counts_by_sequence(
    system: SystemResult, seed: int, sequences: Mapping[str, BenchmarkSequence], lengths: Mapping[str, int]
) -> dict[str, FrameCounts]:
    """Frame counts of a system with one training seed, by sequence."""
    tracks = {run.sequence: run.tracks for run in system.runs if (run.seed or 0) == seed}
    results = system.evaluations[seed].sequences
    return {
        name: count_frames(results[name], _scored(sequence, tracks[name]), lengths[name], sequence.first_scored)
        for name, sequence in sequences.items()
    }


def _scored(sequence: BenchmarkSequence, tracks: MotTable) -> ScoredSequence:
    truth = sequence.ground_truth
    return prepare(sequence.name, truth, tracks, rules=rules_for(sequence.name, truth, tracks, None, sequence.classes))


def _length(name: str, systems: Mapping[str, SystemResult], sequence: BenchmarkSequence) -> int:
    evaluations = (evaluation for system in systems.values() for evaluation in system.evaluations.values())
    return max(len(sequence.detections), *(evaluation.sequences[name].counts.frames for evaluation in evaluations), 1)


def _replicates(
    system: SystemResult,
    sequences: Mapping[str, BenchmarkSequence],
    lengths: Mapping[str, int],
    samples: Mapping[str, FrameWeights],
    rounds: int,
    seed: int,
) -> dict[str, Float]:
    """Scores of a system in each replicate, metric → [rounds]."""
    seeds = list(system.evaluations)
    chosen = np.random.default_rng([seed, zlib.crc32(system.name.encode())]).integers(len(seeds), size=rounds)
    totals = np.zeros((rounds, 5 + 2 * len(system.first.hota.alphas)))
    for position, training_seed in enumerate(seeds):
        for name, counts in counts_by_sequence(system, training_seed, sequences, lengths).items():
            sample = samples[name]
            rows = np.flatnonzero(chosen[sample.rounds] == position)
            for part in np.split(rows, range(CHUNK, len(rows), CHUNK)):
                np.add.at(totals, sample.rounds[part], counts.totals(sample.weights[part]))
    return scores_of_totals(totals)


def _overall(system: SystemResult) -> dict[str, tuple[float, float]]:
    """Mean and standard deviation over the training seeds, by metric."""
    evaluations = system.evaluations.values()
    return {m: mean_and_std([float(getattr(each.overall, m)) for each in evaluations]) for m in METRICS}


def _difference(replicates: Float, a: tuple[float, float], b: tuple[float, float]) -> Interval:
    return _interval(replicates, a[0] - b[0], float(np.hypot(a[1], b[1])), (-np.inf, np.inf))


def _interval(replicates: Float, mean: float, std: float, within: tuple[float, float]) -> Interval:
    centred = replicates - replicates.mean() + mean
    low, high = np.clip(np.percentile(centred, (TAIL_PERCENT, 100 - TAIL_PERCENT)), *within).tolist()
    return Interval(mean, low, high, std)


def _to_json(intervals: Mapping[str, Interval]) -> dict[str, dict[str, float]]:
    return {metric: asdict(interval) for metric, interval in intervals.items()}


def _to_rows(intervals: Mapping[str, Interval]) -> list[tuple[float, ...]]:
    return [astuple(intervals[metric]) for metric in METRICS]


def _from_rows(values: Float) -> dict[str, Interval]:
    return {metric: Interval(*row) for metric, row in zip(METRICS, values.tolist(), strict=True)}
