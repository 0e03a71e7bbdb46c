"""Where the time of a chain of generators goes, by a clock that the test moves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest

from flatsort.tools.runs.timing import Stopwatch


class Clock:
    """A clock that the test moves."""

    now = 5.0

    def __call__(self) -> float:
        return self.now


def slow(clock: Clock, items: Iterable[int], before: float, after: float = 0.0) -> Iterator[int]:
    """The items, each ``before`` seconds after its source gave it; ``after`` seconds when there is none left."""
    for item in items:
        clock.now += before
        yield item
    clock.now += after


def test_each_part_is_charged_without_what_runs_inside_of_it() -> None:
    clock = Clock()
    watch = Stopwatch(clock)
    frames = watch.watch(slow(clock, range(4), 1.0, 0.5), "decoding")
    watched = watch.watch(slow(clock, frames, 0.25), "detection")
    for _ in watched:
        with watch.during("writing"):
            clock.now += 2.0
        clock.now += 0.125
    assert watch.seconds == {"decoding": 4.5, "detection": 1.0, "writing": 8.0}
    assert list(watch.seconds) == ["decoding", "detection", "writing"]
    assert watch.elapsed == 4.5 + 1.0 + 8.0 + 0.5


def test_frames_that_are_taken_ahead_are_charged_to_their_source() -> None:
    clock = Clock()
    watch = Stopwatch(clock)

    def batched(items: Iterable[int]) -> Iterator[int]:
        taken = list(items)
        clock.now += 10.0
        yield from taken

    frames = watch.watch(slow(clock, range(3), 1.0), "decoding")
    assert list(watch.watch(batched(frames), "embedding")) == [0, 1, 2]
    assert watch.seconds == {"decoding": 3.0, "embedding": 10.0}


def test_an_error_ends_its_part() -> None:
    clock = Clock()
    watch = Stopwatch(clock)

    def broken() -> Iterator[int]:
        clock.now += 1.0
        yield 1
        clock.now += 2.0
        raise KeyboardInterrupt

    items = watch.watch(broken(), "decoding")
    assert next(items) == 1
    with pytest.raises(KeyboardInterrupt):
        next(items)
    with watch.during("smoothing"):
        clock.now += 4.0
    assert watch.seconds == {"decoding": 3.0, "smoothing": 4.0}


def test_the_table_adds_up() -> None:
    clock = Clock()
    watch = Stopwatch(clock)
    with watch.during("decoding"):
        clock.now += 3.0
    clock.now += 1.0
    lines = [line.split() for line in watch.table(8).splitlines()]
    assert lines[0] == ["part", "seconds", "share", "ms/frame"]
    assert lines[2:] == [
        ["decoding", "3.00", "75.0%", "375.00"],
        ["rest", "1.00", "25.0%", "125.00"],
        ["all", "4.00", "100.0%", "500.00"],
        ["2.0", "frames/s"],
    ]


def test_a_run_of_no_time_has_a_table() -> None:
    assert Stopwatch(lambda: 0.0).table(0).splitlines()[-2].split() == ["all", "0.00", "0.0%", "0.00"]
