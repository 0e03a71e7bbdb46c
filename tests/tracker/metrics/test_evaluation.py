"""Evaluation of tables and of files: properties of the scores, HOTA by hand, and messages."""

from __future__ import annotations

import dataclasses
import json
import logging
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flatsort.tracker.io.mot import MotTable
from flatsort.tracker.metrics import Evaluation, Scores, SequenceResult, evaluate, evaluate_tables, pool
from flatsort.tracker.metrics.hota import pooled
from tests.tracker.metrics.mot_tables import table, track

BEST = ("idf1", "idp", "idr", "recall", "precision", "mota", "motp", "motal", "hota", "deta", "assa", "loca")


@st.composite
def tables(draw: st.DrawFn, least: int = 0) -> MotTable:
    rows = draw(
        st.lists(
            st.tuples(st.integers(1, 6), st.integers(1, 5), st.integers(0, 120)),
            min_size=least,
            max_size=30,
            unique_by=lambda row: row[:2],
        )
    )
    return table(rows)


def permuted(rows: MotTable, order: list[int]) -> MotTable:
    columns = {
        field.name: getattr(rows, field.name)[order]
        for field in dataclasses.fields(rows)
        if isinstance(getattr(rows, field.name), np.ndarray)
    }
    return dataclasses.replace(rows, **columns)


def close(a: Scores, b: Scores) -> None:
    np.testing.assert_allclose(dataclasses.astuple(a), dataclasses.astuple(b), rtol=1e-9, atol=1e-9)


@settings(max_examples=30)
@given(tables(least=1))
def test_the_ground_truth_scores_100(gt: MotTable) -> None:
    # boxes of different ids may coincide; then more than one assignment is perfect but not every one
    distinct = dataclasses.replace(gt, boxes=gt.boxes + 1000.0 * gt.ids[:, None] * [1, 0, 1, 0])
    scores = evaluate_tables("a", distinct, distinct).scores
    np.testing.assert_allclose([getattr(scores, key) for key in BEST], 100)
    assert (scores.fp, scores.fn, scores.ids, scores.ml) == (0, 0, 0, 0)
    assert scores.mt == scores.gt == len(set(gt.ids.tolist()))


@settings(max_examples=30)
@given(tables(), tables(), st.permutations(range(1, 6)))
def test_names_of_predictions_do_not_matter(gt: MotTable, pred: MotTable, names: list[int]) -> None:
    renamed = dataclasses.replace(pred, ids=1000 * np.array([0, *names])[pred.ids])
    distinct = dataclasses.replace(pred, boxes=pred.boxes + 0.01 * pred.ids[:, None] * [1, 0, 1, 0])
    renamed = dataclasses.replace(renamed, boxes=distinct.boxes)
    close(evaluate_tables("a", gt, distinct).scores, evaluate_tables("a", gt, renamed).scores)


@pytest.mark.slow
@settings(max_examples=30)
@given(tables(), tables(), st.integers(0, 2**32))
def test_the_order_of_rows_does_not_matter(gt: MotTable, pred: MotTable, seed: int) -> None:
    gt = dataclasses.replace(gt, boxes=gt.boxes + 0.0137 * gt.ids[:, None] * [1, 0, 1, 0])
    pred = dataclasses.replace(pred, boxes=pred.boxes + 0.01 * pred.ids[:, None] * [1, 0, 1, 0])
    generator = np.random.default_rng(seed)
    other_gt, other_pred = (permuted(rows, generator.permutation(len(rows)).tolist()) for rows in (gt, pred))
    close(evaluate_tables("a", gt, pred).scores, evaluate_tables("a", other_gt, other_pred).scores)


@settings(max_examples=30)
@given(tables(), tables())
def test_all_scores_are_finite_numbers(gt: MotTable, pred: MotTable) -> None:
    evaluation = pool([evaluate_tables("a", gt, pred)])
    for scores in evaluation.rows().values():
        values = dataclasses.asdict(scores)
        assert all(math.isfinite(value) for value in values.values())
        assert all(0 <= values[key] <= 100 + 1e-9 for key in BEST if not key.startswith("mota"))
        assert scores.gt == scores.mt + scores.pt + scores.ml
    close(evaluation.overall, evaluation.sequences["a"].scores)


def test_overall_is_of_the_pooled_counts() -> None:
    long, short = track(1, 0, range(1, 10)), track(1, 0, (1,))
    results = [
        evaluate_tables("long", table(long), table(long)),
        evaluate_tables("short", table(short), table([])),
    ]
    evaluation = pool(results)
    assert [results[0].scores.recall, results[1].scores.recall] == [100, 0]
    assert evaluation.overall.recall == pytest.approx(90)
    assert evaluation.overall.idf1 == pytest.approx(100 * 18 / 19)
    assert evaluation.overall.deta == pytest.approx(90)
    assert (evaluation.overall.gt, evaluation.overall.mt, evaluation.overall.ml) == (2, 1, 1)
    assert list(evaluation.rows()) == ["long", "short", "OVERALL"]


