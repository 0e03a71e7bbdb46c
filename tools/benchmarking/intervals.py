"""The bootstrap of a benchmark, kept like its runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple
from itertools import combinations

import numpy as np

from tools.benchmarking import caching
from tools.benchmarking.caching import Cache
from tools.benchmarking.counting import METRICS
from tools.benchmarking.results import Benchmark
from tools.benchmarking.spread import MANY, Interval, Spread, spread
from tracker.types import Float

CODE = (*caching.TRACKING, "tools/benchmarking/spread.py", "tools/benchmarking/counting.py")


def intervals(benchmark: Benchmark, cache: Cache, rounds: int) -> Spread:
    """`spread` of a benchmark, from the cache where it is there.

    Parameters
    ----------
    benchmark : Benchmark
    cache : Cache
    rounds : int
        Number of replicates, at least 1.
    """
    names = list(benchmark.systems)
    pairs = list(combinations(names, 2))
    key = caching.digest(benchmark.key, names, rounds, METRICS, caching.of_code(CODE))
    stored = cache.load("spread", key)
    if stored is None or set(stored) != {"systems", "differences"}:
        found = spread(benchmark.systems, benchmark.sequences, rounds=rounds)
        stored = {
            "systems": np.array([_plain(found.systems[name]) for name in names]),
            "differences": np.array([_plain(found.differences[pair]) for pair in pairs]),
        }
        cache.store("spread", key, stored)
    return Spread(
        systems={name: _intervals(values) for name, values in zip(names, stored["systems"], strict=True)},
        differences={pair: _intervals(values) for pair, values in zip(pairs, stored["differences"], strict=True)},
        rounds=rounds,
        sequences_drawn=len(benchmark.sequences) >= MANY,
    )


def _plain(found: Mapping[str, Interval]) -> list[tuple[float, ...]]:
    return [astuple(found[metric]) for metric in METRICS]


def _intervals(values: Float) -> dict[str, Interval]:
    return {metric: Interval(*row) for metric, row in zip(METRICS, values.tolist(), strict=True)}
