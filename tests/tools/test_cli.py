"""What every verb shares."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import click
import pytest

from flatsort.tools.cli import progress, run


def slowly(items: list[int]) -> Iterator[int]:
    for item in items:
        time.sleep(0.6)
        yield item


@pytest.mark.slow
def test_progress_shows_rate_and_remaining_time_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert list(progress(slowly([1, 2, 3]), 3, "street")) == [1, 2, 3]
    shown = capsys.readouterr().err
    assert "street" in shown
    assert "frame/s" in shown or "s/frame" in shown
    assert "<00:0" in shown  # remaining


@pytest.mark.slow
def test_progress_is_quiet_off_a_terminal_and_for_the_first_second(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert list(progress(slowly([1, 2]), 2, "street")) == [1, 2]
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert list(progress([1, 2], 2, "street")) == [1, 2]
    assert capsys.readouterr().err.strip() == ""


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (ValueError("gt.txt line 17:\n5 columns"), 2, "error: gt.txt line 17: 5 columns"),
        (PermissionError(13, "Permission denied", "/x/out"), 2, "error: /x/out: Permission denied"),
        (ImportError("onnxruntime is missing"), 2, "error: onnxruntime is missing"),
        (click.ClickException("expected a SOURCE"), 2, "error: expected a SOURCE"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_errors_leave_one_line_and_a_code(
    error: BaseException, code: int, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    def verb() -> None:
        raise error

    monkeypatch.setattr(sys, "argv", ["verb"])
    with pytest.raises(SystemExit) as end:
        run(verb)
    assert end.value.code == code
    assert capsys.readouterr().err.strip().splitlines() == [line]


def test_a_fault_of_the_program_keeps_its_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def verb() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(sys, "argv", ["verb"])
    with pytest.raises(ZeroDivisionError):
        run(verb)
