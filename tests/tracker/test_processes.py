"""Workers end with their parent, and a worker that is killed is a sentence."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flatsort.tracker.processes import worker_processes

SCRIPT = """
import os, sys, time
from flatsort.tracker.processes import worker_processes

def work(_):
    print(os.getpid(), flush=True)
    time.sleep(600)

if __name__ == "__main__":
    with worker_processes(2) as pool:
        list(pool.map(work, range(2)))
"""


def heed_ctrl_c() -> None:
    """A process in the background of a shell ignores Ctrl-C, and so do those that it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("number", ["SIGKILL", "SIGTERM", "SIGINT"])
def test_no_worker_outlives_its_parent(tmp_path: Path, number: str) -> None:
    script = tmp_path / "parent.py"
    script.write_text(SCRIPT)
    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    parent = subprocess.Popen([sys.executable, script], text=True, preexec_fn=heed_ctrl_c, **quiet)  # type: ignore[call-overload]
    assert parent.stdout is not None
    workers = [int(parent.stdout.readline()) for _ in range(2)]
    parent.send_signal(getattr(signal, number))
    assert parent.stdout.read() == "", "the pipe ends, since nobody holds it"
    parent.wait(10)
    parent.stdout.close()
    until = time.monotonic() + 10
    while any(map(is_running, workers)):
        assert time.monotonic() < until, "a worker is left"
        time.sleep(0.1)


def test_a_killed_worker_is_told() -> None:
    with pytest.raises(OSError, match="a process was killed"), worker_processes(1) as pool:
        pool.submit(os._exit, 1).result()


def test_an_error_of_a_task_is_the_tasks() -> None:
    with pytest.raises(ZeroDivisionError), worker_processes(1) as pool:
        pool.submit(divmod, 1, 0).result()
