"""``flatsort demo`` and the frame of the command line."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
import yaml

from tests.e2e.conftest import Flatsort

KEYS = [
    *("idf1", "idp", "idr", "recall", "precision", "far", "gt", "mt", "pt", "ml", "fp", "fn", "ids", "fm"),
    *("mota", "motp", "motal", "hota", "deta", "assa", "loca"),
]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A short demo and what it printed."""
    out = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "flatsort.tools.demo", "--frames", "60", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return out, done.stdout


@pytest.mark.slow
def test_the_demo_tracks_scores_and_says_where(demo: tuple[Path, str]) -> None:
    out, text = demo
    for name in ("demo.mp4", "demo.txt", "metrics.json", "still.png", "scene"):
        assert str(out / name) in text
        assert (out / name).exists()
    scores = json.loads((out / "metrics.json").read_text())["overall"]
    assert list(scores) == KEYS
    assert scores["idf1"] > 92.5  # reaches 93.5
    assert scores["gt"] >= 5
    assert "HOTA" in text
    capture = cv2.VideoCapture(str(out / "demo.mp4"))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 60
    capture.release()


@pytest.mark.slow
def test_the_readme_has_the_table_that_the_demo_prints(flatsort: Flatsort, tmp_path: Path) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    table = re.search(r"<!-- demo table -->\n(.*?)<!-- /demo table -->", readme, re.DOTALL)
    assert table is not None
    heads, _, *rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in table[1].splitlines()]
    assert "IDF1" in heads
    assert rows
    printed = [line.split() for line in flatsort("demo", "--out", tmp_path).out.splitlines()]
    (printed_heads,) = [line for line in printed if line[:1] == ["sequence"]]
    scored = [line for line in printed if len(line) == len(printed_heads)]
    printed_scores = {line[0]: dict(zip(printed_heads, line, strict=True)) for line in scored}
    for row in rows:
        scores = dict(zip(heads, row, strict=True))
        assert scores == {head: printed_scores[scores["sequence"]][head] for head in heads}


@pytest.mark.slow
def test_the_demo_is_deterministic(demo: tuple[Path, str], flatsort: Flatsort, tmp_path: Path) -> None:
    assert flatsort("demo", "--frames", "60", "--out", tmp_path).code == 0
    for name in ("demo.txt", "metrics.json", "scene/gt/gt.txt", "scene/det/det.txt"):
        assert (tmp_path / name).read_text() == (demo[0] / name).read_text()


@pytest.mark.slow
def test_the_scene_is_a_sequence_for_the_other_verbs(
    demo: tuple[Path, str], flatsort: Flatsort, tmp_path: Path
) -> None:
    scene = demo[0] / "scene"
    assert flatsort("track", scene, "--out", tmp_path).code == 0
    assert (tmp_path / "demo.txt").read_text() == (demo[0] / "demo.txt").read_text()
    assert yaml.safe_load((tmp_path / "demo.config.yaml").read_text())["embedder"] == "flat_vhp_vae"
    assert flatsort("evaluate", "--gt", scene, "--pred", tmp_path / "demo.txt").code == 0


@pytest.mark.slow
def test_a_shorter_demo_leaves_no_images_of_a_longer_one(flatsort: Flatsort, tmp_path: Path) -> None:
    images = tmp_path / "scene" / "img1"
    for frames in (6, 4):
        done = flatsort("demo", "--frames", frames, "--tracker", "sort", "--out", tmp_path)
        assert done.code == 0, done.err
        assert sorted(path.name for path in images.iterdir()) == [f"{n:06d}.jpg" for n in range(1, frames + 1)]
    assert f"{tmp_path / 'demo.txt'}: 4 frames" in done.out


def test_help_is_light_and_lists_the_verbs() -> None:
    code = (
        "import sys; sys.argv = ['flatsort', '--help']\n"
        "from flatsort.tools.__main__ import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        "assert not {'torch', 'cv2', 'numpy', 'pandas'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert all(verb in done.stdout for verb in ("demo", "track", "evaluate"))


@pytest.mark.parametrize("verb", ["demo", "track", "evaluate"])
def test_every_verb_is_a_module_with_examples_in_its_help(verb: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"flatsort.tools.{verb}", "--help"], capture_output=True, text=True, check=True
    )
    assert f"\n  flatsort {verb}" in done.stdout  # an example on a line of its own
    assert "\\b" not in done.stdout
    assert "--debug" in done.stdout


def test_shell_completion_knows_the_verbs() -> None:
    program = Path(sys.executable).parent / "flatsort"
    environment = {**os.environ, "_FLATSORT_COMPLETE": "bash_complete", "COMP_WORDS": "flatsort tr", "COMP_CWORD": "1"}
    done = subprocess.run([program], env=environment, capture_output=True, text=True, check=False)
    assert "plain,track" in done.stdout
    line = "flatsort track --tracker "
    environment |= {"COMP_WORDS": line, "COMP_CWORD": "3"}
    done = subprocess.run([program], env=environment, capture_output=True, text=True, check=False)
    assert "plain,bytetrack" in done.stdout
    environment |= {"COMP_WORDS": "flatsort track ", "COMP_CWORD": "2"}
    done = subprocess.run([program], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("file,")
    source = subprocess.run(
        [program], env={**os.environ, "_FLATSORT_COMPLETE": "bash_source"}, capture_output=True, text=True, check=True
    )
    assert "complete -o nosort" in source.stdout


def test_unknown_verbs_and_options(flatsort: Flatsort) -> None:
    assert "No such command 'trakc'" in flatsort("trakc").sentence
    assert flatsort("--version").out.startswith("flatsort, version ")
