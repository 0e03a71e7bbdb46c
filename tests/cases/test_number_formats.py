"""Numbers as spreadsheets write them: read as they are meant, or refused; never in two ways."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.conftest import Flatsort, read_rows

ROWS = [[n, 1, 30.25 + 2 * n, 12.5, 20.0, 41.75, 0.875] for n in range(1, 9)]


@pytest.fixture
def points(tmp_path: Path) -> Path:
    file = tmp_path / "points.txt"
    file.write_text("".join(",".join(map(str, row)) + "\n" for row in ROWS))
    return file


@pytest.mark.parametrize("separator", [";", "\t", " "], ids=["semicolons", "tabs", "blanks"])
def test_decimal_commas_give_the_same_tracks_and_scores(
    flatsort: Flatsort, points: Path, tmp_path: Path, separator: str
) -> None:
    commas = tmp_path / "commas.txt"
    commas.write_text("".join(separator.join(map(str, row)).replace(".", ",") + "\n" for row in ROWS))
    for file in (points, commas):
        assert flatsort("track", file, "--tracker", "sort", "--out", tmp_path / "out").code == 0
    expected, got = (read_rows(tmp_path / "out" / f"{name}.txt") for name in ("points", "commas"))
    assert got == expected
    assert got[0][:6] == [1, 1, 32.25, 12.5, 20, 41.75]
    gt = tmp_path / "gt.txt"
    gt.write_text(points.read_text().replace("0.875", "1"))
    table = flatsort("evaluate", "--gt", gt, "--pred", commas, "--format", "mot15", "--json", tmp_path / "scores.json")
    assert table.code == 0
    assert json.loads((tmp_path / "scores.json").read_text())["overall"]["mota"] == 100


def test_commas_for_everything_are_refused(flatsort: Flatsort, tmp_path: Path) -> None:
    file = tmp_path / "det.txt"
    file.write_text("1,1,32,25,12,50,20,00,41,75\n")
    sentence = flatsort("track", file, "--out", tmp_path / "out").sentence
    assert "det.txt line 1: expected numbers" in sentence
    assert "decimal commas can be read where semicolons, tabs or blanks separate" in sentence
