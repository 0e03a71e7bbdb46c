"""Tuned configs: they load as they were written, and are refused on the sequences that they were tuned on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from flatsort.tools.experiments.tuning import with_values
from flatsort.tools.experiments.tuning_record import (
    check_not_reported,
    check_not_tuned_on,
    differences,
    tuned_on,
    video_name,
    write_tuned,
)
from flatsort.tracker.config import CONFIGS, dump, find, load
from flatsort.tracker.track_config import TrackConfig

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", [path.stem for path in (CONFIGS / "track").glob("*.yaml")])
@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["lifecycle.max_age=2.5s", "motion=xyah", "motion.velocity=0.01"],
        ["motion=xysr", "appearance.false_match_rate=0.02"],
    ],
)
def test_a_tuned_config_loads_as_it_was_written(name: str, overrides: list[str], tmp_path: Path) -> None:
    config = load(TrackConfig, find("track", name), overrides)
    write_tuned(tmp_path, config, ["a", "b ö"], "two\nlines", {"trials": 3})
    assert load(TrackConfig, tmp_path / "tuned.yaml") == replace(config, tuned_on=["a", "b ö"])
    assert tuned_on(str(tmp_path / "tuned.yaml")) == ["a", "b ö"]
    report = json.loads((tmp_path / "tuning.json").read_text())
    assert report == {"tracker": "tuned.yaml", "sequences": ["a", "b ö"], "trials": 3}


def test_only_differences_are_written() -> None:
    sort = load(TrackConfig, find("track", "sort_long"))
    assert differences(TrackConfig()) == {}
    assert differences(
        with_values(sort, {"stages.iou.threshold": 0.6, "motion.measurement": 2.0, "lifecycle.max_age": 9})
    ) == {
        "motion": {"measurement": 2.0},
        "stages": {"iou": {"threshold": 0.6, "assignment_threshold": 1.0}},
        "lifecycle": {"max_age": 9},
    }


def test_values_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"unknown key 'stages\.ioo'; did you mean 'iou'"):
        with_values(TrackConfig(), {"stages.ioo.threshold": 0.5})
    with pytest.raises(ValueError, match=r"assignment_threshold: expected a finite number of at least threshold 1\.5"):
        with_values(TrackConfig(), {"stages.iou.threshold": 1.5})


def test_a_tracker_is_not_reported_on_sequences_it_was_tuned_on(tmp_path: Path) -> None:
    write_tuned(tmp_path, TrackConfig(), ["MOT17-02-FRCNN", "street"], "", {})
    tuned = str(tmp_path / "tuned.yaml")
    check_not_tuned_on(tuned, ["park", "MOT17-04-FRCNN"])
    check_not_tuned_on("sort", ["street"])
    sentence = r"tuned\.yaml was tuned on street: its scores there are no result \(--allow-tuned reports them\)"
    with pytest.raises(ValueError, match=sentence):
        check_not_tuned_on(tuned, ["park", "street"])
    for same in ("MOT17-02-SDP", "MOT16-02"):
        with pytest.raises(ValueError, match=f"was tuned on {same}"):
            check_not_tuned_on(tuned, [same])


def test_the_config_itself_names_what_it_was_tuned_on(tmp_path: Path) -> None:
    write_tuned(tmp_path / "a", TrackConfig(), ["street"], "", {})
    config = tmp_path / "a" / "tuned.yaml"
    moved = tmp_path / "mine.yaml"
    moved.write_bytes(config.read_bytes())
    assert tuned_on(str(moved)) == ["street"]
    (tmp_path / "a" / "other.yaml").write_text("")
    assert tuned_on(str(tmp_path / "a" / "other.yaml")) == []
    dumped = tmp_path / "NAME.config.yaml"
    dumped.write_text(dump(load(TrackConfig, config, ["lifecycle.max_age=3"])))
    assert tuned_on(str(dumped)) == ["street"]
    assert tuned_on("sort") == tuned_on("no such tracker") == []
    config.write_text("tuned_on: 3\n")
    with pytest.raises(ValueError, match=r"tuned\.yaml: .*tuned_on"):
        tuned_on(str(config))


def test_a_config_that_was_tuned_twice_names_both(tmp_path: Path) -> None:
    write_tuned(tmp_path, TrackConfig(tuned_on=["street"]), ["park", "street"], "", {})
    assert tuned_on(str(tmp_path / "tuned.yaml")) == ["park", "street"]


def test_reported_sequences_are_not_tuned_on(tmp_path: Path) -> None:
    check_not_reported(["a"], ["b"], tmp_path)
    sentence = (
        r"--data: tuning on a would spoil its scores, --report names it too \(--allow-reported tunes nevertheless\)"
    )
    with pytest.raises(ValueError, match=sentence):
        check_not_reported(["a", "b"], ["a"], tmp_path)
    (tmp_path / "table.json").write_text(
        json.dumps({"systems": {"sort": {"overall": {}, "sequences": {"MOT16-05": {}}}}})
    )
    check_not_reported(["a"], [], tmp_path)
    with pytest.raises(ValueError, match=r"tuning on MOT17-05-DPM would spoil its scores, .*table\.json reports it"):
        check_not_reported(["MOT17-05-DPM"], [], tmp_path)
    (tmp_path / "table.json").write_text("[]")
    with pytest.raises(ValueError, match=r"table\.json: expected the table of a benchmark"):
        check_not_reported(["a"], [], tmp_path)


def test_video_name() -> None:
    assert video_name("MOT17-02-SDP") == video_name("mot16-02") == video_name("MOT17-02")
    assert len({video_name(name) for name in ("MOT17-02", "MOT17-04", "MOT20-02", "PETS09-S2L1")}) == 4
