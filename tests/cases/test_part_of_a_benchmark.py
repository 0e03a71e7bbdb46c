"""A benchmark on some frames and some classes: the same detections, cut, and the same scores as evaluate gives."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

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


def pictures(folder: Path, count: int) -> None:
    """Numbered pictures of noise, each with its number as brightness."""
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 200, (160, 320, 3))
    for number in range(1, count + 1):
        Image.fromarray((noise + number).astype(np.uint8)).save(folder / f"{number:06}.png")


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
    assert (half["recall"], half["fn"], half["fp"]) == (50, 20, 0), "trackers start anew: SORT reports from frame 21 on"
    assert half["fn"] + overall(flatsort, sequence, "--frames", "-20")["fn"] == 40


def test_a_part_is_a_sequence_of_its_own(flatsort: Flatsort, sequence: Path, tmp_path: Path) -> None:
    """The same as the frames cut out by hand, numbered from 1: scores, intervals, images."""
    pictures(sequence / "seq" / "img1", 40)
    cut = tmp_path / "other" / "cut"
    for part in ("gt", "det"):
        (cut / "seq" / part).mkdir(parents=True)
        fields = [row.split(",") for row in (sequence / "seq" / part / f"{part}.txt").read_text().splitlines()]
        rows = [",".join([str(int(row[0]) - 10), *row[1:]]) for row in fields if 10 < int(row[0]) <= 30]
        (cut / "seq" / part / f"{part}.txt").write_text("\n".join(rows))
    shutil.copy(sequence / "seq" / "gt" / "labels.txt", cut / "seq" / "gt")
    (cut / "seq" / "img1").mkdir()
    for number in range(11, 31):
        shutil.copy(sequence / "seq" / "img1" / f"{number:06}.png", cut / "seq" / "img1" / f"{number - 10:06}.png")
    change = ("systems.sort.set=[embedder=pixels,camera.method=sparse_flow]",)
    some, whole = overall(flatsort, sequence, "--frames", "11-30", *change), overall(flatsort, cut, *change)
    for scores in (some, whole):
        assert scores.pop("embedding_us") > 0
        assert scores.pop("association_us") > 0
    assert some == whole
    page = (sequence.parent / "o" / "report.html").read_text()
    assert page.count("data:image/jpeg") == (cut.parent / "o" / "report.html").read_text().count("data:image/jpeg")


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
