"""Worker processes that end with the process that has started them, however that ends."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context

WATCH = 1.0
"""Seconds between looks for the parent."""


@contextmanager
def worker_processes(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """A pool of processes; they end when the block does, when it fails, and when this process is killed.

    They are spawned, not forked: libraries such as torch and onnxruntime have threads. Ctrl-C ends them in silence.

    Raises
    ------
    OSError
        If a worker was killed, for example for lack of memory.
    """
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), _begin, (os.getpid(),))
    try:
        yield pool
    except BaseException as error:
        running = list((pool._processes or {}).values())  # shutdown would wait for their tasks
        pool.shutdown(wait=False, cancel_futures=True)
        for process in running:
            process.terminate()
        if isinstance(error, BrokenExecutor):
            reason = "a process was killed, maybe for lack of memory: expected fewer jobs or more memory"
            raise OSError(reason) from error
        raise
    pool.shutdown()


def _begin(parent: int) -> None:
    """Prepare a worker: Ctrl-C is left to the parent, and without a parent it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "getppid"):
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(WATCH)
    os._exit(1)  # not sys.exit, which would wait for the work and for the pipe to the parent
