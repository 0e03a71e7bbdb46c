"""One try: changed content is read in this process, within limits of time and memory."""

from __future__ import annotations

import random
import resource
import signal
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, NoReturn

import click

from tests.fuzz.mutations import mutate
from tests.fuzz.readers import Target

Outcome = Literal["accepted", "refused", "unclear", "foreign", "hang", "crash"]
"""Unclear: refused, but not in a sentence that names the file."""
FAULTS: tuple[Outcome, ...] = ("unclear", "foreign", "hang", "crash")
MOST_SECONDS = 5.0
MOST_MEMORY = 2 << 30
"""Bytes that a process may take beside those that it begins with."""


@dataclass(frozen=True)
class Attempt:
    """What became of one try: ``detail`` says where it failed."""

    number: int
    outcome: Outcome
    detail: str = ""


class TimeIsUp(BaseException):
    """Passes every ``except Exception`` of a reader."""


def content_of(target: Target, name: str, number: int, seed: int) -> bytes:
    """Changed content of a try; the same for the same number."""
    return mutate(target.seeds, target.form, random.Random(f"{seed}/{name}/{number}"))


def attempt(target: Target, content: bytes, number: int = 0, limit: float = MOST_SECONDS) -> Attempt:
    """Read the content; ``limit`` in seconds."""
    target.path.write_bytes(content)
    try:
        with warnings.catch_warnings(), _time_limit(limit):
            warnings.simplefilter("error")  # a warning of NumPy's is no sentence for users
            target.read()
    except TimeIsUp as error:
        return Attempt(number, "hang", _place(error))
    except (ValueError, OSError, click.ClickException) as error:
        text = error.format_message() if isinstance(error, click.ClickException) else str(error)
        clear = text and target.place in text and len(text) < 2000
        return Attempt(number, "refused") if clear else Attempt(number, "unclear", f"{text[:160]!r}: {_place(error)}")
    except Exception as error:  # whatever it is, it is what is looked for
        return Attempt(number, "foreign", f"{type(error).__name__}: {str(error)[:100]!r}: {_place(error)}")
    return Attempt(number, "accepted")


def limit_memory() -> None:
    """Let this process take `MOST_MEMORY` more than it has."""
    with open("/proc/self/statm") as file:  # noqa: PTH123
        pages = int(file.read().split()[0])
    limit = pages * resource.getpagesize() + MOST_MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def peak_memory() -> int:
    """Greatest memory of this process so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _place(error: BaseException) -> str:
    """File and line of this project where an error arose."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/tests/" not in frame.filename]
    own = [frame for frame in frames if "flatsort" in frame.filename and "site-packages" not in frame.filename]
    if not own:
        return "nowhere"
    return f"{own[-1].filename.partition('flatsort/')[2]}:{own[-1].lineno}"


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    before = signal.signal(signal.SIGALRM, _stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _stop(*_: object) -> NoReturn:
    raise TimeIsUp
