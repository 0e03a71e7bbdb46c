"""A benchmark on some frames and some classes: the same detections, cut, and the same scores as evaluate gives."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.conftest import Flatsort


@pytest.fixture
def sequence(tmp_path: Path) -> Path:
    """A car that is found from frame 21 on and a person that is found until frame 20, of 40 frames."""
    folder = tmp_path / "data" / "seq"
    for part in ("gt", "det"):
        (folder / part).mkdir(parents=True)
    truth = [f"{f},{i},{100 * i + f},20,30,60,1,{i},1" for f in range(1, 41) for i in (1, 2)]
    found = [f"{f},-1,{100 * i + f},20,30,60,0.9" for f in range(1, 41) for i in (1, 2) if (f > 20) == (i == 1)]
    (folder / "gt" / "gt.txt").write_text("\n".join(truth))
    (folder / "gt" / "labels.txt").write_text("car\nperson\n")
    (folder / "det" / "det.txt").write_text("\n".join(found))
    return tmp_path / "data"


def overall(flatsort: Flatsort, data: Path, *options: str) -> dict[str, float]:
    out = data.parent / "o"
    words = ("--systems", "sort", "--no-cache", "--out", out)
    done = flatsort("benchmark", "--data", data, *words, *options, "rounds=20")
    assert done.code == 0, done.err
    scores: dict[str, float] = json.loads((out / "table.json").read_text())["systems"]["sort"]["overall"]
    return scores


def test_some_frames(flatsort: Flatsort, sequence: Path) -> None:
    whole, half = overall(flatsort, sequence), overall(flatsort, sequence, "--frames", "21-40")
    assert whole["gt"] == 2
    assert whole["recall"] == pytest.approx(45, abs=6)
    assert half["recall"] == pytest.approx(45, abs=6)
    assert half["fn"] < whole["fn"]
    assert half["fn"] + overall(flatsort, sequence, "--frames", "-20")["fn"] == pytest.approx(whole["fn"], abs=3)


def test_some_classes(flatsort: Flatsort, sequence: Path) -> None:
    car = overall(flatsort, sequence, "--classes", "car", "--frames", "21-")
    assert (car["gt"], car["fp"]) == (1, 0)
    assert car["recall"] >= 80
    person = overall(flatsort, sequence, "--classes", "person", "--frames", "21-")
    assert (person["recall"], person["fp"]) == (0, 0), "tracks on cars are neither found nor false"


def test_what_is_no_range_or_class(flatsort: Flatsort, sequence: Path) -> None:
    words = ("benchmark", "--data", sequence, "--systems", "sort", "--no-cache", "--out", sequence.parent / "o")
    assert "frames: expected A-B" in flatsort(*words, "--frames", "x").sentence
    assert "unknown class 'dog'" in flatsort(*words, "--classes", "dog").sentence
