"""What makes a Python process a command: signals, streams and logging, before and after the verb."""

from __future__ import annotations

import atexit
import io
import logging
import math
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from flatsort.tracker.io.addresses import hide_secrets

INTERRUPTED = 130
NUMBERS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
"""Ctrl-C; ``docker stop``, job schedulers, ``timeout``; a terminal that is closed."""
AT_ONCE = 0.3
"""Seconds in which a signal counts as one with the last of its kind: a key that is held down, a shell that repeats."""
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Characters that control a terminal, without those of lines and of progress bars."""
CURSOR_UP = re.compile("(\x1b\\[A)")
"""What progress bars send to a terminal."""


class Terminated(KeyboardInterrupt):
    """The process was asked to end by something that will not wait for long: as after Ctrl-C, without smoothing."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.code = 128 + number


class Interrupter:
    """Handler of signals that raises in the main thread, once for signals that come at once.

    Attributes
    ----------
    came : bool
        Whether there was a signal; libraries turn an interrupt into errors of their own, above all while importing.
    """

    def __init__(self) -> None:
        self.came = False
        self._last: dict[int, float] = {}

    def __call__(self, number: int, _: FrameType | None) -> None:
        """Raise KeyboardInterrupt for Ctrl-C, `Terminated` for any other signal."""
        now, before = time.monotonic(), self._last.get(number, -math.inf)
        self.came, self._last[number] = True, now
        if now - before >= AT_ONCE:
            raise KeyboardInterrupt if number == signal.SIGINT else Terminated(number)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Context manager of work that is quick and must not be torn: signals wait until it is done, or fails."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    handlers = {number: signal.getsignal(number) for number in NUMBERS}
    for number, handler in handlers.items():
        if handler not in (signal.SIG_IGN, None):
            signal.signal(number, lambda number, _: came.append(number))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            if handler is not None:
                signal.signal(number, handler)
    if came:
        signal.raise_signal(came[0])


class PlainText(io.TextIOWrapper):
    """A stream on which the names of files are shown and do not control the terminal.

    Standard error never fails: whatever is told there is worth less than the work that it is told of.
    """

    lenient = False

    @classmethod
    def over(cls, stream: io.TextIOWrapper, *, lenient: bool) -> PlainText:
        """Take the place of a stream; what its encoding lacks is replaced."""
        stream.flush()
        buffering, encoding = stream.line_buffering, stream.encoding
        new = cls(stream.detach(), encoding=encoding, errors="replace", line_buffering=buffering)
        new.lenient = lenient
        return new

    def write(self, text: str) -> int:
        """Write a text; its length is returned."""
        try:
            super().write("".join(_visible(part) for part in CURSOR_UP.split(text)))
        except OSError:
            if not self.lenient:
                raise
        return len(text)

    def flush(self) -> None:
        """Hand on what was written."""
        try:
            super().flush()
        except OSError:
            if not self.lenient:
                raise


def prepare(debug: bool, interrupter: Interrupter) -> None:
    """Make streams, logging and signals those of a command; to be called before anything else."""
    for name, lenient in (("stdout", False), ("stderr", True)):
        stream = getattr(sys, name)
        if stream is None:  # closed by whoever started us
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115
        elif type(stream) is io.TextIOWrapper:
            setattr(sys, name, PlainText.over(stream, lenient=lenient))
    logging.basicConfig(level=logging.DEBUG if debug else logging.WARNING)
    for handler in logging.getLogger().handlers:
        handler.setFormatter(_Formatter("%(levelname)s: %(message)s"))
    for noisy in ("matplotlib", "PIL"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    if not debug:  # OpenCV and FFmpeg would add lines of their own to our one sentence
        os.environ.setdefault("OPENCV_LOG_LEVEL", "OFF")
        os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    for number in NUMBERS:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):  # not where nohup ignores it
            signal.signal(number, interrupter)
    atexit.register(_ignore_signals)  # after all that is registered later


def end(code: int, message: str = "") -> NoReturn:
    """Tell a last message and end the process, at once if a signal comes now, and without a trace of it."""
    _ignore_signals()
    if message:
        sys.stderr.write(f"{message}\n")
    for number in NUMBERS:
        signal.signal(number, lambda *_: os._exit(code))
    try:
        sys.stdout.flush()
    except OSError:  # Python would try once more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def _ignore_signals() -> None:
    for number in NUMBERS:
        signal.signal(number, signal.SIG_IGN)


def interrupted(cause: BaseException | None) -> NoReturn:
    """End the process as one that was interrupted."""
    end(cause.code if isinstance(cause, Terminated) else INTERRUPTED, "interrupted")


def printable(text: str) -> str:
    """A text on one line, without secrets of addresses and without characters that control a terminal."""
    line = " ".join(hide_secrets(text).split())
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in line)


def _visible(text: str) -> str:
    return text if CURSOR_UP.fullmatch(text) else CONTROL.sub(lambda match: f"\\x{ord(match.group()):02x}", text)


class _Formatter(logging.Formatter):
    """Log lines in which addresses show no user, password or token."""

    def format(self, record: logging.LogRecord) -> str:
        return "\n".join(printable(line) for line in super().format(record).splitlines())
