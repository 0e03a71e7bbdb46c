"""No verb replaces what it was given: the folder of results may hold what they are made from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from flatsort.embedding.data.sample_set import open_set
from flatsort.embedding.data.writer import SetWriter
from tests.e2e.conftest import Flatsort

REFUSED = "would replace what it is made from"


def boxes(path: Path, frames: int = 12) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{f},1,{10 + f},20,30,60,0.9,-1,-1,-1\n" for f in range(1, frames + 1)))
    return path


def sequence(folder: Path) -> Path:
    boxes(folder / "det" / "det.txt")
    (folder / "gt").mkdir()
    (folder / "gt" / "gt.txt").write_text("".join(f"{f},1,{10 + f},20,30,60,1,1,1\n" for f in range(1, 13)))
    (folder / "seqinfo.ini").write_text(
        "[Sequence]\nname=seq\nframeRate=10\nseqLength=12\nimWidth=200\nimHeight=100\nimExt=.jpg\nimDir=img1\n"
    )
    return folder


def crops(folder: Path) -> Path:
    with SetWriter(folder) as writer:
        writer.add(np.random.default_rng(0).integers(0, 255, (20, 8, 8, 1), np.uint8), "a")
    return folder


def test_another_source_of_the_same_call(flatsort: Flatsort, tmp_path: Path) -> None:
    first, second = boxes(tmp_path / "in" / "a.txt"), boxes(tmp_path / "out" / "a.txt", 5)
    before = second.read_bytes()
    sentence = flatsort("track", first, second, "--tracker", "sort", "--out", tmp_path / "out").sentence
    assert f"out/a.txt: the result {REFUSED}"[8:] in sentence
    assert second.read_bytes() == before


def test_a_config_is_replaced_by_the_same_only(flatsort: Flatsort, tmp_path: Path) -> None:
    source, config = boxes(tmp_path / "a.txt"), tmp_path / "o" / "a.config.yaml"
    assert flatsort("track", source, "--tracker", "sort", "--out", tmp_path / "o").code == 0
    again = ("track", source, "--tracker", config, "--out", tmp_path / "o")
    assert flatsort(*again).code == 0
    before = config.read_text()
    assert REFUSED in flatsort(*again, "lifecycle.max_age=7").sentence
    assert config.read_text() == before


def test_labels_beside_which_results_would_lie(flatsort: Flatsort, tmp_path: Path, video: Path) -> None:
    label = tmp_path / "labels" / f"{video.stem}.txt"
    label.parent.mkdir()
    label.write_text("0 0.5 0.5 0.1 0.2 0.9\n")
    done = flatsort("track", video, "--detections", label.parent, "--tracker", "sort", "--out", label.parent)
    assert done.code == 2
    assert label.read_text() == "0 0.5 0.5 0.1 0.2 0.9\n"


@pytest.mark.parametrize("name", ["gt/gt.txt", "seqinfo.ini", "det/det.txt"])
def test_parts_of_a_sequence(flatsort: Flatsort, tmp_path: Path, name: str) -> None:
    folder, pred = sequence(tmp_path / "seq"), boxes(tmp_path / "pred" / "seq.txt")
    before = (folder / name).read_bytes()
    assert REFUSED in flatsort("evaluate", "--gt", folder, "--pred", pred, "--json", folder / name).sentence
    assert (folder / name).read_bytes() == before
    for _ in range(2):  # results may lie beside what they are made from, and replace those of before
        beside = ("--json", folder / "scores.json", "--plot", folder)
        assert flatsort("evaluate", "--gt", folder, "--pred", pred, *beside).code == 0


def test_two_results_of_one_name(flatsort: Flatsort, tmp_path: Path) -> None:
    folder, pred = sequence(tmp_path / "seq"), boxes(tmp_path / "pred" / "seq.txt")
    both = ("--json", tmp_path / "scores", "--csv", tmp_path / "pred" / ".." / "scores")
    assert "two results would have this name" in flatsort("evaluate", "--gt", folder, "--pred", pred, *both).sentence


def test_a_set_that_is_embedded(flatsort: Flatsort, tmp_path: Path) -> None:
    rows = crops(tmp_path / "set") / "rows.npz"
    before = rows.read_bytes()
    assert REFUSED in flatsort("embed", tmp_path / "set", "--model", "pixels", "--out", rows).sentence
    assert rows.read_bytes() == before


def test_a_config_of_a_benchmark(flatsort: Flatsort, tmp_path: Path) -> None:
    folder, out = sequence(tmp_path / "seq"), tmp_path / "o"
    options = ("--no-cache", "--out", out, "rounds=0")
    assert flatsort("benchmark", "--data", folder, "--systems", "sort", *options).code == 0
    again = ("benchmark", "--config", out / "config.yaml", *options)
    assert flatsort(*again).code == 0
    before = (out / "config.yaml").read_text()
    assert REFUSED in flatsort(*again, "min_score=0.2").sentence
    assert (out / "config.yaml").read_text() == before


def test_a_tuned_tracker_that_is_tuned_on(flatsort: Flatsort, tmp_path: Path) -> None:
    tuned = tmp_path / "o" / "tuned.yaml"
    tuned.parent.mkdir()
    tuned.write_text("base: sort\n")
    tune = ("tune", "--data", sequence(tmp_path / "seq"), "--tracker", tuned, "--out", tuned.parent, "--trials", 1)
    assert REFUSED in flatsort(*tune).sentence
    assert tuned.read_text() == "base: sort\n"


def test_the_set_of_a_training(flatsort: Flatsort, tmp_path: Path) -> None:
    folder = crops(tmp_path / "run" / "data")
    train = ("train", "--config", "ae", "--data", folder, "--data", crops(tmp_path / "more"), "--out", folder.parent)
    small = ("model.shape=[1,8,8]", "model.net.stem=2", "steps=1", "--device", "cpu")
    assert REFUSED in flatsort(*train, *small).sentence
    assert len(open_set(folder)) == 20
