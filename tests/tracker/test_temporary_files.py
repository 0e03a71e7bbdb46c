"""Temporary files and folders, and the locks of folders."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flatsort.tracker.temporary_files import only_writer, remove_leftovers, temporary_file


@contextmanager
def another_process(name: str, path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has entered a context manager of the module."""
    script = (
        f"import sys, time; from pathlib import Path; from flatsort.tracker.temporary_files import {name}\n"
        f"with {name}(Path(sys.argv[1])): print('in', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", script, path], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "in\n"
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_one_process_at_a_time_writes_into_a_folder(tmp_path: Path) -> None:
    refused = pytest.raises(OSError, match="run: another run is writing into this folder")
    with another_process("only_writer", tmp_path / "run"), refused, only_writer(tmp_path / "run"):
        pass
    with only_writer(tmp_path / "run"):
        pass
    assert list((tmp_path / "run").iterdir()) == []


@pytest.mark.parametrize("name", ["temporary_file", "temporary_folder"])
def test_what_a_living_process_writes_stays_however_old_it_is(tmp_path: Path, name: str) -> None:
    target = tmp_path / "a.txt"
    with another_process(name, target):
        (left,) = tmp_path.iterdir()
        hour_ago = time.time() - 3600
        os.utime(left, (hour_ago, hour_ago))
        remove_leftovers(target)
        assert left.exists()
    remove_leftovers(tmp_path / "b.txt")
    assert left.exists(), "of another target"
    remove_leftovers(target)
    assert not left.exists()


def test_a_number_that_another_process_has_now_keeps_no_leftover(tmp_path: Path) -> None:
    left = tmp_path / f".a-{os.getppid()}-abcd.txt"
    left.touch()
    remove_leftovers(tmp_path / "a.txt")
    assert left.exists(), "it may be one that is about to be locked"
    os.utime(left, (0, 0))
    with temporary_file(tmp_path / "a.txt") as temporary:
        assert list(tmp_path.iterdir()) == [temporary]
    assert not list(tmp_path.iterdir())
