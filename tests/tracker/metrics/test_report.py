"""Scores as text, Markdown, LaTeX, CSV, JSON and figures."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from flatsort.tracker.metrics import Evaluation, Scores, evaluate_tables, pool
from flatsort.tracker.metrics.plots import hota_curves, identity_timeline, save
from flatsort.tracker.metrics.report import COLUMN_NAMES, to_csv, to_json
from flatsort.tracker.metrics.report import table as laid_out
from tests.tracker.metrics.mot_tables import table, track

COLUMNS = "IDF1 IDP IDR Rcll Prcn FAR GT MT PT ML FP FN IDs FM MOTA MOTP MOTAL HOTA DetA AssA LocA".split()  # noqa: SIM905
KEYS = "idf1 idp idr recall precision far gt mt pt ml fp fn ids fm mota motp motal hota deta assa loca".split()  # noqa: SIM905


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    gt = track(1, 0, range(1, 5)) + track(2, 100, range(1, 4))
    pred = track(7, 0, (1, 2)) + track(8, 0, (3, 4)) + track(9, 500, (1,))
    return pool(
        [evaluate_tables("with_switch", table(gt), table(pred)), evaluate_tables("empty", table(gt), table([]))]
    )


def test_column_names_are_those_of_the_table() -> None:
    assert list(COLUMN_NAMES) == KEYS == [field.name for field in dataclasses.fields(Scores)]
    assert list(COLUMN_NAMES.values()) == COLUMNS


def test_text(evaluation: Evaluation) -> None:
    head, _, first, second, last = laid_out(evaluation).splitlines()
    assert head.split() == ["sequence", *COLUMNS]
    assert " ".join(first.split()[:15]) == "with_switch 33.3 40.0 28.6 57.1 80.0 0.25 2 1 0 1 1 3 1 0"
    assert [line.split()[0] for line in (first, second, last)] == ["with_switch", "empty", "OVERALL"]
    assert len({len(line) for line in (head, first, second, last)}) == 1


def test_markdown_and_latex(evaluation: Evaluation) -> None:
    markdown = laid_out(evaluation, "markdown").splitlines()
    assert [cell.strip() for cell in markdown[0].strip("|").split("|")] == ["sequence", *COLUMNS]
    assert len(markdown) == 5
    latex = laid_out(evaluation, "latex")
    assert latex.startswith(r"\begin{tabular}")
    assert r"with\_switch" in latex


def test_csv_is_unrounded(evaluation: Evaluation) -> None:
    rows = list(csv.DictReader(to_csv(evaluation).splitlines()))
    assert [row["sequence"] for row in rows] == ["with_switch", "empty", "OVERALL"]
    assert float(rows[2]["MOTP"]) == evaluation.overall.motp
    assert int(rows[0]["IDs"]) == 1


def test_json_keys(evaluation: Evaluation) -> None:
    document = json.loads(to_json(evaluation))
    assert list(document) == ["sequences", "overall", "notes"]
    assert list(document["sequences"]) == ["with_switch", "empty"]
    assert list(document["overall"]) == KEYS
    assert isinstance(document["overall"]["ids"], int)


def test_plots(evaluation: Evaluation, tmp_path: Path) -> None:
    figures = {"hota": hota_curves(evaluation)}
    figures |= {name: identity_timeline(result) for name, result in evaluation.sequences.items()}
    for name, figure in figures.items():
        save(figure, tmp_path / "new" / f"{name}.png")
        image = cv2.imread(str(tmp_path / "new" / f"{name}.png"))
        assert image is not None
        assert image.std() > 1
    assert len(list((tmp_path / "new").iterdir())) == len(figures)


def test_curves_are_those_of_the_evaluation(evaluation: Evaluation) -> None:
    (axes,) = hota_curves(evaluation).axes
    named = {str(line.get_label()): line for line in axes.lines}
    assert f"HOTA {evaluation.overall.hota:.1f}" in named
    assert len(axes.lines) == 2 + 3


def test_timeline_shows_segments_and_switches(evaluation: Evaluation) -> None:
    (axes,) = identity_timeline(evaluation.sequences["with_switch"]).axes
    (segments,) = axes.collections
    # identity 1: two predictions; identity 2: one miss
    assert len(segments.get_paths()) == 3
    (switches,) = axes.lines
    assert np.asarray(switches.get_data()).tolist() == [[3], [0]]


def test_timeline_without_ground_truth(tmp_path: Path) -> None:
    result = evaluate_tables("none", table([]), table([]))
    save(identity_timeline(result), tmp_path / "none.png")
    assert (tmp_path / "none.png").stat().st_size > 1000
