"""What the sinks of a run write is read again, as tracks and as detections."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from flatsort.tracker.io.mot import read_detection_file, read_table
from flatsort.tracker.io.results import CsvSink, JsonSink, MotSink
from tests.tracker.io.small_results import nothing, result

NAMES = ("person", "bicycle", "car")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The same results in three formats."""
    with (
        MotSink(tmp_path / "run.txt", classes=True) as mot,
        CsvSink(tmp_path / "run.csv") as csv,
        JsonSink(tmp_path / "run.json", source="run", fps=10.0, classes=NAMES) as document,
    ):
        for sink in (mot, csv, document):
            sink.write(result(1))
            sink.write(nothing(2))
            sink.write(result(3))
    return tmp_path


@pytest.mark.parametrize("suffix", ["txt", "csv", "json"])
def test_results_are_read_as_tracks_and_as_detections(folder: Path, suffix: str) -> None:
    table = read_table(folder / f"run.{suffix}")
    assert (table.frames.tolist(), table.ids.tolist()) == ([1, 1, 3, 3], [3, 7, 3, 7])
    np.testing.assert_allclose(table.boxes[2:], result(3).tracks.boxes, atol=0.005)
    assert (table.scores.tolist(), table.classes.tolist()) == ([0.875, 0.625] * 2, [0, 2] * 2)
    detections = read_detection_file(folder / f"run.{suffix}")
    assert list(detections.frames) == [1, 3]
    assert detections.frames[3].classes.tolist() == [0, 2]
    names = dict(enumerate(NAMES)) if suffix == "json" else {0: "0", 2: "2"}
    assert detections.class_names == names


def test_rows_of_one_class_have_none(tmp_path: Path) -> None:
    with MotSink(tmp_path / "run.txt") as mot, JsonSink(tmp_path / "run.json", source="run", fps=10.0) as document:
        for sink in (mot, document):
            sink.write(result(1))
    assert all(line.endswith(",-1,-1,-1") for line in (tmp_path / "run.txt").read_text().splitlines())
    assert "classes" not in json.loads((tmp_path / "run.json").read_text())


@pytest.mark.parametrize(
    "document",
    [
        {"frames": [{"frame": 1, "tracks": [{"id": 1}]}]},
        {"frames": [{"frame": 1, "tracks": [{"id": 1, "box": [1, 2, 3], "score": 1, "class": 0}]}]},
        {"frames": [{"frame": 1, "tracks": [{"id": [], "box": [1, 2, 3, 4], "score": 1, "class": 0}]}]},
        {"frames": 1},
        {"frames": [], "classes": []},
        {"frames": [], "classes": {"one": "person"}},
    ],
)
def test_json_of_another_shape(tmp_path: Path, document: object) -> None:
    file = tmp_path / "run.json"
    file.write_text(json.dumps(document))
    with pytest.raises(ValueError, match=r"run\.json: expected boxes as .*, got JSON of the keys 'frames'"):
        read_table(file)


@pytest.mark.parametrize("text", ["[" * 100_000, "{", "", "1", "null", '{"frames": [{"frame": 1e999}]}'])
def test_json_that_is_none(tmp_path: Path, text: str) -> None:
    file = tmp_path / "run.json"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"run\.json: expected boxes as .*, got (JSON|text)"):
        read_table(file)
