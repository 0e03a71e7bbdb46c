"""Boxes that do not fit their sequence are refused or noted before work starts; frames have the boxes' numbers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest

import flatsort
from flatsort.embedding.data import sample_set
from tests.e2e.conftest import Flatsort, read_rows

WIDTH, HEIGHT = 320, 120


def left(k: int) -> int:
    return 10 + 12 * k


def pictures(folder: Path, numbers: Iterable[int]) -> Path:
    """A red box of 20x60 pixels that moves on by 12 pixels from picture to picture."""
    folder.mkdir(parents=True)
    for k, number in enumerate(numbers):
        image = np.full((HEIGHT, WIDTH, 3), 110, np.uint8)
        cv2.rectangle(image, (left(k), 30), (left(k) + 20, 90), (0, 0, 220), -1)
        cv2.imwrite(str(folder / f"{number:06d}.png"), image)
    return folder


def rows(path: Path, numbers: Iterable[int], *, truth: bool = False, shift: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    end = "1,1,1" if truth else "0.9"
    lines = (f"{n},{1 if truth else -1},{left(k) + shift},30,20,60,{end}\n" for k, n in enumerate(numbers))
    path.write_text("".join(lines))
    return path


def sequence(folder: Path, numbers: Iterable[int], length: int | None = None) -> Path:
    pictures(folder / "img1", numbers)
    if length:
        size = f"imWidth={WIDTH}\nimHeight={HEIGHT}"
        text = f"[Sequence]\nname=seq\nimDir=img1\nframeRate=10\nseqLength={length}\n{size}\n"
        (folder / "seqinfo.ini").write_text(text)
    return folder


def red(folder: Path) -> list[bool]:
    """Which crops of a set show the box."""
    return [bool(image[..., 0].mean() > 180) for image in sample_set.open_set(folder).samples]


NUMBERINGS = [
    (range(5, 101, 5), range(5, 101, 5)),
    (range(5, 101, 5), range(1, 21)),
    (range(15, 35), range(1, 21)),
    (range(15, 35), range(15, 35)),
    (range(20), range(1, 21)),
    (range(1, 40, 2), range(1, 40, 2)),
    (range(1, 40, 2), range(1, 21)),
    (range(372, 392), range(372, 392)),
]


class TestNumbers:
    @pytest.mark.parametrize(("named", "numbered"), NUMBERINGS)
    @pytest.mark.parametrize("length", [None, 20])
    def test_crops_of_detections_and_of_ground_truth_show_the_object(
        self, flatsort: Flatsort, tmp_path: Path, named: range, numbered: range, length: int | None
    ) -> None:
        folder = sequence(tmp_path / "s", named, length)
        det = rows(tmp_path / "det.txt", numbered)
        rows(folder / "gt" / "gt.txt", numbered, truth=True)
        for name, options in (
            ("a", (folder, "--detections", det)),
            ("b", (folder / "img1", "--detections", det)),
            ("c", (f"{folder}/img1/*.png", "--detections", det)),
            ("d", (folder, "--boxes", "gt")),
        ):
            done = flatsort("crop", *options, "--out", tmp_path / name)
            assert done.code == 0, done.err
            assert red(tmp_path / name) == [True] * 20, name

    @pytest.mark.parametrize(("named", "numbered"), NUMBERINGS)
    @pytest.mark.parametrize("video", [[], ["--video"]])
    def test_results_have_the_numbers_of_the_detections(
        self, flatsort: Flatsort, tmp_path: Path, named: range, numbered: range, video: list[str]
    ) -> None:
        folder = sequence(tmp_path / "s", named)
        det = rows(tmp_path / "det.txt", numbered)
        options = ("--tracker", "bytetrack", "lifecycle.min_hits=0", *video)
        assert flatsort("track", folder, "--detections", det, *options, "--out", tmp_path / "o").code == 0
        assert [row[0] for row in read_rows(tmp_path / "o" / "s.txt")] == list(numbered)

    def test_a_detector_of_pictures_gives_results_in_the_numbers_of_the_ground_truth(
        self, flatsort: Flatsort, tmp_path: Path
    ) -> None:
        for name, numbered in (("order", range(1, 21)), ("name", range(15, 35))):
            folder = sequence(tmp_path / name, range(15, 35), 20)
            rows(folder / "gt" / "gt.txt", numbered, truth=True)
            done = flatsort("track", folder, "--detector", "background", "--csv", "--out", tmp_path / "o" / name)
            assert done.code == 0
            assert flatsort_frames(folder) == list(numbered)

    def test_retrieval_and_benchmark_go_by_them_too(self, flatsort: Flatsort, tmp_path: Path) -> None:
        folder = sequence(tmp_path / "s", range(20, 401, 20), 400)
        rows(folder / "gt" / "gt.txt", range(20, 401, 20), truth=True)
        rows(folder / "det" / "det.txt", range(20, 401, 20))
        done = flatsort("retrieval", "--model", "pixels", "--data", folder, "--out", tmp_path / "r", "--no-figures")
        assert done.code == 0, done.err
        assert done.out.splitlines()[-1].split()[4:6] == ["20", "1.000"], "each picture shows the object"
        system = ("--systems", "bytetrack", "systems.bytetrack.set=[lifecycle.min_hits=0]", "rounds=0")
        out = ("--out", tmp_path / "b", "--cache", tmp_path / "cache")
        assert flatsort("benchmark", "--data", folder, *system, *out).code == 0
        table = json.loads((tmp_path / "b" / "table.json").read_text())
        assert table["systems"]["bytetrack"]["overall"]["recall"] == 100.0


def flatsort_frames(folder: Path) -> list[int]:
    return [frame.index for frame in flatsort.frames(folder)]


class TestFramesBeyond:
    def test_none_of_them_is_one_sentence(self, flatsort: Flatsort, tmp_path: Path) -> None:
        folder = sequence(tmp_path / "s", range(1, 21), 20)
        det = rows(tmp_path / "off.txt", range(1001, 1021))
        for verb in ("track", "crop"):
            done = flatsort(verb, folder, "--detections", det, "--out", tmp_path / verb)
            text = "off.txt: none of 20 detections is of frames 1 to 20, the first is of frame 1001"
            assert done.sentence.endswith(text)
            assert not list((tmp_path / verb).glob("*"))
        options = ("--no-check", "--tracker", "sort", "--out", tmp_path / "o")
        assert "0 tracks" in flatsort("track", folder, "--detections", det, *options).out

    def test_ground_truth_likewise(self, flatsort: Flatsort, tmp_path: Path) -> None:
        folder = sequence(tmp_path / "s", range(1, 21), 20)
        rows(folder / "gt" / "gt.txt", range(1001, 1021), truth=True)
        rows(folder / "det" / "det.txt", range(1, 21))
        text = "gt.txt: none of 20 boxes is of frames 1 to 20, the first is of frame 1001"
        assert flatsort("crop", folder, "--boxes", "gt", "--out", tmp_path / "c").sentence.endswith(text)
        model = ("--model", "pixels", "--out", tmp_path / "r")
        assert flatsort("retrieval", "--data", folder, *model).sentence.endswith(text)
        out = ("--out", tmp_path / "b", "--cache", tmp_path / "cache")
        assert flatsort("benchmark", "--data", folder, "--systems", "sort", *out).sentence.endswith(text)
        tune = ("--tracker", "sort", "--out", tmp_path / "t", "--cache", tmp_path / "cache")
        assert flatsort("tune", "--data", folder, *tune).sentence.endswith(text)

    def test_some_are_counted(self, flatsort: Flatsort, tmp_path: Path) -> None:
        folder = sequence(tmp_path / "s", range(1, 21), 20)
        det = rows(tmp_path / "det.txt", range(15, 25))
        done = flatsort("track", folder, "--detections", det, "--tracker", "sort", "--out", tmp_path / "o")
        assert "4 of 10 detections are of frames beyond 1 to 20, the first is of frame 21" in done.err

    @pytest.mark.parametrize("length", [None, 10_000_000])
    def test_millions_of_frames_of_nothing_are_refused(
        self, flatsort: Flatsort, tmp_path: Path, length: int | None
    ) -> None:
        far = rows(tmp_path / "s" / "det" / "det.txt", range(1, 31) if length else [*range(1, 31), 9_999_999])
        rows(tmp_path / "s" / "gt" / "gt.txt", range(1, 31), truth=True)
        if length:
            size = f"imWidth={WIDTH}\nimHeight={HEIGHT}"
            text = f"[Sequence]\nname=s\nframeRate=10\nseqLength={length}\n{size}\n"
            (tmp_path / "s" / "seqinfo.ini").write_text(text)
        for source in (far, far.parent.parent):
            done = flatsort("track", source, "--tracker", "sort", "--out", tmp_path / "o")
            assert "det.txt: frames 31 to" in done.sentence
        out = ("--out", tmp_path / "b", "--cache", tmp_path / "cache")
        done = flatsort("benchmark", "--data", tmp_path / "s", "--systems", "sort", *out)
        assert "frames 31 to" in done.sentence

    def test_a_stray_row_beside_pictures_is_counted(self, flatsort: Flatsort, tmp_path: Path) -> None:
        folder = sequence(tmp_path / "s", range(1, 21))
        det = rows(tmp_path / "det.txt", [*range(1, 21), 9_999_999])
        done = flatsort("track", folder, "--detections", det, "--tracker", "sort", "--out", tmp_path / "o")
        assert "20 frames" in done.out
        assert "1 of 21 detections are of frames beyond 1 to 20, the first is of frame 9999999" in done.err


@pytest.fixture
def sparse(tmp_path: Path) -> tuple[Path, Path]:
    """Pictures 1 to 60, and two walkers who were looked for in every fifth of them."""
    pictures(tmp_path / "frames", range(1, 61))
    boxes = [(f, x, y) for f in range(1, 60, 5) for x, y in ((20 + f, 20), (200 - f, 50))]
    text = "".join(f"{f},-1,{x},{y},24,60,0.9\n" for f, x, y in boxes)
    (tmp_path / "every5.txt").write_text(text)
    return tmp_path / "frames", tmp_path / "every5.txt"


class TestStride:
    @pytest.mark.parametrize("tracker", [[], ["--tracker", "flat_vhp_vae_sort"], ["--tracker", "sort"]])
    @pytest.mark.parametrize("stride", [[], ["--stride", "5"]])
    def test_boxes_in_every_fifth_frame_are_tracked(
        self, flatsort: Flatsort, tmp_path: Path, sparse: tuple[Path, Path], tracker: list[str], stride: list[str]
    ) -> None:
        folder, det = sparse
        done = flatsort("track", folder, "--detections", det, *tracker, *stride, "--out", tmp_path / "o")
        assert "12 frames, 2 tracks" in done.out
        assert ("detections come in one of 5 frames, from frame 1 on" in done.err) == (not stride)
        found = read_rows(tmp_path / "o" / "frames.txt")
        assert {row[0] for row in found} <= set(range(1, 60, 5))
        assert len(found) >= 22

    def test_without_pictures(self, flatsort: Flatsort, tmp_path: Path, sparse: tuple[Path, Path]) -> None:
        done = flatsort("track", sparse[1], "--csv", "--out", tmp_path / "o")
        assert "12 frames, 2 tracks" in done.out
        assert len(read_rows(tmp_path / "o" / "every5.txt")) == 24
        last = (tmp_path / "o" / "every5.csv").read_text().splitlines()[-1]
        assert last.startswith("56,")
        assert float(last.rpartition(",")[2]) == pytest.approx(55 / 30, abs=1e-3), "time goes on between the frames"

    def test_all_frames_on_request(self, flatsort: Flatsort, tmp_path: Path, sparse: tuple[Path, Path]) -> None:
        options = ("--stride", "1", "--tracker", "bytetrack", "--out", tmp_path / "o")
        done = flatsort("track", sparse[0], "--detections", sparse[1], *options)
        assert "60 frames" in done.out
        assert "one of 5" not in done.err

    def test_explanations_have_the_numbers_of_the_frames(
        self, flatsort: Flatsort, tmp_path: Path, sparse: tuple[Path, Path]
    ) -> None:
        flatsort("track", sparse[1], "--tracker", "sort", "--explain", "11", "--out", tmp_path / "o")
        lines = (tmp_path / "o" / "every5.explain.csv").read_text().splitlines()[1:]
        assert {line.split(",")[0] for line in lines} == {"11"}

    def test_every_third_of_all(self, flatsort: Flatsort, tmp_path: Path) -> None:
        folder = pictures(tmp_path / "frames", range(1, 21))
        det = rows(tmp_path / "det.txt", range(1, 21))
        options = ("--stride", "3", "--tracker", "bytetrack", "lifecycle.min_hits=0", "--out", tmp_path / "o")
        flatsort("track", folder, "--detections", det, *options, "stages.high.threshold=1")
        assert [row[0] for row in read_rows(tmp_path / "o" / "frames.txt")] == [1, 4, 7, 10, 13, 16, 19]

    def test_of_a_video(self, flatsort: Flatsort, tmp_path: Path, video: Path) -> None:
        options = ("--detector", "background", "--tracker", "sort", "--stride", "4", "--json", "--out", tmp_path / "o")
        assert "15 frames" in flatsort("track", video, *options).out
        frames = json.loads((tmp_path / "o" / f"{video.stem}.json").read_text())["frames"]
        assert [each["frame"] for each in frames] == list(range(1, 61, 4))
        step = frames[1]["time"] - frames[0]["time"]
        assert frames[-1]["time"] == pytest.approx(14 * step, abs=0.01)
        det = rows(tmp_path / "det.txt", range(1, 61))
        given = ("--detections", det, "--tracker", "sort", "--stride", "4", "--out", tmp_path / "o")
        for images in ([], ["--crops"]):
            assert "are of frames beyond" not in flatsort("track", video, *given, *images).err

    def test_few_boxes_by_chance_in_even_frames_are_no_stride(self, flatsort: Flatsort, tmp_path: Path) -> None:
        det = rows(tmp_path / "det.txt", [2, 4, 8, 10])
        assert "10 frames" in flatsort("track", det, "--tracker", "sort", "--out", tmp_path / "o").out


class TestCoordinates:
    @pytest.mark.parametrize(
        ("line", "part"),
        [
            ("{f},-1,0.{f:02d},0.28,0.06,0.28,0.9\n", "are these shares of the picture"),
            ("{f},-1,{x},100,{r},118,0.9\n", "are columns 5 and 6 right and bottom?"),
            ("{f},-1,{o},500,120,300,0.9\n", "20 of 20 detections lie outside of a picture of 320x120"),
        ],
        ids=["normalised", "corners", "larger"],
    )
    @pytest.mark.parametrize("tracker", ["sort", "flatsort"])
    def test_what_can_only_be_wrong_is_refused(
        self, flatsort: Flatsort, tmp_path: Path, line: str, part: str, tracker: str
    ) -> None:
        folder = pictures(tmp_path / "frames", range(1, 21))
        det = tmp_path / "det.txt"
        det.write_text("".join(line.format(f=f, x=200 + f, r=220 + f, o=900 + 6 * f) for f in range(1, 21)))
        options = (folder, "--detections", det, "--tracker", tracker)
        done = flatsort("track", *options, "--out", tmp_path / "o")
        assert part in done.sentence
        assert not (tmp_path / "o").exists()
        assert flatsort("track", *options, "--no-check", "--out", tmp_path / "o").code == 0
        with pytest.raises(ValueError, match=r"det\.txt: "):
            flatsort_track(folder, det, tracker)
        assert len(flatsort_track(folder, det, tracker, check=False)) == 20

    def test_tracks_are_compared_with_the_picture_too(self, flatsort: Flatsort, tmp_path: Path) -> None:
        folder = sequence(tmp_path / "s", range(1, 21), 20)
        gt = rows(folder / "gt" / "gt.txt", range(1, 21), truth=True)
        pred = rows(tmp_path / "s.txt", range(1, 21), truth=True, shift=1000)
        done = flatsort("evaluate", "--gt", folder, "--pred", pred)
        assert "20 of 20 boxes lie outside of a picture of 320x120" in done.sentence
        assert flatsort("evaluate", "--gt", folder, "--pred", pred, "--no-check").code == 0
        alone = tmp_path / "alone.txt"
        alone.write_text(gt.read_text())
        late = rows(tmp_path / "late.txt", range(101, 121), truth=True)
        done = flatsort("evaluate", "--gt", alone, "--pred", late)
        assert done.sentence.endswith("late.txt: none of 20 boxes is of frames 1 to 20, the first is of frame 101")


def flatsort_track(folder: Path, det: Path, tracker: str, *, check: bool = True) -> list[flatsort.FrameResult]:
    return list(flatsort.track(folder, tracker, detections=str(det), images=False, check=check))


class TestScores:
    def test_a_note_says_what_the_tracker_cannot_use(self, flatsort: Flatsort, tmp_path: Path) -> None:
        det = rows(tmp_path / "det.txt", range(1, 21))
        det.write_text(det.read_text().replace(",0.9\n", ",87\n"))
        done = flatsort("track", det, "--tracker", "bytetrack", "--out", tmp_path / "o")
        assert "scores reach 87" in done.err
        assert "percent" in done.err
        assert "percent" not in flatsort("track", det, "--tracker", "sort", "--out", tmp_path / "o").err
        assert not flatsort("track", det, "--tracker", "bytetrack", "--no-check", "--out", tmp_path / "o").err

    @pytest.mark.parametrize(
        ("options", "cause"),
        [
            (["--tracker", "sort", "min_score=0.95"], "no score reaches min_score=0.95, the highest is 0.9"),
            (["--tracker", "bytetrack", "lifecycle.birth_score=0.95"], "no score reaches lifecycle.birth_score=0.95"),
            (
                ["--tracker", "sort", "lifecycle.warm_up=false", "lifecycle.min_hits=30"],
                "no object was found often enough for lifecycle.min_hits=30",
            ),
        ],
    )
    def test_the_hint_where_there_is_no_track_is_true(
        self, flatsort: Flatsort, tmp_path: Path, options: list[str], cause: str
    ) -> None:
        det = rows(tmp_path / "det.txt", range(1, 21))
        done = flatsort("track", det, *options, "--out", tmp_path / "o")
        assert f"20 detections and no track: {cause}" in done.out


def test_a_relative_glob_with_an_equals_sign_is_a_source(
    flatsort: Flatsort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures(tmp_path / "cam=2", range(1, 21))
    det = rows(tmp_path / "det.txt", range(1, 21))
    monkeypatch.chdir(tmp_path)
    done = flatsort("track", "cam=2/*.png", "--detections", det, "--tracker", "sort", "--out", "o")
    assert "20 frames" in done.out
    assert "20 crops" in flatsort("crop", "cam=2/*.png", "--detections", det, "--out", "c").out
