"""Defaults ← YAML ← overrides, and the sentences about what does not fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from flatsort.embedding.training.config import TrainConfig
from flatsort.tracker.config import CONFIGS, dump, find, load, names
from flatsort.tracker.motion.xyah import XyahConfig
from flatsort.tracker.motion.xysr import XysrConfig
from flatsort.tracker.sort import SortConfig
from flatsort.tracker.track_config import TrackConfig


def config(tmp_path: Path, text: str = "", *overrides: str) -> SortConfig:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return load(SortConfig, path, overrides)


def test_the_defaults_are_sort(tmp_path: Path) -> None:
    assert config(tmp_path) == SortConfig() == load(SortConfig, find("track", "sort"))


def test_overrides_go_before_the_file_and_the_file_before_the_defaults(tmp_path: Path) -> None:
    c = config(tmp_path, "lifecycle: {max_age: 5, min_hits: 2}", "lifecycle.max_age=2s", "stages.iou.threshold=0.5")
    assert (c.lifecycle.max_age, c.lifecycle.min_hits, c.stages["iou"].threshold) == ("2s", 2, 0.5)


def test_a_part_brings_its_own_keys(tmp_path: Path) -> None:
    c = config(tmp_path, "motion: xyah", "motion.position=0.1")
    assert c.motion == XyahConfig(position=0.1)
    assert config(tmp_path, "motion: {name: xyah}", "motion.name=xysr").motion == XysrConfig()
    for overrides in (("motion=xyah", "motion.position=0.1"), ("motion.position=0.1", "motion=xyah")):
        assert config(tmp_path, "", *overrides).motion == XyahConfig(position=0.1)


def test_stages_of_a_file_replace_the_default_ones(tmp_path: Path) -> None:
    c = config(tmp_path, "stages: {a: {threshold: 0.1}, b: {}}", "stages.b.threshold=0.2")
    assert {name: s.threshold for name, s in c.stages.items()} == {"a": 0.1, "b": 0.2}


@pytest.mark.parametrize("name", names("track"))
def test_configs_that_come_along_load_and_survive_a_round_trip(name: str, tmp_path: Path) -> None:
    first = load(TrackConfig, find("track", name))
    (tmp_path / "again.yaml").write_text(dump(first), encoding="utf-8")
    assert load(TrackConfig, tmp_path / "again.yaml") == first


@pytest.mark.parametrize(
    ("text", "override", "sentence"),
    [
        ("lifecycle: {max_agee: 3}", "", r"mine\.yaml: unknown key 'lifecycle.max_agee'; did you mean: 'max_age'\?"),
        ("", "motoin=xyah", r"command line: unknown key 'motoin'; did you mean: 'motion'\?"),
        ("", "motion=xyha", r"unknown motion model 'xyha'; did you mean 'xyah'\? \(known: xyah, xysr\)"),
        ("", "stages.ioo.threshold=0.3", r"unknown key 'stages.ioo'; did you mean 'iou'\?"),
        ("a: [\n  b", "", r"mine\.yaml line \d: not valid YAML"),
        ("- 1", "", r"mine\.yaml: expected a mapping of keys to values, got a list"),
        ("stages: 3", "", "stages: "),
        ("stages: {a: {threshold: no}}", "", "stages.a.threshold: "),
        ("", "lifecycle.max_age=soon", r"lifecycle.max_age: expected frames \(30\) or seconds \(\"2s\"\), got 'soon'"),
        ("", "lifecycle.max_age=-1", "lifecycle.max_age: expected frames"),
        ("", "lifecycle.min_hits=-1", "lifecycle.min_hits: expected 0 or more, got -1"),
        ("", "stages.iou.threshold=.nan", "stage threshold: expected a finite number, got nan"),
        (
            "",
            "stages.iou.assignment_threshold=0.1",
            "stage assignment_threshold: expected a finite number of at least threshold 0.7, got 0.1",
        ),
        ("", "stages.iou.cost=iuo", r"unknown cost 'iuo'; did you mean 'iou'\?"),
        ("", "stages.iou.gates=[mahalonobis]", "unknown gate 'mahalonobis'; did you mean 'mahalanobis'"),
        ("", "stages.iou.tracks=some", "stage tracks: expected one of all, confirmed, tentative, got 'some'"),
        ("stages: {}", "", "stages: expected at least one, got none"),
        ("", "frame_rate=0", "frame_rate: expected a positive number, got 0"),
        ("", "gallery.size=0", "gallery.size: expected 1 or more, got 0"),
        ("", "novalue", "override 'novalue': expected key=value"),
    ],
)
def test_wrong_configs_are_refused_in_one_sentence(tmp_path: Path, text: str, override: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as error:
        config(tmp_path, text, *([override] if override else []))
    assert "\n" not in str(error.value)


def test_unknown_configs_list_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"unknown track config 'srot'; did you mean 'sort'\?.*bytetrack"):
        find("track", "srot")
    with pytest.raises(ValueError, match=r"config no\.yaml: no such file"):
        find("track", "no.yaml")


def write(folder: Path, **texts: str) -> Path:
    """YAML files by name; the path of the last one."""
    for name, text in texts.items():
        path = folder / f"{name}.yaml"
        path.write_text(text)
    return path


def test_a_file_inherits_from_a_config_that_comes_along(tmp_path: Path) -> None:
    mine = load(TrackConfig, write(tmp_path, mine="base: deep_sort\nlifecycle: {max_age: 9}"))
    deep = load(TrackConfig, find("track", "deep_sort"))
    assert mine == replace(deep, lifecycle=replace(deep.lifecycle, max_age=9))
    assert load(TrackConfig, write(tmp_path, mine="base: flat_vhp_vae_sort"), ["embedder=pixels"]).stages == deep.stages
    assert "base" not in dump(mine)


def test_a_file_inherits_from_a_file_beside_it_and_that_from_another(tmp_path: Path) -> None:
    (tmp_path / "parents").mkdir()
    write(tmp_path / "parents", grand="motion: xyah\nmin_score: 0.1", parent="base: grand.yaml\nmin_score: 0.2")
    mine = write(tmp_path, mine="base: parents/parent.yaml\nmotion: {position: 0.3}")
    assert load(SortConfig, mine) == SortConfig(motion=XyahConfig(position=0.3), min_score=0.2)


def test_stages_of_a_base_are_changed_removed_and_added_by_name(tmp_path: Path) -> None:
    write(tmp_path, parent="stages: {a: {threshold: 0.1, max_missed: 2}, b: {}, c: {}}")
    text = "base: parent.yaml\nstages: {a: {threshold: 0.2}, b: null, d: {threshold: 0.4}}"
    stages = load(SortConfig, write(tmp_path, mine=text)).stages
    assert {name: (stage.threshold, stage.max_missed) for name, stage in stages.items()} == {
        "a": (0.2, 2), "c": (0.7, None), "d": (0.4, None),
    }  # fmt: skip


def test_another_part_keeps_the_keys_of_the_base_that_it_has_too(tmp_path: Path) -> None:
    write(tmp_path, parent="motion: {name: xyah, position: 0.3}")
    assert load(SortConfig, write(tmp_path, mine="base: parent.yaml\nmotion: xyah")).motion == XyahConfig(position=0.3)
    assert load(SortConfig, write(tmp_path, mine="base: parent.yaml\nmotion: xysr")).motion == XysrConfig()
    with pytest.raises(ValueError, match=r"mine\.yaml: unknown key 'motion.position'"):
        load(SortConfig, write(tmp_path, mine="base: parent.yaml\nmotion: {name: xysr, position: 0.1}"))
    vhp = load(TrainConfig, write(tmp_path, mine="base: flat_vhp_vae\nmodel: vhp_vae")).model
    assert vhp == load(TrainConfig, find("train", "vhp_vae")).model


def test_keys_of_a_detector_that_is_chosen_later_are_kept_where_a_derived_file_chooses_it(tmp_path: Path) -> None:
    write(tmp_path, parent="detector: {min_score: 0.2}")
    derived = load(TrackConfig, write(tmp_path, mine="base: parent.yaml\ndetector: onnx"))
    assert derived == load(TrackConfig, write(tmp_path, mine="detector: {name: onnx, min_score: 0.2}"))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "base: deep_srot",
            r"mine\.yaml: unknown base 'deep_srot'; did you mean 'deep_sort'\? \(known: ",
        ),
        ("base: other.yaml", r"mine\.yaml: base .*other\.yaml: no such file"),
        ("base: mine.yaml", r"mine\.yaml: expected a base that does not lead back to the file, got mine\.yaml"),
        ("base: there.yaml", r"there\.yaml: expected a base that does not lead back to the file, got mine\.yaml"),
        ("base: broken.yaml", r"broken\.yaml line \d: not valid YAML"),
        ("base: [sort]", r"mine\.yaml: unknown base"),
    ],
)
def test_wrong_bases_are_refused(tmp_path: Path, text: str, sentence: str) -> None:
    write(tmp_path, there="base: mine.yaml", broken="a: [\n  b")
    with pytest.raises(ValueError, match=sentence):
        load(SortConfig, write(tmp_path, mine=text))


def test_a_config_that_is_only_a_base_is_no_name(tmp_path: Path) -> None:
    assert "_crops" not in names("train")
    assert (CONFIGS / "train" / "_crops.yaml").is_file()
    with pytest.raises(ValueError, match="unknown train config '_crops'"):
        find("train", "_crops")
    shared = load(TrainConfig, write(tmp_path, mine="base: _crops\nmodel: ae"))
    assert shared == load(TrainConfig, find("train", "ae"))
