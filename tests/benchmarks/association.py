"""Microseconds a frame of association alone, ours beside others that are installed, in one run.

    python tests/benchmarks/association.py [--peers FOLDER] [--latents D] DET.txt …

Inputs are converted before the clock starts. The trackers take turns and each one's best round counts, so that a busy
machine disturbs all alike. ``--peers`` is a site-packages folder with `trackers` in it (``pip install trackers
--target FOLDER``). ``--latents D`` adds the trackers by appearance, on latents of that length that
are made beforehand.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
from tabulate import tabulate

from flatsort.tracker.config import find, load
from flatsort.tracker.io.mot import read_detections
from flatsort.tracker.sort import SortTracker
from flatsort.tracker.track_config import TrackConfig
from flatsort.tracker.types import Detections

BY_MOTION = ("sort", "sort_long", "bytetrack")
BY_APPEARANCE = ("deep_sort", "flatsort")
NOISE = 0.25
"""Length of what varies in the latents of one object, whose own length is 1."""


def ours(name: str, streams: Sequence[list[Detections]]) -> Callable[[], None]:
    """One round of our tracker over all streams."""
    config = load(TrackConfig, find("track", name))

    def play() -> None:
        for stream in streams:
            tracker = SortTracker(config)
            for detections in stream:
                tracker.step(detections)

    return play


def roboflow(streams: Sequence[list[Detections]]) -> Callable[[], None]:
    """One round of the SORT of `trackers`."""
    import supervision
    from trackers import SORTTracker

    logging.disable(logging.WARNING)
    converted: list[list[Any]] = [
        [
            supervision.Detections(
                xyxy=d.boxes.astype(np.float32), confidence=d.scores.astype(np.float32), class_id=d.classes
            )
            for d in stream
        ]
        for stream in streams
    ]

    def play() -> None:
        for stream in converted:
            tracker = SORTTracker()
            for detections in stream:
                tracker.update(detections)

    return play


def synthetic(people: int, frames: int = 100) -> list[Detections]:
    """Boxes at constant velocity with 5 % misses."""
    generator = np.random.default_rng(0)
    side = 60.0 * people**0.5
    start, speed = generator.uniform(0, side, (people, 2)), generator.normal(0, 2, (people, 2))
    stream = []
    for frame in range(frames):
        detected = generator.random(people) > 0.05
        corner = (start + frame * speed)[detected]
        stream.append(Detections.of(np.concatenate([corner, corner + np.array([30.0, 70.0])], axis=1)))
    return stream


def with_appearance(stream: list[Detections], dim: int) -> list[Detections]:
    """The stream with latents [n dim] of unit length: boxes of one SORT track get similar latents."""
    tracker, generator = SortTracker(load(TrackConfig, find("track", "sort_long"))), np.random.default_rng(0)
    appearances: dict[int, Any] = {}
    result = []
    for detections in stream:
        latents = generator.normal(size=(len(detections), dim)) * NOISE
        for row, known in enumerate(tracker.update(detections.boxes, detections.scores).tolist()):
            latents[row] += appearances.setdefault(known, generator.normal(size=dim)) if known > 0 else 0.0
        latents /= np.linalg.norm(latents, axis=1, keepdims=True)
        result.append(replace(detections, latents=latents.astype(np.float32)))
    return result


def measure(players: dict[str, Callable[[], None]], frames: int, rounds: int) -> dict[str, float]:
    """Best round of each player in microseconds a frame."""
    best = dict.fromkeys(players, float("inf"))
    for _ in range(rounds):
        for name, play in players.items():
            start = time.perf_counter()
            play()
            best[name] = min(best[name], (time.perf_counter() - start) / frames * 1e6)
    return best


@click.command()
@click.argument("files", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--peers", type=click.Path(exists=True))
@click.option("--latents", metavar="D", type=click.IntRange(1), help="Trackers by appearance too.")
@click.option("--rounds", default=7, show_default=True)
def main(files: tuple[Path, ...], peers: str | None, latents: int | None, rounds: int) -> None:
    """Measure and print a table."""
    if peers:
        sys.path.append(peers)
    inputs: dict[str, list[list[Detections]]] = {}
    if files:
        by_file = [read_detections(file) for file in files]
        inputs["files"] = [[f.get(i + 1, Detections.empty()) for i in range(max(f))] for f in by_file]
    inputs |= {f"N={n}": [synthetic(n)] for n in (10, 100, 500)}
    rows = []
    for label, streams in inputs.items():
        players = {name: ours(name, streams) for name in BY_MOTION}
        if latents:
            with_latents = [with_appearance(stream, latents) for stream in streams]
            players |= {name: ours(name, with_latents) for name in BY_APPEARANCE}
        if peers:
            players["trackers SORT"] = roboflow(streams)
        best = measure(players, sum(map(len, streams)), rounds if label in ("files", "N=10") else 2)
        rows.append([label, *best.values(), best.get("trackers SORT", float("nan")) / best["sort"]])
    print(tabulate(rows, ["µs a frame", *players, "ratio to sort"], floatfmt=".1f"))  # noqa: T201


if __name__ == "__main__":
    main()
