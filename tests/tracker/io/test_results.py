"""Result files: what is in them, and that they appear whole or not at all."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flatsort.tracker.io.mot import read_table
from flatsort.tracker.io.results import CsvSink, FileSink, JsonSink, MotSink, with_detector_boxes
from flatsort.tracker.io.visual_results import CropSink, VideoSink
from flatsort.tracker.protocols import Sink
from flatsort.tracker.types import FrameResult
from tests.tracker.io.small_results import nothing, result

IMAGE = np.full((100, 80, 3), 90, np.uint8)


def painted(shown: FrameResult) -> Any:
    return shown.frame.image


MAKERS: dict[str, Callable[[Path], FileSink]] = {
    "run.txt": MotSink,
    "run.csv": CsvSink,
    "run.json": lambda path: JsonSink(path, source="run", fps=10.0),
    "run.mp4": lambda path: VideoSink(path, painted, size=(80, 100), fps=10.0),
    "run.crops": CropSink,
}
every_sink = pytest.mark.parametrize("name", MAKERS)


def interrupted(sink: FileSink) -> None:
    """Ctrl-C after the first frame."""

    def run() -> None:
        with sink:
            sink.write(result(1, IMAGE))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@every_sink
def test_a_result_appears_when_the_run_ends_and_not_before(tmp_path: Path, name: str) -> None:
    out = tmp_path / "new" / "folder"
    sink = MAKERS[name](out / name)
    assert isinstance(sink, Sink)
    with sink:
        sink.write(result(1, IMAGE))
        assert not (out / name).exists()
    assert names(out) == [name]
    assert sink.path == out / name


@every_sink
def test_an_error_leaves_the_frames_so_far_and_the_old_result_as_it_was(tmp_path: Path, name: str) -> None:
    def run(frames: int, error: Exception | None) -> None:
        with MAKERS[name](tmp_path / name) as sink:
            for index in range(1, frames + 1):
                sink.write(result(index, IMAGE))
            if error:
                raise error

    with pytest.raises(RuntimeError, match="tracker broke"):
        run(2, RuntimeError("tracker broke"))
    partial = name.replace("run.", "run.partial.")
    assert names(tmp_path) == [partial]
    run(1, None)

    def content() -> dict[Path, bytes]:
        parts = (tmp_path / name, *(tmp_path / name).rglob("*"))
        return {path: path.read_bytes() for path in parts if path.is_file()}

    before = content()
    with pytest.raises(RuntimeError, match="tracker broke"):
        run(3, RuntimeError("tracker broke"))
    assert content() == before
    with pytest.raises(RuntimeError, match="tracker broke"):
        run(0, RuntimeError("tracker broke"))
    run(3, None)
    assert sorted(names(tmp_path)) == sorted([name, partial])
    assert content() != before


@every_sink
def test_ctrl_c_keeps_what_was_written_under_a_name_that_says_so(tmp_path: Path, name: str) -> None:
    sink = MAKERS[name](tmp_path / name)
    interrupted(sink)
    partial = name.replace("run.", "run.partial.")
    assert names(tmp_path) == [partial]
    assert sink.path == tmp_path / partial
    files = [path for path in (tmp_path / partial, *(tmp_path / partial).rglob("*")) if path.is_file()]
    assert files
    assert all(path.stat().st_size for path in files)


@every_sink
def test_a_place_that_cannot_be_written_is_refused_before_the_run(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match=r"exists|directory"), MAKERS[name](tmp_path / "file" / name):
        pytest.fail("the run has begun")
    assert names(tmp_path) == ["file"]
    (tmp_path / name).write_text("x") if name == "run.crops" else (tmp_path / name / "mine").mkdir(parents=True)
    with pytest.raises(OSError, match="a folder"), MAKERS[name](tmp_path / name):
        pytest.fail("the run has begun")


def test_mot_rows_can_be_read_back(tmp_path: Path) -> None:
    with MotSink(tmp_path / "run.txt") as sink:
        for each in (result(1), nothing(2), result(3)):
            sink.write(each)
    table = read_table(tmp_path / "run.txt")
    assert table.frames.tolist() == [1, 1, 3, 3]
    assert table.ids.tolist() == [3, 7, 3, 7]
    np.testing.assert_allclose(table.boxes[2:], result(3).tracks.boxes, atol=1e-2)


def test_csv_can_be_read_back(tmp_path: Path) -> None:
    with CsvSink(tmp_path / "run.csv") as sink:
        for each in (nothing(1), result(2)):
            sink.write(each)
    with (tmp_path / "run.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["frame", "id", "left", "top", "width", "height", "score", "class", "source", "time"]
    first, second = ({key: float(text) for key, text in row.items()} for row in rows)
    assert list(first.values()) == pytest.approx([2, 3, 11, 21, 20, 40.5, 0.875, 0, 1, 0.1])
    assert list(second.values()) == pytest.approx([2, 7, 6, 7, 2, 3, 0.625, 2, -1, 0.1])


def test_json_can_be_read_back(tmp_path: Path) -> None:
    with JsonSink(tmp_path / "run.json", source='a "b"', fps=10.0) as sink:
        for each in (result(1), nothing(2)):
            sink.write(each)
    assert json.loads((tmp_path / "run.json").read_text()) == {
        "source": 'a "b"',
        "fps": 10.0,
        "frames": [
            {
                "frame": 1,
                "time": 0.0,
                "tracks": [
                    {"id": 3, "box": [10.0, 20.0, 30.0, 60.5], "score": 0.875, "class": 0, "detection": 1},
                    {"id": 7, "box": [5.0, 6.0, 7.0, 9.0], "score": 0.625, "class": 2, "detection": -1},
                ],
            },
            {"frame": 2, "time": 0.1, "tracks": []},
        ],
    }


def test_json_is_whole_without_frames_and_after_ctrl_c(tmp_path: Path) -> None:
    with JsonSink(tmp_path / "none.json", source="none", fps=10.0):
        pass
    assert json.loads((tmp_path / "none.json").read_text())["frames"] == []
    interrupted(JsonSink(tmp_path / "run.json", source="run", fps=10.0))
    assert len(json.loads((tmp_path / "run.partial.json").read_text())["frames"]) == 1


def test_json_goes_to_disk_frame_by_frame(tmp_path: Path) -> None:
    with JsonSink(tmp_path / "run.json", source="run", fps=10.0) as sink:
        for index in range(1, 501):
            sink.write(result(index))
        (growing,) = tmp_path.iterdir()
        assert growing.stat().st_size > 50_000


@pytest.mark.parametrize("name", ["run.txt", "run.csv", "run.json"])
def test_numbers_that_are_not_finite_are_never_written(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    good = result(1)
    boxes, scores = good.tracks.boxes.copy(), good.tracks.scores.copy()
    boxes[0, 2] = np.inf
    scores[1] = np.nan
    with MAKERS[name](tmp_path / name) as sink:
        sink.write(replace(good, tracks=replace(good.tracks, boxes=boxes)))
        sink.write(replace(good, tracks=replace(good.tracks, scores=scores)))
    text = (tmp_path / name).read_text().lower()
    assert "inf" not in text
    assert "nan" not in text
    assert text.count("0.875") == text.count("0.625") == 1
    assert [r.getMessage() for r in caplog.records] == [f"{name}: 2 boxes that are not finite were left out"]


def test_the_detectors_boxes_replace_those_of_matched_tracks_only() -> None:
    before = result(4)
    after = with_detector_boxes(before)
    assert after.tracks.boxes.tolist() == [[11, 21, 31, 61], before.tracks.boxes[1].tolist()]
    assert before.tracks.boxes.tolist() == result(4).tracks.boxes.tolist()
    assert len(with_detector_boxes(nothing(1)).tracks) == 0


def test_boxes_of_the_detector_by_choice(tmp_path: Path) -> None:
    with MotSink(tmp_path / "run.txt", boxes="detector") as sink:
        sink.write(result(1))
    assert read_table(tmp_path / "run.txt").boxes[0].tolist() == [11, 21, 31, 61]
    with pytest.raises(ValueError, match=r"expected .* got 'both'"):
        MotSink(tmp_path / "run.txt", boxes="both")  # type: ignore[arg-type]
