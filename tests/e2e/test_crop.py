"""``flatsort crop``: sets of crops from sequences, videos and folders."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from flatsort.embedding.data.sample_set import SampleSet, open_set
from flatsort.scene import Scene, write_sequence
from flatsort.tools.runs import crop_set
from flatsort.tools.runs.crop_set import DuplicateFilter, TrackletNumbers, largest_cover
from flatsort.tracker.crops import crop
from flatsort.tracker.io.mot import read_table
from flatsort.tracker.types import Int
from tests.e2e.conftest import Flatsort


@pytest.fixture(scope="module")
def street(scene: Scene, video: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scene as a MOTChallenge sequence with a video instead of images."""
    folder = tmp_path_factory.mktemp("crop") / "street"
    write_sequence(scene, folder)
    shutil.copy(video, folder / "street.avi")
    return folder


def columns(data: SampleSet, name: str) -> list[int]:
    return list(data.columns[name].tolist())


def test_ground_truth_gives_identities_and_the_crops_of_the_boxes(
    flatsort: Flatsort, street: Path, tmp_path: Path
) -> None:
    done = flatsort("crop", street, "--boxes", "gt", "--out", tmp_path, "--size", "16x32", "--stride", "20")
    assert done.code == 0, done.err
    ground_truth = read_table(street / "gt" / "gt.txt")
    rows = np.flatnonzero((ground_truth.frames - 1) % 20 == 0)
    data = open_set(tmp_path)
    assert data.shape == [3, 32, 16]
    assert columns(data, "identity") == ground_truth.ids[rows].tolist()
    assert columns(data, "frame") == ground_truth.frames[rows].tolist()
    assert set(columns(data, "track")) == {-1}
    assert set(columns(data, "camera")) == {-1}
    assert data.sequences == ("demo",)
    assert "ground truth" in data.note
    capture = cv2.VideoCapture(str(street / "street.avi"))
    image = np.asarray(cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2RGB), np.uint8)
    capture.release()
    boxes = ground_truth.boxes[rows][ground_truth.frames[rows] == 1]
    np.testing.assert_array_equal(data.samples[: len(boxes)], crop(image, boxes, (16, 32)))
    assert done.out == f"{tmp_path}: {len(rows)} crops of 16×32 pixels from 1 source\n"


def test_only_what_the_benchmark_evaluates_is_cut(flatsort: Flatsort, street: Path, tmp_path: Path) -> None:
    folder = tmp_path / "street"
    shutil.copytree(street, folder)
    ignored, car, person = "1,3,20,20,30,60,0,1,1", "1,4,90,20,30,60,1,3,1", "1,8,150,20,30,60,1,1,0.5"
    (folder / "gt" / "gt.txt").write_text("\n".join([ignored, car, person]))
    assert flatsort("crop", folder, "--boxes", "gt", "--out", tmp_path / "set").code == 0
    assert columns(open_set(tmp_path / "set"), "identity") == [8]


@pytest.mark.data
def test_a_real_sequence(flatsort: Flatsort, data: Path, tmp_path: Path) -> None:
    sequence = data / "sequences" / "TUD-Campus"
    options = ["--boxes", "gt", "--views", "tracklets", "--frames", "10", "--size", "16x32"]
    assert flatsort("crop", sequence, "--out", tmp_path, *options).code == 0
    crops = open_set(tmp_path)
    ground_truth = read_table(sequence / "gt" / "gt.txt")
    assert len(crops) == (ground_truth.frames <= 10).sum()
    for number in np.unique(crops.columns["track"]):
        assert len(np.unique(crops.columns["identity"][crops.columns["track"] == number])) == 1


def test_what_is_left_out_is_counted(flatsort: Flatsort, street: Path, tmp_path: Path) -> None:
    det = tmp_path / "det.txt"
    good = "5,-1,20,20,30,60,0.9,-1,-1,-1"
    bad = ["5,-1,nan,20,30,60,0.9", "5,-1,20,20,0,60,0.9", "5,-1,900,20,30,60,0.9", "5,-1,-90,20,30,60,0.9"]
    low = ["5,-1,100,20,30,19.5,0.9", "5,-1,150,20,30,60,0.2"]
    overlap = ["5,-1,210,20,30,60,0.9", "5,-1,220,20,30,60,0.9"]
    rows = [*bad, *low, *overlap]
    det.write_text("\n".join([good, *[f"{row},-1,-1,-1" for row in rows]]))
    options = ["--min-score", "0.5", "--min-height", "20", "--max-overlap", "0.5"]
    done = flatsort("crop", street, "--detections", det, "--out", tmp_path / "set", *options)
    assert done.code == 0, done.err
    assert "1 crops" in done.out
    assert "left out: 4 bad boxes, 1 too low, 2 overlapping" in done.out
    assert open_set(tmp_path / "set").samples.shape == (1, 128, 64, 3)


