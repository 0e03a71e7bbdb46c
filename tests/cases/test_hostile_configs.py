"""A config from somebody else: one sentence for whatever is in it, nothing of the environment, no endless work."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.e2e.conftest import Flatsort

BOMB = "a: &a [1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{','.join([f'*{chr(97 + i)}'] * 9)}]\n" for i in range(9)
)


@pytest.fixture
def det(tmp_path: Path) -> Path:
    path = tmp_path / "det.txt"
    path.write_text("".join(f"{f},-1,{f},20,30,60,0.9\n" for f in range(1, 9)))
    return path


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("min_score: 0.3\n\0\n", "not valid YAML"),
        ("# \x1b[1mbold\nmin_score: 0.3\n", "not valid YAML"),
        ("stages: [iou]", "stages: expected a mapping of names, got a list"),
        ("stages: 3", "stages: expected a mapping of names, got 3"),
        ("stages: {iou: 3}", "stages"),
        ("motion: {name: 3}", "motion.name: expected the name of a part, got 3"),
        ("motion: [sort]", "motion: expected a mapping of names, got a list"),
        ("lifecycle: text", "lifecycle: expected a mapping of names, got 'text'"),
        (f"min_score: {'9' * 400}", "min_score: expected a text, a number"),
        (f"min_score: {'9' * 5000}", "not valid YAML"),
        ("embedder: !!timestamp x", "not valid YAML"),
        ("embedder: !!python/object/apply:os.system [ls]", "not valid YAML"),
        ("1: 2", "expected names as keys, got 1"),
        ("? [a, b]\n: 3", "YAML"),
        ("min_score: 1\nmin_score: 2", "not valid YAML"),
        ("stages: " + "[" * 3000, "at most 50 levels"),
        ("a: &a {b: *a}", "alias"),
        (BOMB, "at most 100000 values"),
        ("embedder: '${oc.env:HOME}'", "embedder: expected a text without ${…}"),
        ("- a\n- b", "expected a mapping of keys to values, got a list"),
        ("just text", "unknown key 'just text'"),
        ("base: [sort]", "base"),
        ("base: {a: 1}", "base"),
    ],
)
def test_a_tracker_of_another_shape(flatsort: Flatsort, tmp_path: Path, det: Path, text: str, sentence: str) -> None:
    config = tmp_path / "mine.yaml"
    config.write_text(text)
    begin = time.perf_counter()
    said = flatsort("track", det, "--tracker", config, "--out", tmp_path / "o").sentence
    assert time.perf_counter() - begin < 5
    assert sentence in said
    assert "mine.yaml" in said
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    "override",
    [
        "motion.name=3",
        "stages=[a]",
        "motion=[a]",
        f"min_score={'9' * 400}",
        "embedder=2024-01-02",
        "lifecycle=3",
        "a.=1",
    ],
)
def test_overrides_of_another_shape(flatsort: Flatsort, tmp_path: Path, det: Path, override: str) -> None:
    assert (
        override.partition("=")[0].partition(".")[0]
        in flatsort("track", det, "--tracker", "sort", override, "--out", tmp_path / "o").sentence
    )


@pytest.mark.parametrize("text", ["systems: [sort]", "embedders: [pixels]", "systems: {sort: [1]}", "data: {a: 1}"])
def test_a_benchmark_of_another_shape(flatsort: Flatsort, tmp_path: Path, det: Path, text: str) -> None:
    config = tmp_path / "b.yaml"
    config.write_text(text)
    refused = flatsort("benchmark", "--data", det.parent, "--config", config, "--out", tmp_path / "o").sentence
    assert "expected" in refused or "Cannot" in refused or "not" in refused


def test_a_benchmark_does_not_read_the_environment(
    flatsort: Flatsort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_TOKEN", "topsy-turvy")
    config = tmp_path / "b.yaml"
    config.write_text('systems: {sort: {note: "${oc.env:MY_TOKEN}"}}')
    refused = flatsort("benchmark", "--data", tmp_path, "--config", config, "--out", tmp_path / "o").sentence
    assert "systems.sort.note: expected a text without ${…}" in refused
    assert "topsy" not in refused


def test_a_stage_is_taken_away_on_the_command_line(flatsort: Flatsort, det: Path) -> None:
    shown = flatsort("track", det, "--tracker", "bytetrack", "--print-config", "stages.tentative=null")
    assert shown.code == 0
    assert "tentative:" not in shown.out
    assert "high:" in shown.out


def test_keys_of_no_detector_are_refused_before_one_is_chosen(flatsort: Flatsort, det: Path) -> None:
    done = flatsort("track", det, "--print-config", "detector.bogus=1")
    assert "unknown key 'detector.bogus'" in done.sentence


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lifecycle: {max_age: -1}", "lifecycle.max_age"),
        ("base: sort\nmotion: nothing", "unknown motion model 'nothing'"),
        ("note: !!timestamp x", "not valid YAML (a tag on a value of another kind)"),
    ],
)
def test_the_file_is_named_whatever_is_wrong_in_it(
    flatsort: Flatsort, det: Path, tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "own.yaml").write_text(text)
    for more in ((), ("lifecycle.min_hits=2",)):
        done = flatsort("track", det, "--tracker", tmp_path / "own.yaml", "--print-config", *more)
        assert f"{tmp_path / 'own.yaml'}: " in done.sentence
        assert said in done.sentence
