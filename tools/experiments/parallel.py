"""Runs of all systems on all sequences in several processes; runs that are in the cache are not repeated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import as_completed
from functools import partial
from typing import TypeVar

from flatsort.tools.experiments import runner
from flatsort.tools.experiments.result_cache import Cache, digest
from flatsort.tools.experiments.results import (
    Benchmark,
    BenchmarkSequence,
    FinishedRun,
    Progress,
    SystemResult,
    SystemRun,
)
from flatsort.tools.experiments.runner import TrackingTask
from flatsort.tools.experiments.sequences import read_sequences, require_images
from flatsort.tools.experiments.systems import BenchmarkConfig, System, resolve_systems
from flatsort.tracker.input_check import thresholds_of
from flatsort.tracker.metrics import Evaluation, pool
from flatsort.tracker.metrics.scored_frames import FrameSelection
from flatsort.tracker.processes import worker_processes
from flatsort.tracker.track_config import TrackConfig
from flatsort.tracker.types import Float32

T = TypeVar("T")


class CachedLatents(Mapping[tuple[str, str], Sequence[Float32]]):
    """Latents of the first seed by system and sequence, read from the cache at each access."""

    def __init__(self, tasks: Mapping[tuple[str, str], TrackingTask], cache: Cache) -> None:
        self._tasks, self._cache = tasks, cache

    def __getitem__(self, key: tuple[str, str]) -> Sequence[Float32]:
        return runner.latents_of(self._tasks[key], self._cache).latents

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._tasks)

    def __len__(self) -> int:
        return len(self._tasks)


def run_systems(
    config: BenchmarkConfig, cache: Cache, *, jobs: int = 1, progress: Progress | None = None, check: bool = True
) -> Benchmark:
    """Results of all systems of a config on all of its sequences.

    Parameters
    ----------
    config : BenchmarkConfig
    cache : Cache
        The latents of the benchmark are read from it, so it must exist as long as they are used.
    jobs : int
        Number of processes.
    progress : callable, optional
    check : bool
        Whether boxes are compared with their sequences before; see `tracker.input_check`.

    Raises
    ------
    ValueError, OSError
        If a system, a sequence or a file cannot be used; before the first run, except for an image that cannot be read.
    """
    systems = resolve_systems(config)
    thresholds = {
        f"{system.name} {key}": value
        for system in systems
        for each in system.configs.values()
        for key, value in thresholds_of(each).items()
    }
    sequences = read_sequences(
        config.data,
        config.detections,
        config.min_score,
        config.classes,
        thresholds=thresholds,
        check=check,
        scored=FrameSelection.parse(config.frames, 1) if config.frames else None,
    )
    tasks = {
        (system.name, seed, name): _plan(system.name, chosen, sequence)
        for system in systems
        for seed, chosen in system.configs.items()
        for name, sequence in sequences.items()
    }
    done = dict(zip(tasks, run_all(list(tasks.values()), cache, jobs=jobs, progress=progress), strict=True))
    first = {s.name: next(iter(s.configs)) for s in systems}
    embedding_tasks = {(s, q): task for (s, seed, q), task in tasks.items() if task.latents and seed == first[s]}
    parts = "" if config.min_score is None else f", score ≥ {config.min_score:g}"
    parts += f", frames {config.frames}" * bool(config.frames)
    parts += "" if config.classes is None else f", classes {', '.join(config.classes) or 'all'}"
    return Benchmark(
        systems={system.name: _result(system, sequences, done) for system in systems},
        sequences=sequences,
        latents=CachedLatents(embedding_tasks, cache),
        detections=config.detections + parts,
        key=digest(*(task.run for task in tasks.values())),
    )


def run_all(
    tasks: Sequence[TrackingTask], cache: Cache, *, jobs: int = 1, progress: Progress | None = None
) -> list[FinishedRun]:
    """The finished runs of all tasks, in order.

    Latents are computed first, each once, so that no two processes compute the same ones.
    """
    show = progress or _no_progress
    done = {task.run: runner.cached_run(task, cache) for task in tasks}
    missing = {task.run: task for task in tasks if done[task.run] is None}
    without_latents = {task.latents: task for task in missing.values() if task.latents}
    for _ in show(
        _in_processes(partial(_compute_latents, cache=cache), without_latents.values(), jobs),
        len(without_latents),
        "embed",
    ):
        pass
    new = _in_processes(partial(_run, cache=cache), missing.values(), jobs)
    done.update(dict(show(new, len(missing), "track")))
    return [each for task in tasks if (each := done[task.run]) is not None]


def _plan(system: str, config: TrackConfig, sequence: BenchmarkSequence) -> TrackingTask:
    if config.embedder or config.camera.method != "none":
        require_images(sequence, system)
    try:
        return runner.plan(config, sequence)
    except ValueError as error:
        raise ValueError(f"system {system}: {error}") from error


def _no_progress(items: Iterable[T], total: int, what: str) -> Iterator[T]:  # noqa: ARG001
    return iter(items)


def _compute_latents(task: TrackingTask, cache: Cache) -> None:
    runner.latents_of(task, cache)


def _run(task: TrackingTask, cache: Cache) -> tuple[str, FinishedRun]:
    return task.run, runner.run(task, cache)


def _in_processes(function: Callable[[TrackingTask], T], tasks: Iterable[TrackingTask], jobs: int) -> Iterator[T]:
    """Yield the function's result for each task as soon as it is known, computed by up to ``jobs`` processes."""
    waiting = list(tasks)
    jobs = min(jobs, len(waiting))
    if jobs <= 1:
        yield from map(function, waiting)
        return
    with worker_processes(jobs) as pool:
        for future in as_completed([pool.submit(function, task) for task in waiting]):
            yield future.result()


def _result(
    system: System, sequences: Mapping[str, BenchmarkSequence], done: Mapping[tuple[str, int | None, str], FinishedRun]
) -> SystemResult:
    runs: list[SystemRun] = []
    evaluations: dict[int, Evaluation] = {}
    for seed in system.configs:
        of_seed = {name: done[system.name, seed, name] for name in sequences}
        evaluations[seed or 0] = pool(each.result for each in of_seed.values())
        runs += [
            SystemRun(system.name, seed, name, each.tracks, each.association, each.embedding)
            for name, each in of_seed.items()
        ]
    return SystemResult(system.name, system.description, system.learned, evaluations, runs)
