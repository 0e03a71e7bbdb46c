"""The bootstrap of a benchmark, kept like its runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple
from itertools import combinations

import numpy as np

from flatsort.tools.experiments import result_cache
from flatsort.tools.experiments.bootstrap import MANY, Interval, Spread, spread
from flatsort.tools.experiments.bootstrap_counts import METRICS
from flatsort.tools.experiments.result_cache import Cache
from flatsort.tools.experiments.results import Benchmark
from flatsort.tracker.types import Float

CODE = (*result_cache.TRACKING, "tools/experiments/bootstrap.py", "tools/experiments/bootstrap_counts.py")


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
    key = result_cache.digest(benchmark.key, names, rounds, METRICS, result_cache.of_code(CODE))
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