def test_hota_of_a_switch_in_the_middle() -> None:
    # each half: 2 matches, 4 in the ground truth, 2 predicted: A(c) = 2 / (4 + 2 − 2) = 0.5
    result = evaluate_tables("a", table(track(1, 0, range(1, 5))), table(track(7, 0, (1, 2)) + track(8, 0, (3, 4))))
    assert result.scores.deta == pytest.approx(100)
    assert result.scores.assa == pytest.approx(50)
    assert result.scores.hota == pytest.approx(100 * math.sqrt(0.5))
    assert result.hota.curve("HOTA").shape == result.hota.alphas.shape == (19,)


def test_pooled_hota_of_one_is_its_own() -> None:
    rows = track(1, 0, range(1, 4))
    own = evaluate_tables("a", table(rows), table(rows[:2])).hota
    np.testing.assert_allclose(pooled({"a": own}).curve("HOTA"), own.curve("HOTA"))


def test_pooling_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one sequence"):
        pool([])


def write(path: Path, rows: list[tuple[float, ...]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{int(frame)},{int(i)},{x},0,30,30,1,-1,-1,-1\n" for frame, i, x in rows))
    return path


def example(folder: Path) -> Evaluation:
    for name in ("a", "b"):
        write(folder / "gt" / name / "gt" / "gt.txt", track(1, 0, range(1, 5)))
    write(folder / "pred" / "a.txt", track(1, 0, range(1, 5)))
    write(folder / "pred" / "b.txt", track(1, 0, (1, 2)))
    return evaluate(folder / "gt", folder / "pred")


def test_files(tmp_path: Path) -> None:
    evaluation = example(tmp_path)
    assert [result.scores.recall for result in evaluation.sequences.values()] == [100, 50]
    assert evaluation.overall.recall == 75


@pytest.mark.slow
def test_processes_change_nothing(tmp_path: Path) -> None:
    evaluation = example(tmp_path)
    parallel = evaluate(tmp_path / "gt", tmp_path / "pred", jobs=2)
    assert parallel.rows() == evaluation.rows()


def test_seqinfo_gives_the_length(tmp_path: Path) -> None:
    example(tmp_path)
    ini = "[Sequence]\nname=a\nframeRate=10\nseqLength=40\nimWidth=640\nimHeight=480\n"
    (tmp_path / "gt" / "a" / "seqinfo.ini").write_text(ini)
    write(tmp_path / "pred" / "a.txt", track(1, 500, range(1, 11)))
    evaluation = evaluate(tmp_path / "gt", tmp_path / "pred")
    assert evaluation.sequences["a"].scores.far == 0.25


def test_unusable_predictions_are_reported_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    gt = write(tmp_path / "gt.txt", track(1, 0, (1, 2)))
    pred = tmp_path / "pred.txt"
    pred.write_text("1,1,0,0,30,30,1\n1,2,nan,0,30,30,1\n2,2,0,0,0,30,1\n")
    with caplog.at_level(logging.WARNING):
        evaluation = evaluate(gt, pred)
    assert evaluation.overall.fp == 2
    assert [record.getMessage() for record in caplog.records] == [
        "gt: 2 predictions are not finite or have no area; they count as false positives"
    ]


@pytest.mark.parametrize(("flag", "label", "warned"), [(0, 1, True), (1, 3, True), (1, 1, False), (1, -1, False)])
def test_ground_truth_of_which_nothing_is_evaluated(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, flag: int, label: int, warned: bool
) -> None:
    for name in ("a", "b", "empty"):
        text = "" if name == "empty" else f"1,1,0,0,30,30,{flag},{label},1\n2,1,0,0,30,30,{flag},{label},1\n"
        (tmp_path / "gt").mkdir(exist_ok=True)
        (tmp_path / "gt" / f"{name}.txt").write_text(text)
        write(tmp_path / "pred" / f"{name}.txt", track(1, 0, (1, 2)))
    with caplog.at_level(logging.WARNING):
        evaluate(tmp_path / "gt", tmp_path / "pred")
    sentence = (
        "{}: none of the 2 ground truth boxes is evaluated; expected 1 in column 7, "
        "and in column 8, if it is a class, 1 (pedestrian) or -1"
    )
    expected = [sentence.format(name) for name in ("a", "b")] if warned else []
    assert [record.getMessage() for record in caplog.records] == expected


def test_progress_reports_every_sequence(tmp_path: Path) -> None:
    example(tmp_path)
    reported: list[tuple[str, int]] = []

    def watch(results: Iterator[SequenceResult], total: int) -> Iterator[SequenceResult]:
        for result in results:
            reported.append((result.name, total))
            yield result

    evaluate(tmp_path / "gt", tmp_path / "pred", progress=watch)
    assert reported == [("a", 2), ("b", 2)]


def test_json_round_trip_keeps_the_scores(tmp_path: Path) -> None:
    from flatsort.tracker.metrics.report import to_json

    evaluation = example(tmp_path)
    read = json.loads(to_json(evaluation))
    assert Scores(**read["overall"]) == evaluation.overall
    assert Scores(**read["sequences"]["b"]) == evaluation.sequences["b"].scores