def test_tracklets_show_one_person_each(flatsort: Flatsort, street: Path, tmp_path: Path) -> None:
    options = ["--boxes", "gt", "--views", "tracklets", "--max-overlap", "0.3", "--size", "16x32", "--stride", "2"]
    assert flatsort("crop", street, "--out", tmp_path, *options).code == 0
    data = open_set(tmp_path)
    track, identity = data.columns["track"], data.columns["identity"]
    assert (track >= 0).mean() > 0.9
    assert len(np.unique(track)) < len(track) / 5
    for number in np.unique(track[track >= 0]):
        assert len(np.unique(identity[track == number])) == 1
        assert (np.diff(data.columns["frame"][track == number]) > 0).all()


def test_tracks_of_several_sources_are_kept_apart(flatsort: Flatsort, street: Path, tmp_path: Path) -> None:
    options = ["--views", "tracklets", "--size", "8x16", "--frames", "12"]
    assert flatsort("crop", street, street, "--out", tmp_path, *options).code == 0
    data = open_set(tmp_path)
    assert data.sequences == ("demo", "demo-2")
    of: list[set[int]] = [set(data.columns["track"][data.columns["sequence"] == i].tolist()) - {-1} for i in (0, 1)]
    assert of[0]
    assert not of[0] & of[1]
    assert set(columns(data, "identity")) == {-1}


def test_a_video_is_cut_by_a_detector(flatsort: Flatsort, video: Path, tmp_path: Path) -> None:
    done = flatsort("crop", video, "--out", tmp_path, "--frames", "40", "--size", "16x32", "--min-height", "20")
    assert done.code == 0, done.err
    assert "background subtraction" in done.err
    assert len(open_set(tmp_path)) > 10


def test_near_duplicates_are_left_out(flatsort: Flatsort, street: Path, tmp_path: Path) -> None:
    def count(threshold: float) -> int:
        options = ["--boxes", "gt", "--size", "8x16", "--duplicates", str(threshold)]
        assert flatsort("crop", street, "--out", tmp_path, *options).code == 0
        return len(open_set(tmp_path))

    everything = count(0)
    assert count(255) < count(8) < everything


def test_folders_of_crops_are_taken_whole(flatsort: Flatsort, tmp_path: Path) -> None:
    people = tmp_path / "people"
    people.mkdir()
    for name, height in (("0001_00.png", 40), ("0001_07.png", 40), ("0002_01.png", 24)):
        cv2.imwrite(str(people / name), np.full((height, 20, 3), 90, np.uint8))
    (people / "0003_00.png").write_bytes(b"broken")
    out = tmp_path / "set"
    done = flatsort("crop", people, "--whole", "--size", "8x16", "--min-height", "30", "--out", out)
    assert done.code == 0, done.err
    assert "2 crops of 8×16 pixels from 1 source; left out: 2 images that cannot be used" in done.out
    lines = (out / "skipped.txt").read_text().splitlines()
    assert lines == [
        f"{people / '0002_01.png'}: 24 pixels high, expected at least 30",
        f"{people / '0003_00.png'}: cannot be decoded",
    ]
    data = open_set(out)
    assert (data.samples == 90).all()
    assert columns(data, "identity") == [1, 1]
    assert columns(data, "camera") == [0, 1]
    (people / "0003_00.png").unlink()
    assert flatsort("crop", people, "--whole", "--layout", "none", "--out", out).code == 0
    assert not (out / "skipped.txt").exists()
    assert columns(open_set(out), "identity") == [-1, -1, -1]


def test_frames_that_cannot_be_read_are_listed(flatsort: Flatsort, tmp_path: Path) -> None:
    folder = tmp_path / "walk"
    folder.mkdir()
    for number in range(1, 4):
        cv2.imwrite(str(folder / f"{number:06}.png"), np.full((60, 80, 3), 90, np.uint8))
    (folder / "000002.png").write_bytes(b"broken")
    det = tmp_path / "det.txt"
    det.write_text("".join(f"{number},-1,20,20,30,30,1,-1,-1,-1\n" for number in range(1, 4)))
    done = flatsort("crop", folder, "--detections", det, "--out", tmp_path / "set")
    assert done.code == 0, done.err
    assert "2 crops" in done.out
    assert (tmp_path / "set" / "skipped.txt").read_text() == "walk, frame 2: cannot be read\n"


