"""Registries: parts by name, and parts in files of the user's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from flatsort.tools.runs.open_run import open_run, track_config
from flatsort.tracker.detectors import DETECTORS
from flatsort.tracker.registry import PartConfig, Registry

DETECTOR = """
from dataclasses import dataclass

import flatsort


@dataclass(frozen=True)
class CornerConfig(flatsort.PartConfig):
    name: str = "corner"
    size: float = 20.0


@flatsort.DETECTORS.register("corner", CornerConfig)
class Corner:
    class_names = ("thing",)
    needs_image = False

    def __init__(self, config):
        self.size = config.size

    def detect(self, frame):
        return flatsort.Detections.of([[0, 0, self.size, self.size]])
"""


def registry() -> Registry[object]:
    return Registry("thing", "flatsort.tracker.types")  # a module that registers nothing


def test_names_and_unknown_names() -> None:
    things = registry()
    things.register("chair", PartConfig, tags=("wood",))(lambda config: config)
    things.register("lamp")(lambda: None)
    assert things.names() == ["chair", "lamp"]
    assert things.names("wood") == ["chair"]
    with pytest.raises(ValueError, match=r"did you mean 'chair'\? \(known: chair, lamp\), or"):
        things.get("chiar")


def test_a_detector_in_a_file_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DETECTORS, "_parts", dict(DETECTORS._parts))
    path = tmp_path / "mine.py"
    path.write_text(DETECTOR)
    source = tmp_path / "street.txt"
    source.write_text("1,-1,0,0,9,9,1\n2,-1,0,0,9,9,1\n")
    run = open_run(str(source), track_config("sort", ["detector.size=7"], detector=str(path)))
    assert [each.boxes.tolist() for _, each in run.detect(run.frames())] == [[[0, 0, 7, 7]]] * 2
    assert run.config.detector.name == str(path)  # so that the written config finds it again
    with pytest.raises(ValueError, match=r"unknown key 'detector.sise'; did you mean: 'size'"):
        track_config("sort", ["detector.sise=7"], detector=str(path))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", r"mine\.py: expected a file that registers a thing, but it registers none"),
        ("import nothing_of_that_name", r"thing .*mine\.py: cannot be imported \(ModuleNotFoundError: No module named"),
        ("def (", r"thing .*mine\.py: cannot be imported \(SyntaxError: "),
    ],
)
def test_files_that_register_nothing(text: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(text)
    with pytest.raises(ValueError, match=sentence):
        registry().get(str(path))
    with pytest.raises(ValueError, match=r"thing .*other\.py: no such file"):
        registry().get(str(tmp_path / "other.py"))
