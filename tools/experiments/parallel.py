"""All systems on all sequences, by several processes: what is not in the cache yet is run."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, as_completed
from functools import partial
from multiprocessing import get_context
from typing import Any, TypeVar

from flatsort.tools.experiments import runner
from flatsort.tools.experiments.finished_run import Finished
from flatsort.tools.experiments.result_cache import Cache, digest
from flatsort.tools.experiments.results import Benchmark, Run, SequenceInput, SystemResult
from flatsort.tools.experiments.runner import Task
from flatsort.tools.experiments.sequences import check_pictures, read_inputs
from flatsort.tools.experiments.systems import BenchmarkConfig, System, resolve
from flatsort.tracker.metrics import Evaluation, pool
from flatsort.tracker.track_config import TrackConfig
from flatsort.tracker.types import Float32

T = TypeVar("T")
Shown = Callable[[Iterable[Any], int, str], Iterator[Any]]
"""Passes items on and shows how far they are, given their number and what they are."""


class CachedLatents(Mapping[tuple[str, str], Sequence[Float32]]):
    """Latents of the first seed by system and sequence, read when they are asked for."""

    def __init__(self, tasks: Mapping[tuple[str, str], Task], cache: Cache) -> None:
        self._tasks, self._cache = tasks, cache

    def __getitem__(self, key: tuple[str, str]) -> Sequence[Float32]:
        return runner.see(self._tasks[key], self._cache).latents

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._tasks)

    def __len__(self) -> int:
        return len(self._tasks)


def compare(config: BenchmarkConfig, cache: Cache, *, jobs: int = 1, shown: Shown | None = None) -> Benchmark:
    """Run the systems of a config that are not in the cache yet, and put everything together.

    Parameters
    ----------
    config : BenchmarkConfig
    cache : Cache
        It must stay while the latents of the benchmark are looked at.
    jobs : int
        Number of processes.
    shown : callable, optional

    Raises
    ------
    ValueError, OSError
        If a system, a sequence or a file cannot be used; nothing has run then, unless a picture turns out unreadable.
    """
    systems = resolve(config)
    sequences = read_inputs(config.data, config.detections, config.min_score)
    tasks = {
        (system.name, seed, name): _plan(system.name, chosen, sequence)
        for system in systems
        for seed, chosen in system.configs.items()
        for name, sequence in sequences.items()
    }
    done = dict(zip(tasks, run_all(list(tasks.values()), cache, jobs=jobs, shown=shown), strict=True))
    first = {s.name: next(iter(s.configs)) for s in systems}
    looks = {(s, q): task for (s, seed, q), task in tasks.items() if task.latents and seed == first[s]}
    least = "" if config.min_score is None else f", score ≥ {config.min_score:g}"
    return Benchmark(
        systems={system.name: _result(system, sequences, done) for system in systems},
        sequences=sequences,
        latents=CachedLatents(looks, cache),
        detections=config.detections + least,
        key=digest(*(task.run for task in tasks.values())),
    )


def run_all(tasks: Sequence[Task], cache: Cache, *, jobs: int = 1, shown: Shown | None = None) -> list[Finished]:
    """The finished runs of all tasks, in order.

    Latents come first, each once, so that no two processes make the same ones.
    """
    show = shown or _silent
    done = {task.run: runner.finished(task, cache) for task in tasks}
    missing = {task.run: task for task in tasks if done[task.run] is None}
    unseen = {task.latents: task for task in missing.values() if task.latents}
    for _ in show(_spread(partial(_see, cache=cache), unseen.values(), jobs), len(unseen), "embed"):
        pass
    found = _spread(partial(_run, cache=cache), missing.values(), jobs)
    done.update(dict(show(found, len(missing), "track")))
    return [each for task in tasks if (each := done[task.run]) is not None]


def _plan(system: str, config: TrackConfig, sequence: SequenceInput) -> Task:
    if config.embedder or config.camera.method != "none":
        check_pictures(sequence, system)
    try:
        return runner.plan(config, sequence)
    except ValueError as error:
        raise ValueError(f"system {system}: {error}") from error


def _silent(items: Iterable[T], total: int, what: str) -> Iterator[T]:  # noqa: ARG001
    return iter(items)


def _see(task: Task, cache: Cache) -> None:
    runner.see(task, cache)


def _run(task: Task, cache: Cache) -> tuple[str, Finished]:
    return task.run, runner.run(task, cache)


def _spread(function: Callable[[Task], T], tasks: Iterable[Task], jobs: int) -> Iterator[T]:
    """Yield what the function gives for each task, as soon as it is there, computed by up to ``jobs`` processes."""
    waiting = list(tasks)
    jobs = min(jobs, len(waiting))
    if jobs <= 1:
        yield from map(function, waiting)
        return
    # spawned, not forked: torch and onnxruntime have threads
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), _leave_quietly)
    try:
        for future in as_completed([pool.submit(function, task) for task in waiting]):
            yield future.result()
    except BrokenExecutor as error:
        raise OSError("a process was killed, maybe for want of memory: expected fewer jobs or more memory") from error
    finally:
        pool.shutdown(cancel_futures=True)


def _leave_quietly() -> None:
    """End at Ctrl-C without a trace; what is finished is in the cache."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is ignored, as in the background
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def _result(
    system: System, sequences: Mapping[str, SequenceInput], done: Mapping[tuple[str, int | None, str], Finished]
) -> SystemResult:
    runs: list[Run] = []
    evaluations: dict[int, Evaluation] = {}
    for seed in system.configs:
        mine = {name: done[system.name, seed, name] for name in sequences}
        evaluations[seed or 0] = pool(each.result for each in mine.values())
        runs += [Run(system.name, seed, n, f.tracks, f.association, f.embedding) for n, f in mine.items()]
    return SystemResult(system.name, system.description, system.learned, evaluations, runs)