def test_an_interrupted_run_leaves_the_older_set(
    flatsort: Flatsort, street: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert flatsort("crop", street, "--out", tmp_path, "--frames", "3").code == 0
    before = open_set(tmp_path).samples.copy()
    calls = 0

    def interrupted(*arguments: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 5:
            raise KeyboardInterrupt
        return crop(*arguments)  # type: ignore[arg-type]  # passed on as they come

    monkeypatch.setattr(crop_set, "crop", interrupted)
    assert flatsort("crop", street, "--out", tmp_path).code == 130
    np.testing.assert_array_equal(open_set(tmp_path).samples, before)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.npz", "samples.npy", "set.json"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--out", "{out}"], "expected at least one SOURCE"),
        (["{street}", "--out", "{out}", "--size", "64"], "expected width x height in pixels, like 64x128, got '64'"),
        (["{street}", "--out", "{out}", "--size", "0x9"], "expected width x height"),
        (["{street}", "--out", "{out}", "--min-height", "5000"], "expected crops for the set, got none (left out:"),
        (["{street}", "--out", "{out}", "--whole", "--stride", "2"], "--stride: --whole takes images as they are"),
        (["{street}", "--out", "{out}", "--whole"], "a sequence of frames"),
        (["{street}", "--out", "{out}", "--layout", "none"], "--layout: expected --whole"),
        (["{street}", "--out", "{out}", "--boxes", "gt", "--detector", "onnx"], "expected --boxes gt, or"),
        (["{street}", "{street}", "--out", "{out}", "--detections", "d.txt"], "expected one SOURCE for it, got 2"),
        (["{out}", "--out", "{out}", "--boxes", "gt"], "expected ground truth in"),
        (["nowhere.mp4", "--out", "{out}"], "nowhere.mp4: no such file"),
        (["{street}", "--out", "{out}", "stages.iou.limmit=1"], "unknown key 'stages.iou.limmit'"),
    ],
)
def test_errors_are_one_sentence_and_leave_nothing(
    arguments: list[str], sentence: str, flatsort: Flatsort, street: Path, tmp_path: Path
) -> None:
    done = flatsort("crop", *[text.format(street=street, out=tmp_path) for text in arguments])
    assert sentence in done.sentence
    assert list(tmp_path.iterdir()) == []


def test_how_much_of_a_box_is_largest_cover() -> None:
    boxes = np.array([[0.0, 0, 10, 10], [5, 0, 15, 10], [100, 100, 140, 140], [110, 110, 120, 120], [300, 0, 310, 10]])
    np.testing.assert_allclose(largest_cover(boxes), [0.5, 0.5, 1 / 16, 1, 0], atol=1e-12)
    assert largest_cover(np.empty((0, 4))).shape == (0,)


def test_crops_are_compared_with_the_last_one_that_was_no_duplicate() -> None:
    box, key = np.array([[4.0, 4, 20, 36]]), np.array([-1])

    def frame(level: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        return np.full((40, 40, 3), level, np.uint8)

    duplicates = DuplicateFilter(5)
    levels = (100, 103, 106, 109, 109, 112)
    assert [bool(duplicates.new(frame(level), box, key)[0]) for level in levels] == [
        True,
        False,
        True,
        False,
        False,
        True,
    ]
    assert duplicates.new(frame(112), box + 30, key).all()  # elsewhere
    assert not duplicates.new(frame(112), box + 30, key).any()


@pytest.mark.parametrize(("before", "now", "new"), [(7, 7, False), (7, 8, True), (-1, 8, True), (7, -1, False)])
def test_crops_of_another_track_are_no_duplicates(before: int, now: int, new: bool) -> None:
    image, box = np.full((40, 40, 3), 50, np.uint8), np.array([[4.0, 4, 20, 36]])
    duplicates = DuplicateFilter(5)
    duplicates.new(image, box, np.array([before]))
    assert duplicates.new(image, box, np.array([now])).tolist() == [new]


def test_a_track_that_was_hidden_goes_on_as_another_tracklet() -> None:
    tracklets = TrackletNumbers()

    def of(ids: list[int], hidden: list[bool]) -> list[int]:
        numbers: Int = tracklets.of(np.array(ids), np.array(hidden))
        return list(numbers.tolist())

    assert of([5, 9, -1], [False, False, False]) == [0, 1, -1]
    assert of([9, 5], [True, False]) == [-1, 0]
    assert of([9, 5, -1], [False, False, True]) == [2, 0, -1]
