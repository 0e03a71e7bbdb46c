"""Tries in processes of their own, so that one that dies or hangs is told and the others go on."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from tests.fuzz.attempt import FAULTS, MOST_SECONDS, Attempt, attempt, content_of, limit_memory, peak_memory
from tests.fuzz.readers import all_readers

SILENCE = 6 * MOST_SECONDS
"""Seconds without a word after which a process is taken to hang in code that no signal reaches."""
START = 120.0
"""Seconds to prepare a reader."""
BATCH = 50
"""Tries between two words of a process."""
SHOWN = 12
"""Different faults of a reader that are listed."""


@dataclass
class Tally:
    """What became of all tries with one reader."""

    outcomes: Counter[str] = field(default_factory=Counter)
    faults: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    memory: int = 0
    seconds: float = 0.0

    def add(self, done: Attempt) -> None:
        """Count a try."""
        self.outcomes[done.outcome] += 1
        if done.outcome in FAULTS:
            self.faults[f"{done.outcome} {done.detail}"].append(done.number)

    def row(self, name: str) -> list[object]:
        """Row of the table."""
        faults = [self.outcomes[each] for each in FAULTS]
        total = sum(self.outcomes.values())
        memory = round(self.memory / 2**20)
        return [name, total, self.outcomes["accepted"], self.outcomes["refused"], *faults, memory, round(self.seconds)]


HEADS = ["reader", "tries", "accepted", "refused", *FAULTS, "peak MB", "seconds"]


def work(name: str, first: int, end: int, seed: int, folder: str, channel: Connection) -> None:
    """Read changed content number ``first`` to ``end`` and tell what became of it; in a process of its own."""
    os.chdir(folder)
    target = all_readers()[name](Path(folder))
    for content in target.seeds:
        sound = attempt(target, content, limit=START)
        if sound.outcome != "accepted":
            raise AssertionError(f"{name}: valid content is not read: {sound}")
    silent = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):  # libraries in C write there
        os.dup2(silent, stream)
    before = peak_memory()
    limit_memory()
    channel.send(first)
    for number in range(first, end):
        if number % BATCH == 0:
            channel.send(number)
        done = attempt(target, content_of(target, name, number, seed), number)
        channel.send((done, peak_memory() - before))


def run_reader(name: str, first: int, mutations: int, seed: int) -> Tally:
    """All tries with one reader; a process that dies or hangs is told, and another one goes on after it."""
    tally, number, end, begin = Tally(), first, first + mutations, time.monotonic()
    while number < end:
        with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
            for done, memory in _process(name, number, end, seed, folder):
                tally.add(done)
                tally.memory = max(tally.memory, memory)
                number = done.number + 1
    tally.seconds = time.monotonic() - begin
    return tally


def _process(name: str, first: int, end: int, seed: int, folder: str) -> Iterator[tuple[Attempt, int]]:
    here, there = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(target=work, args=(name, first, end, seed, folder, there))
    process.start()
    there.close()
    number, limit = first, START
    try:
        while number < end:
            if not here.poll(limit):
                yield Attempt(number, "hang", "in code that no signal reaches"), 0
                return
            word = here.recv()
            limit = SILENCE
            if not isinstance(word, int):
                number = word[0].number + 1
                yield word
    except EOFError:
        process.join(5)
        if limit == START:
            raise RuntimeError(f"{name}: the process ended before its first try") from None
        yield Attempt(number, "crash", f"exit code {process.exitcode}"), 0
    finally:
        process.kill()
        process.join()
        here.close()
