"""A long synthetic stream through `SortTracker`: does memory stay flat, does the pace hold?

python tests/benchmarks/endurance.py [--frames 100000]
"""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator

import click
import numpy as np

from flatsort.tracker.config import find, load
from flatsort.tracker.sort import SortConfig, SortTracker
from flatsort.tracker.types import Detections


def stream(frames: int, people: int = 10, seed: int = 0) -> Iterator[Detections]:
    """People who enter, walk on and are replaced at the border, with 10 % misses and some false alarms."""
    generator = np.random.default_rng(seed)
    place, speed = generator.uniform(0, 1000, (people, 2)), generator.normal(0, 5, (people, 2))
    for _ in range(frames):
        place = place + speed
        gone = ((place < 0) | (place > 1000)).any(axis=1)
        place[gone] = generator.uniform(0, 1000, (int(gone.sum()), 2))
        detected = place[generator.random(people) > 0.1] + generator.normal(0, 1)
        corner = np.concatenate([detected, generator.uniform(0, 1000, (generator.poisson(0.2), 2))])
        yield Detections.of(np.concatenate([corner, corner + np.array([40.0, 90.0])], axis=1))


@click.command()
@click.option("--frames", default=100_000, show_default=True)
@click.option("--tracker", default="sort_long", show_default=True)
def main(frames: int, tracker: str) -> None:
    """Print seconds and peak memory of every tenth."""
    sort = SortTracker(load(SortConfig, find("track", tracker)))
    start, last = time.perf_counter(), 0
    for number, detections in enumerate(stream(frames), 1):
        last = max(last, int(sort.step(detections).ids.max(initial=0)))
        if number % (frames // 10) == 0:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            pace = (time.perf_counter() - start) / (frames // 10) * 1e6
            click.echo(f"{number:>8} frames  {pace:6.1f} µs a frame  peak {peak:6.1f} MiB  {last} ids")
            start = time.perf_counter()


if __name__ == "__main__":
    main()
