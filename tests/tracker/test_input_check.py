"""Boxes against the frames, the picture and the thresholds that they are used with."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from flatsort.tracker.input_check import (
    InputBoxes,
    check_boxes,
    check_frames,
    check_input,
    check_scores,
    thresholds_of,
)
from flatsort.tracker.io.file_source import FileSource
from flatsort.tracker.io.mot import read_detections, read_table
from flatsort.tracker.io.video import open_source
from flatsort.tracker.track_config import load_track_config
from flatsort.tracker.types import Float

PATH = Path("det.txt")
SIZE = (640, 360)


def given(
    boxes: Float | None = None, scores: Float | None = None, frames: list[int] | None = None, n: int = 60
) -> InputBoxes:
    """Boxes of 40x100 pixels that cross the picture."""
    n = len(boxes) if boxes is not None else len(frames) if frames is not None else n
    x, y = np.linspace(0, 600, n), np.linspace(0, 260, n)
    own = np.stack([x, y, x + 40, y + 100], axis=1) if boxes is None else boxes
    numbers = np.array(frames if frames is not None else range(1, n + 1), np.int64)
    return InputBoxes(PATH, numbers, own, np.full(n, 0.9) if scores is None else scores)


class TestFrames:
    def test_silent_where_all_fit(self) -> None:
        assert check_frames(given(), range(1, 61), images=60) == []
        assert check_frames(given(n=0), range(1, 61), images=60) == []

    def test_none_of_them_is_refused(self) -> None:
        with pytest.raises(
            ValueError, match=r"^det.txt: none of 20 detections is of frames 1 to 20, the first is of frame 372$"
        ):
            check_frames(given(frames=list(range(372, 392))), range(1, 21), images=20)

    def test_some_of_them_are_counted(self) -> None:
        (note,) = check_frames(given(frames=list(range(15, 25))), range(1, 21), images=20)
        assert note == "det.txt: 4 of 10 detections are of frames beyond 1 to 20, the first is of frame 21"

    def test_frames_without_a_picture(self) -> None:
        notes = check_frames(given(frames=list(range(1, 21))), range(1, 21, 2), images=10)
        assert "9 of 20 detections are of frames without an image" in " ".join(notes)

    @pytest.mark.parametrize(
        ("frames", "numbers", "gap"),
        [
            ([*range(1, 31), 9_999_999], range(1, 10_000_000), "31 to 9999998"),
            ([*range(1, 31)], range(1, 10_000_001), "31 to 10000000"),
            ([5_000_000, 5_000_001], range(1, 5_000_002), "1 to 4999999"),
        ],
        ids=["a stray row", "seqLength", "all far"],
    )
    def test_millions_of_frames_of_nothing_are_refused(self, frames: list[int], numbers: range, gap: str) -> None:
        with pytest.raises(ValueError, match=rf"^det.txt: frames {gap} have no detections and no images, expected"):
            check_frames(given(frames=frames), numbers, images=0)

    def test_a_long_video_with_few_boxes_is_none_of_these(self) -> None:
        assert check_frames(given(frames=[1, 2, 900_000]), range(1, 1_000_001), images=1_000_000) == []
        assert check_frames(given(frames=list(range(1, 10_001))), range(1, 500_001), images=0) == []


class TestBoxes:
    def test_silent_where_they_lie_in_the_picture(self) -> None:
        assert check_boxes(given(), SIZE) == check_boxes(given(), None) == []

    def test_silent_where_some_reach_beyond_the_border_or_are_bad(self) -> None:
        boxes = given().boxes
        boxes[:20] += [-30, -60, -30, -60]
        boxes[20] = np.nan
        boxes[-5:] += [35, 90, 35, 90]
        assert check_boxes(given(boxes), SIZE) == []

    @pytest.mark.parametrize("size", [SIZE, None])
    def test_shares_of_the_picture(self, size: tuple[int, int] | None) -> None:
        with pytest.raises(ValueError, match=r"det.txt: every coordinate of 60 .* are these shares of the picture"):
            check_boxes(given(given().boxes / [640, 360, 640, 360]), size)

    def test_corners_as_sizes(self) -> None:
        boxes = given().boxes
        boxes[:, 2:] += boxes[:, :2]
        with pytest.raises(
            ValueError, match=r"reach x = 1240 and y = 620 in a picture of 640x360: are columns 5 and 6"
        ):
            check_boxes(given(boxes), SIZE)
        (note,) = check_boxes(given(boxes), None)
        assert "columns 5 and 6 exceed 3 and 4 in every row" in note

    def test_a_large_object_at_the_left_is_no_corner(self) -> None:
        n = 60
        boxes = np.tile([2.0, 3.0, 90.0, 200.0], (n, 1)) + np.linspace(0, 20, n)[:, None]
        assert check_boxes(given(boxes), SIZE) == check_boxes(given(boxes), None) == []

    def test_another_resolution(self) -> None:
        with pytest.raises(ValueError, match="60 of 60 detections lie outside of a picture of 640x360"):
            check_boxes(given(np.add(given().boxes, [700, 400, 700, 400])), SIZE)
        (note,) = check_boxes(given(given().boxes * 3), SIZE)
        assert "detections lie outside of a picture of 640x360: were they found in one of another size?" in note
        (note,) = check_boxes(given(given(n=200).boxes / 2), SIZE)
        assert "no farther than 50% of a picture of 640x360 in both directions" in note


class TestScores:
    THRESHOLDS = thresholds_of(load_track_config("flatsort"))

    def test_silent_where_thresholds_apply(self) -> None:
        assert check_scores(given(scores=np.linspace(0.1, 1, 60)), self.THRESHOLDS) == []
        assert check_scores(given(scores=np.ones(60)), self.THRESHOLDS) == []

    @pytest.mark.parametrize("scores", [np.linspace(20, 99, 60), np.linspace(-4, 6, 60), np.full(60, 0.5)])
    def test_silent_where_no_threshold_is_used(self, scores: Float) -> None:
        assert check_scores(given(scores=scores), thresholds_of(load_track_config("sort"))) == []

    @pytest.mark.parametrize(
        ("scores", "part"),
        [
            (np.linspace(20, 99, 60), "scores reach 99, .* of 0 to 1: are these percent?"),
            (np.linspace(20, 250, 60), "scores reach 250, .*: are these of another scale?"),
            (np.linspace(-4, 6, 60), "24 of 60 detections have a score below 0, .* are these logits?"),
            (np.full(60, 0.9), "every score is 0.9"),
            (np.linspace(0.1, 0.4, 60), "no score reaches lifecycle.birth_score=0.6, the highest is 0.4: no track"),
        ],
        ids=["percent", "bytes", "logits", "constant", "low"],
    )
    def test_a_note_where_they_do_not(self, scores: Float, part: str) -> None:
        (note,) = check_scores(given(scores=scores), self.THRESHOLDS)
        assert note.startswith("det.txt: ")
        assert re.search(part, note)

    def test_the_least_score_of_the_detector(self) -> None:
        used = thresholds_of(load_track_config("sort"), 50.0)
        (note,) = check_scores(given(), used)
        assert note == "det.txt: no score reaches detector.min_score=50, the highest is 0.9: none is used"


@pytest.mark.data
def test_nothing_is_said_of_real_sequences(data: Path) -> None:
    notes = []
    thresholds = thresholds_of(load_track_config("flatsort"))
    for folder in sorted((data / "sequences").rglob("gt/gt.txt")):
        for path in (folder, *(folder.parent.parent / "det").glob("*.txt")):
            of_truth = path == folder
            table = read_table(path) if of_truth else None
            boxes = (
                InputBoxes.of(path, read_detections(path))
                if table is None
                else InputBoxes(path, table.frames, table.boxes, table.scores)
            )
            sequence = str(path.parent.parent)
            source = open_source(sequence, images=False, frames=boxes.frames, stride=None)
            assert isinstance(source, FileSource)
            assert source.stride == 1
            size = source.size or open_source(sequence).size
            notes += check_input(boxes, source, size, {} if of_truth else thresholds)
    assert [note for note in notes if "noisy.txt: every score is 0.9" not in note] == []
