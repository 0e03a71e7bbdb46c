"""Studies: better than chance, resumable, and never continued with other data or another space."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from flatsort.tools.experiments.search_space import Choice, Range, Space, Value
from flatsort.tools.experiments.study import Study, Trial

SPACE: Space = {"x": Range(0.0, 1.0), "n": Range(1, 9, whole=True), "kind": Choice((None, "a", True))}
FIRST: Mapping[str, Value] = {"x": 0.0, "n": 1, "kind": None}


def score(values: Mapping[str, Value]) -> float | None:
    x, n = values["x"], values["n"]
    assert isinstance(x, float)
    assert isinstance(n, int)
    return None if values["kind"] is True else 1 - (x - 0.7) ** 2 - 0.01 * n


def run(study: Study, trials: int) -> list[tuple[Mapping[str, Value], float | None]]:
    return [(trial.values, trial.score) for trial in study.run(score, trials, FIRST)]


def test_a_study_finds_better_values_and_begins_with_the_first_values(tmp_path: Path) -> None:
    study = Study(tmp_path / "deep" / "s.journal", SPACE, {})
    assert study.best is None
    trials = run(study, 40)
    assert trials[0] == (FIRST, 0.99 - 0.49)
    assert len(study.trials) == 40
    assert isinstance(study.best, Trial)
    assert study.best.score is not None
    assert study.best.score > 0.93
    assert study.best.values["kind"] is not True


def test_first_values_outside_of_the_space_are_not_tried(tmp_path: Path) -> None:
    study = Study(tmp_path / "s.journal", SPACE, {})
    (trial,) = study.run(score, 1, {**FIRST, "x": 2.0})
    assert trial.values["x"] != 2.0


def test_an_interrupted_study_ends_as_an_uninterrupted_one(tmp_path: Path) -> None:
    whole = run(Study(tmp_path / "whole.journal", SPACE, {}, seed=3), 25)

    def interrupted(values: Mapping[str, Value]) -> float | None:
        calls.append(values)
        if len(calls) > 14:
            raise KeyboardInterrupt
        return score(values)

    calls: list[Mapping[str, Value]] = []
    path = tmp_path / "broken.journal"
    with pytest.raises(KeyboardInterrupt):
        list(Study(path, SPACE, {}, seed=3).run(interrupted, 25, FIRST))
    with path.open("ab") as file:  # as a process that was killed while it wrote
        file.write(b'{"op_code": 6, "wor')
    study = Study(path, SPACE, {}, seed=3)
    assert len(study.trials) == 14
    assert len(run(study, 25)) == 11
    assert [(trial.values, trial.score) for trial in study.trials] == whole
    assert run(study, 25) == []


@pytest.mark.parametrize(
    ("change", "other"),
    [({"identity": {"data": "b"}}, "data"), ({"seed": 1}, "seed"), ({"space": {"x": Range(0.0, 2.0)}}, "space")],
)
def test_another_study_is_not_continued(tmp_path: Path, change: dict[str, Any], other: str) -> None:
    given: dict[str, Any] = {"space": SPACE, "identity": {"data": "a"}, "seed": 0}
    Study(tmp_path / "s.journal", **given)
    Study(tmp_path / "s.journal", **given)
    with pytest.raises(ValueError, match=rf"s\.journal: the study in it has another {other}; expected the same"):
        Study(tmp_path / "s.journal", **{**given, **change})


def test_a_file_that_is_no_study(tmp_path: Path) -> None:
    (tmp_path / "s.journal").write_text("hello\n")
    with pytest.raises(ValueError, match=r"s\.journal: expected a study of Optuna"):
        Study(tmp_path / "s.journal", SPACE, {})


def test_without_optuna_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "optuna":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"^tuning needs Optuna: pip install flatsort\[tune\]$"):
        Study(tmp_path / "s.journal", SPACE, {})
