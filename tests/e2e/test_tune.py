"""``flatsort tune`` on rendered sequences."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flatsort.scene import Scene, SceneConfig, write_sequence
from flatsort.tracker.config import load
from flatsort.tracker.track_config import TrackConfig
from tests.e2e.conftest import Flatsort

pytestmark = pytest.mark.slow

BAD = (
    "--tracker",
    "sort_long",
    "stages.iou.threshold=0.1",
    "--search",
    "stages.iou.threshold=0.05..0.95",
    "--min-score",
    "0.3",
)


@pytest.fixture(scope="module")
def streets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sequences without images: north and south."""
    folder = tmp_path_factory.mktemp("streets")
    for seed, name in enumerate(("north", "south")):
        write_sequence(Scene(SceneConfig(frames=40, people=4, width=384, height=216, seed=seed)), folder / name)
    return folder


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache is in the working folder."""
    monkeypatch.chdir(tmp_path)


def test_a_bad_start_gets_better_and_resume_goes_on(flatsort: Flatsort, streets: Path, tmp_path: Path) -> None:
    out = tmp_path / "tune"
    call = ("tune", "--data", streets / "north", "--report", streets / "south", *BAD, "--out", out)
    done = flatsort(*call, "--trials", 6)
    assert done.code == 0, done.err
    assert "reported, tuned" in done.out
    assert "6 trials, not to be reported on north" in done.out
    note = json.loads((out / "tuning.json").read_text())
    assert (note["sequences"], note["objective"], note["trials"]) == (["north"], "idf1", 6)
    assert note["detections"] == "det.txt, score >= 0.3"
    assert note["after"] > note["before"] + 5
    config = load(TrackConfig, out / "tuned.yaml")
    assert config.stages["iou"].threshold == note["changed"]["stages.iou.threshold"]
    assert config.lifecycle.max_age == 30

    assert "a study is there already; --resume continues" in flatsort(*call, "--trials", 8).sentence
    assert "the study in it has another objective" in flatsort(*call, "--resume", "--objective", "mota").sentence
    assert flatsort(*call, "--trials", 8, "--resume").code == 0
    again = json.loads((out / "tuning.json").read_text())
    assert again["trials"] == 8
    assert again["after"] >= note["after"]

    report = ("tune", "--data", streets / "south", "--report", streets / "north", "--out", tmp_path / "b")
    assert "tuned.yaml was tuned on north" in flatsort(*report, "--tracker", out / "tuned.yaml").sentence
    benchmark = ("benchmark", "--systems", out / "tuned.yaml", "--out", tmp_path / "table", "--data")
    assert "tuned.yaml was tuned on north" in flatsort(*benchmark, streets).sentence
    done = flatsort("track", streets / "south", "--tracker", out / "tuned.yaml", "--out", tmp_path / "track")
    assert done.code == 0, done.err


def test_leave_one_out(flatsort: Flatsort, streets: Path, tmp_path: Path) -> None:
    done = flatsort("tune", "--data", streets, *BAD, "--leave-one-out", "--trials", 4, "--out", tmp_path)
    assert done.code == 0, done.err
    assert "OVERALL, tuned without it" in done.out
    left_out = json.loads((tmp_path / "left_out.json").read_text())
    assert left_out["tuned"]["OVERALL"]["idf1"] > left_out["own"]["OVERALL"]["idf1"]
    for name, other in (("north", "south"), ("south", "north")):
        assert json.loads((tmp_path / f"without-{name}" / "tuning.json").read_text())["sequences"] == [other]
    alone = flatsort("tune", "--data", streets / "north", *BAD, "--leave-one-out", "--out", tmp_path / "one")
    assert "--leave-one-out: expected at least two sequences, got north" in alone.sentence


def test_what_does_not_fit_is_refused_before_anything_runs(flatsort: Flatsort, streets: Path, tmp_path: Path) -> None:
    call = ("tune", "--data", streets / "north", "--tracker", "sort", "--out", tmp_path / "out", "--trials", 1)
    for arguments, sentence in (
        (("--report", streets / "north"), "tuning on north would spoil its scores, --report names it too"),
        (("--search", "stages.ioo.threshold=0.1..1"), "unknown key 'stages.ioo'; did you mean 'iou'"),
        (("--search", "stages.iou.threshold=0.1..3"), "expected a finite number of at least threshold 3"),
        (("--search", "lifecycle.max_age=1"), "--search 'lifecycle.max_age=1': expected KEY=low..high"),
        (("--report", streets / "south", "--leave-one-out"), "expected --leave-one-out or --report, got both"),
        (("--detections", "none.txt"), "none.txt: no such file"),
    ):
        assert sentence in flatsort(*call, *arguments).sentence
    assert not (tmp_path / "out").exists()
    assert flatsort(*call, "--report", streets / "north", "--allow-reported").code == 0
