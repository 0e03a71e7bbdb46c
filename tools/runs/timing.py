"""Where the time of a run goes, part by part of its chain of generators; computing with one thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import cv2
from tabulate import tabulate
from threadpoolctl import threadpool_limits

T = TypeVar("T")


class Stopwatch:
    """Charges each moment to the innermost part that runs.

    Parameters
    ----------
    clock : callable
        Seconds, never falling.

    Attributes
    ----------
    seconds : dict of str to float
        Part → its own time so far, in the order in which the parts were named first.

    Notes
    -----
    What another thread does beside counts only as far as the run waits for it.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.seconds: dict[str, float] = {}
        self._clock = clock
        self._open: list[str] = []
        self._since = self._start = clock()

    def watch(self, items: Iterable[T], part: str) -> Iterator[T]:
        """The items; the time to make each one goes to ``part``, but for what its own watched sources take."""
        self.seconds.setdefault(part, 0.0)
        return self._watched(items, part)

    @contextmanager
    def during(self, part: str) -> Iterator[None]:
        """The time of the block goes to ``part``, but for parts inside of it."""
        self._charge()
        self._open.append(part)
        self.seconds.setdefault(part, 0.0)
        try:
            yield
        finally:
            self._charge()
            self._open.pop()

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._start

    def table(self, frames: int) -> str:
        """Each part with its seconds, share of the time since the start, and milliseconds a frame; then the rate."""
        total = self.elapsed
        rest = max(total - sum(self.seconds.values()), 0.0)
        parts = {**self.seconds, "rest": rest, "all": total}
        rows = [
            (part, f"{own:.2f}", f"{own / max(total, 1e-9):.1%}", f"{1e3 * own / max(frames, 1):.2f}")
            for part, own in parts.items()
        ]
        text = tabulate(rows, ("part", "seconds", "share", "ms/frame"), disable_numparse=True, colalign=_ALIGNED)
        return f"{text}\n{frames / max(total, 1e-9):,.1f} frames/s"

    def _watched(self, items: Iterable[T], part: str) -> Iterator[T]:
        iterator = iter(items)
        end = object()
        while True:
            with self.during(part):
                item = next(iterator, end)
            if item is end:
                return
            yield item  # type: ignore[misc]  # `end` is the only other object

    def _charge(self) -> None:
        now = self._clock()
        if self._open:
            self.seconds[self._open[-1]] += now - self._since
        self._since = now


_ALIGNED = ("left", "right", "right", "right")


@contextmanager
def one_thread(*, torch: bool = False) -> Iterator[None]:
    """Compute with one thread for the time of the block; ``torch``: there too."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    restore = _torch_threads(1) if torch else None
    try:
        with threadpool_limits(1):
            yield
    finally:
        cv2.setNumThreads(before)
        if restore is not None:
            _torch_threads(restore)


def _torch_threads(count: int) -> int:
    """Set the number of threads of torch and give the one before."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    return before
