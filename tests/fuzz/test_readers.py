"""A few changes of the content of every reader: each is read, or refused in a sentence that names the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.attempt import FAULTS, attempt, content_of
from tests.fuzz.mutations import mutate
from tests.fuzz.readers import all_readers

TRIES = 15


@pytest.mark.slow
@pytest.mark.parametrize("name", all_readers())
def test_changed_content(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    target = all_readers()[name](tmp_path)
    for content in target.seeds:
        assert attempt(target, content, limit=60).outcome == "accepted"
    tries = [attempt(target, content_of(target, name, number, seed=0), number) for number in range(TRIES)]
    assert [done for done in tries if done.outcome in FAULTS] == []
    if target.form != "bytes":
        assert len({content_of(target, name, number, seed=0) for number in range(TRIES)}) > TRIES / 2


def test_what_is_looked_for_is_found(tmp_path: Path) -> None:
    import random
    from dataclasses import replace
    from time import sleep

    from tests.fuzz.readers import Target

    def fail(error: Exception) -> None:
        raise error

    path = tmp_path / "a.txt"
    target = Target(path, (b"1,2\n",), "text", lambda: None)
    assert mutate(target.seeds, "text", random.Random(0)) == mutate(target.seeds, "text", random.Random(0))
    outcomes = {
        "accepted": lambda: None,
        "refused": lambda: fail(ValueError("a.txt line 3: expected 4 columns, got 2")),
        "unclear": lambda: fail(ValueError("invalid literal")),
        "foreign": lambda: fail(KeyError("x")),
    }
    for outcome, read in outcomes.items():
        assert attempt(replace(target, read=read), b"").outcome == outcome
    assert attempt(replace(target, read=lambda: sleep(0.2)), b"", limit=0.05).outcome == "hang"
