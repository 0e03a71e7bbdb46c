"""Classes in a file of detections are kept, chosen and kept apart; a file without them says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.conftest import Flatsort, read_rows

CAR, PERSON = 2, 0


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A car that stands where a person stands from the middle on."""
    rows = [f"{n},-1,{50 + n},100,60,60,0.9,{CAR if n <= 15 else PERSON},-1,-1\n" for n in range(1, 31)]
    path = tmp_path / "det.txt"
    path.write_text("".join(rows))
    return path


def classes_and_ids(path: Path) -> tuple[set[float], set[float]]:
    rows = read_rows(path)
    return {row[7] for row in rows}, {row[1] for row in rows}


def test_rows_and_tables_have_the_class_and_per_class_keeps_them_apart(
    flatsort: Flatsort, file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert flatsort("track", file, "--tracker", "bytetrack", "per_class=true", "--csv", "--out", out).code == 0
    assert classes_and_ids(out / "det.txt") == ({CAR, PERSON}, {1, 2})
    assert {line.split(",")[7] for line in (out / "det.csv").read_text().splitlines()[1:]} == {"0", "2"}
    assert flatsort("track", file, "--tracker", "bytetrack", "--out", out).code == 0
    assert classes_and_ids(out / "det.txt")[1] == {1}


@pytest.mark.parametrize("choice", ["2", "car", "Car, dog"])
def test_classes_are_chosen(flatsort: Flatsort, file: Path, tmp_path: Path, choice: str) -> None:
    if choice != "2":
        (tmp_path / "labels.txt").write_text("person\nbicycle\ncar\ndog\n")
    for how in ([file], ["--detections", file, file]):
        run = flatsort("track", *how, "--classes", choice, "--tracker", "sort", "--out", tmp_path / "out")
        assert run.code == 0, run.err
        rows = read_rows(tmp_path / "out" / "det.txt")
        assert {row[7] for row in rows} == {CAR}
        assert max(row[0] for row in rows) == 15


@pytest.mark.parametrize("choice", ["all", "", "[]"])
def test_all_classes_may_be_asked_for(flatsort: Flatsort, file: Path, tmp_path: Path, choice: str) -> None:
    assert flatsort("track", file, "--classes", choice, "--tracker", "sort", "--out", tmp_path / "out").code == 0
    assert max(row[0] for row in read_rows(tmp_path / "out" / "det.txt")) == 30


def test_a_file_without_classes_says_so(flatsort: Flatsort, file: Path, tmp_path: Path) -> None:
    file.write_text("".join(f"{n},-1,{50 + n},100,60,60,0.9,-1,-1,-1\n" for n in range(1, 31)))
    assert "per_class=true: expected a class in each detection" in flatsort("track", file, "per_class=true").sentence
    assert "expected classes, to keep car, but no column" in flatsort("track", file, "--classes", "car").sentence
    assert flatsort("track", file, "--tracker", "sort", "--out", tmp_path / "out").code == 0
    assert classes_and_ids(tmp_path / "out" / "det.txt") == ({-1}, {1})


def test_an_unknown_class_is_named_with_those_of_the_file(flatsort: Flatsort, file: Path) -> None:
    assert "unknown class 'cat' (known: 0, 2)" in flatsort("track", file, "--classes", "cat").sentence


@pytest.mark.parametrize(("chosen", "column"), [("[0, 1]", {1}), ("[1]", {-1})])
def test_a_detector_of_one_class_writes_none(flatsort: Flatsort, tmp_path: Path, chosen: str, column: set[int]) -> None:
    (tmp_path / "mine.py").write_text(
        "from flatsort import DETECTORS, Detections, PartConfig\n"
        "@DETECTORS.register('mine', PartConfig)\n"
        "class Mine:\n"
        "    class_names, needs_image = ('person', 'car'), False\n"
        f"    chosen_classes = {chosen}\n"
        "    def __init__(self, config): pass\n"
        "    def detect(self, frame): return Detections.of([[1, 1, 9, 9]], [0.9], [1])\n"
    )
    (tmp_path / "det.txt").write_text("9,-1,1,1,5,5,0.9\n")
    how = ("--detector", tmp_path / "mine.py", "--tracker", "sort", "--out", tmp_path / "out")
    assert flatsort("track", tmp_path / "det.txt", *how).code == 0
    assert classes_and_ids(tmp_path / "out" / "det.txt")[0] == column
