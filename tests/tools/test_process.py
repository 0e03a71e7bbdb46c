"""Signals and streams of a process that is a command."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from flatsort.tools.process import Interrupter, PlainText, Terminated, uninterrupted


def run_script(script: str, *signals: signal.Signals, gap: float = 0.0) -> tuple[int, str, str]:
    """Run a command whose verb is a script; signals are sent once it prints."""
    source = (
        "import click, sys, time\n"
        "from flatsort.tools.cli import run\n"
        "from flatsort.tools.process import uninterrupted\n"
        "@click.command()\ndef main():\n" + "".join(f"    {line}\n" for line in script.splitlines()) + "run(main)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", source], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    first = process.stdout.readline() if signals else ""
    for number in signals:
        process.send_signal(number)
        time.sleep(gap)
    out, err = process.communicate(timeout=30)
    return process.returncode, first + out, err


class TestSignals:
    @pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
    @pytest.mark.parametrize("gap", [0.0, 0.35])
    def test_however_often_the_process_ends_without_a_trace(self, name: str, code: int, gap: float) -> None:
        script = "try:\n    print('in', flush=True); time.sleep(30)\nfinally:\n    time.sleep(0.2)"
        assert run_script(script, *[getattr(signal, name)] * 4, gap=gap)[0] == code
        code_and_streams = run_script("print('in', flush=True); time.sleep(30)", *[getattr(signal, name)] * 3, gap=gap)
        assert code_and_streams[0] == code
        assert code_and_streams[2].split() == ["interrupted"]

    def test_an_error_that_a_library_makes_of_an_interrupt_is_one(self) -> None:
        script = (
            "print('in', flush=True)\ntry:\n    time.sleep(30)\n"
            "except KeyboardInterrupt:\n    raise ImportError('cannot load module') from None"
        )
        code, _, err = run_script(script, signal.SIGINT)
        assert (code, err.split()) == (130, ["interrupted"])

    def test_signals_that_come_at_once_are_one(self) -> None:
        handler = Interrupter()
        assert not handler.came
        with pytest.raises(KeyboardInterrupt) as first:
            handler(signal.SIGINT, None)
        assert not isinstance(first.value, Terminated)
        handler(signal.SIGINT, None)
        with pytest.raises(Terminated) as other:
            handler(signal.SIGTERM, None)
        assert other.value.code == 143
        assert handler.came

    def test_what_must_not_be_torn_is_completed_first(self) -> None:
        script = (
            "try:\n    with uninterrupted():\n        print('in', flush=True); time.sleep(0.5); print('whole')\n"
            "    print('not reached')\nexcept KeyboardInterrupt:\n    print('then'); raise"
        )
        assert run_script(script, signal.SIGTERM)[:2] == (143, "in\nwhole\nthen\n")

    def test_what_must_not_be_torn_and_fails_keeps_its_error(self) -> None:
        script = "with uninterrupted():\n    print('in', flush=True); time.sleep(0.5); raise ValueError('failed')"
        assert run_script(script, signal.SIGTERM)[0] in (2, 143)

    def test_other_threads_leave_the_handlers_alone(self) -> None:
        before, inside = signal.getsignal(signal.SIGINT), []

        def work() -> None:
            with uninterrupted():
                inside.append(signal.getsignal(signal.SIGINT))

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert inside == [before]


class TestStreams:
    def stream(self, *, lenient: bool = False, encoding: str = "utf-8") -> tuple[PlainText, io.BytesIO]:
        below = io.BytesIO()
        return PlainText.over(io.TextIOWrapper(below, encoding=encoding), lenient=lenient), below

    def test_names_do_not_control_the_terminal(self) -> None:
        stream, below = self.stream()
        text = "a\x1b[31mred\x9bb\u202e\ttab\r50%\x1b[A ü\n"
        assert stream.write(text) == len(text)
        stream.flush()
        assert below.getvalue().decode() == "a\\x1b[31mred\\x9bb\\x202e\ttab\r50%\x1b[A ü\n"

    def test_characters_that_the_encoding_lacks(self) -> None:
        stream, below = self.stream(encoding="cp1252")
        stream.write("≥ ü \udcff")
        stream.flush()
        assert below.getvalue() == b"? \xfc ?"

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
    @pytest.mark.parametrize(
        ("call", "code"),
        [
            ("--print-config >&-", 0),
            ("--print-config 2>&-", 0),
            ("--print-config >/dev/full", 2),
            ("nothing.txt 2>&-", 2),
            ("nothing.txt 2>/dev/full", 2),
        ],
    )
    def test_closed_and_full_streams(self, call: str, code: int) -> None:
        command = ["sh", "-c", f"{sys.executable} -m flatsort track {call}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == code
        assert done.stderr == ("error: No space left on device\n" if ">/dev/full" in call and "2>" not in call else "")

    def test_a_reader_that_leaves(self) -> None:
        read, write = os.pipe()
        os.close(read)
        command = [sys.executable, "-m", "flatsort", "track", "--print-config"]
        done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
        os.close(write)
        assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize(
    "error",
    [
        "MemoryError('cannot allocate 3 GiB')",
        'RuntimeError("[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can\'t allocate memory: 4 bytes")',
        "type('error', (Exception,), {})('OpenCV(4.9) Insufficient memory: Failed to allocate 8 bytes')",
    ],
)
def test_lack_of_memory_is_a_sentence(error: str) -> None:
    code, _, err = run_script(f"raise {error}")
    assert code == 2
    assert err.startswith("error: not enough memory: ")
    assert len(err.splitlines()) == 1
