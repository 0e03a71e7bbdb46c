"""``flatsort track`` as users call it."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from flatsort.tracker.io.mot import read_table
from tests.e2e.conftest import Flatsort, read_rows


def test_a_sequence_is_tracked_without_reading_an_image(
    flatsort: Flatsort, sequence: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("imread", "imdecode", "VideoCapture"):
        monkeypatch.setattr(cv2, name, None)
    done = flatsort("track", sequence, "--out", tmp_path)
    assert done.code == 0, done.err
    rows = read_rows(tmp_path / "demo.txt")
    assert {len(r) for r in rows} == {10}
    assert {r[0] for r in rows} <= set(range(1, 61))
    assert len({(r[0], r[1]) for r in rows}) == len(rows) > 100
    assert yaml.safe_load((tmp_path / "demo.config.yaml").read_text())["lifecycle"]["max_age"] == 30


def test_a_detection_file_may_be_the_source_in_any_order(flatsort: Flatsort, sequence: Path, tmp_path: Path) -> None:
    detections = sequence / "det" / "det.txt"
    shuffled = tmp_path / "shuffled.txt"
    lines = detections.read_text().splitlines()
    order = sorted(range(len(lines)), key=lambda i: (hash((lines[i].split(",")[0], 7)), i))
    shuffled.write_text("\n".join(lines[i] for i in order))
    for source in (detections, shuffled):
        assert flatsort("track", source, "--fps", "25", "--out", tmp_path / source.stem).code == 0
    ordered, unordered = (tmp_path / "det" / "demo.txt", tmp_path / "shuffled" / "shuffled.txt")
    assert ordered.read_text() == unordered.read_text()


def test_every_result_tells_the_same(flatsort: Flatsort, sequence: Path, video: Path, tmp_path: Path) -> None:
    det = sequence / "det" / "det.txt"
    done = flatsort("track", video, "--detections", det, "--csv", "--json", "--video", "--crops", "--out", tmp_path)
    assert done.code == 0, done.err
    mot = read_table(tmp_path / "square.txt")
    with (tmp_path / "square.csv").open() as file:
        table = list(csv.DictReader(file))
    document = json.loads((tmp_path / "square.json").read_text())
    assert [int(r["id"]) for r in table] == mot.ids.tolist()
    assert [t["id"] for f in document["frames"] for t in f["tracks"]] == mot.ids.tolist()
    assert len(document["frames"]) == 60
    crops = list((tmp_path / "square.crops").glob("*/*.jpg"))
    assert len(crops) == sum(int(r["source"]) >= 0 for r in table)
    capture = cv2.VideoCapture(str(tmp_path / "square.mp4"))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 60
    capture.release()
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        f"square.{suffix}" for suffix in ("txt", "csv", "json", "mp4", "crops", "config.yaml")
    )


def test_several_sources_with_one_name(flatsort: Flatsort, sequence: Path, tmp_path: Path) -> None:
    assert flatsort("track", sequence, sequence, "--out", tmp_path).code == 0
    assert (tmp_path / "demo.txt").read_text() == (tmp_path / "demo-2.txt").read_text()


def test_overrides_and_options_reach_the_config(flatsort: Flatsort) -> None:
    done = flatsort(
        "track", "--tracker", "bytetrack", "lifecycle.max_age=2s", "--min-score", "0.3", "stages.low.threshold=0.4",
        "--camera", "ecc", "--detector", "background", "--print-config",
    )  # fmt: skip
    config = yaml.safe_load(done.out)
    assert config["lifecycle"]["max_age"] == "2s"
    assert config["min_score"] == 0.3
    assert config["stages"]["low"]["threshold"] == 0.4
    assert config["camera"]["method"] == "ecc"
    assert config["detector"]["name"] == "background"


def test_a_printed_config_is_a_config(flatsort: Flatsort, sequence: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(flatsort("track", "--tracker", "bytetrack", "--print-config").out)
    flatsort("track", sequence, "--tracker", "bytetrack", "--out", tmp_path / "a")
    flatsort("track", sequence, "--tracker", mine, "--out", tmp_path / "b")
    assert (tmp_path / "a" / "demo.txt").read_text() == (tmp_path / "b" / "demo.txt").read_text()


def test_boxes_of_the_detector_are_those_of_the_file(flatsort: Flatsort, sequence: Path, tmp_path: Path) -> None:
    assert flatsort("track", sequence, "--boxes", "detector", "--out", tmp_path).code == 0
    given = {tuple(r[2:6]) for r in read_rows(sequence / "det" / "det.txt")}
    assert all(tuple(r[2:6]) in given for r in read_rows(tmp_path / "demo.txt"))


def test_smooth_takes_a_method(flatsort: Flatsort, sequence: Path, tmp_path: Path) -> None:
    for words in (("--smooth", "gp"), ("--smooth=gp",), ("--smooth",)):
        done = flatsort("track", *words, sequence, "--out", tmp_path / "".join(words), "--frames", "12")
        assert done.code == 0, done.err
    one, same, rts = ((tmp_path / name / "demo.txt").read_text() for name in ("--smoothgp", "--smooth=gp", "--smooth"))
    assert one == same != rts
    assert "method: gp" in (tmp_path / "--smoothgp" / "demo.config.yaml").read_text()


def test_smoothing_fills_gaps_with_one_row_an_id_and_frame(flatsort: Flatsort, sequence: Path, tmp_path: Path) -> None:
    flatsort("track", sequence, "--out", tmp_path / "raw")
    assert flatsort("track", sequence, "--smooth", "smooth.max_gap=30", "--out", tmp_path / "smooth").code == 0
    raw, smooth = read_rows(tmp_path / "raw" / "demo.txt"), read_rows(tmp_path / "smooth" / "demo.txt")
    keys = [(r[0], r[1]) for r in smooth]
    assert len(set(keys)) == len(keys) > len(raw)
    assert keys == sorted(keys)
    assert {r[1] for r in smooth} == {r[1] for r in raw}
    for track in {r[1] for r in raw}:
        frames = [r[0] for r in smooth if r[1] == track]
        assert max(np.diff(frames), default=1) == 1


def test_explain_a_frame_and_a_track(flatsort: Flatsort, sequence: Path, tmp_path: Path) -> None:
    done = flatsort("track", sequence, "--explain", "40", "--out", tmp_path)
    assert "matched" in done.out
    with (tmp_path / "demo.explain.csv").open() as file:
        pairs = list(csv.DictReader(file))
    assert {p["frame"] for p in pairs} == {"40"}
    assert any("above threshold" in p["reason"] for p in pairs)
    assert {(p["latent"], 0 <= float(p["iou"]) <= 1) for p in pairs} == {("", True)}
    assert "latent" not in done.out
    done = flatsort("track", sequence, "--explain", "id:1", "--out", tmp_path)
    with (tmp_path / "demo.explain.csv").open() as file:
        assert {p["track"] for p in csv.DictReader(file)} == {"1"}
    done = flatsort("track", sequence, "--explain", "9999", "--out", tmp_path)
    assert "frame 9999: no pair of a track and a detection to explain; the last frame is 60" in done.out
    done = flatsort("track", sequence, "--explain", "id:9999", "--out", tmp_path)
    last_id = max(int(row[1]) for row in read_rows(tmp_path / "demo.txt"))
    assert f"track 9999: no pair of a track and a detection to explain; the last id is {last_id}" in done.out
    wrong = flatsort("track", sequence, "--tracker", "sort", "--explain", "x:1").sentence
    assert "expected a frame (57) or a track (id:3), got 'x:1'" in wrong


def test_explanations_follow_a_track_from_its_birth_to_its_death(flatsort: Flatsort, tmp_path: Path) -> None:
    det = tmp_path / "two.txt"  # one object all the time, another in frames 10 to 30
    always = [f"{f},-1,500,10,40,80,0.9\n" for f in range(1, 61)]
    det.write_text("".join(always + [f"{f},-1,10,10,40,80,0.9\n" for f in range(10, 31)]))
    assert flatsort("track", det, "--tracker", "sort", "--explain", "id:2", "--out", tmp_path / "o").code == 0
    assert {int(r[0]) for r in read_rows(tmp_path / "o" / "two.txt") if r[1] == 2} == set(range(13, 31))
    with (tmp_path / "o" / "two.explain.csv").open() as file:
        pairs = list(csv.DictReader(file))
    assert {int(p["frame"]) for p in pairs} == set(range(11, 33))  # unconfirmed, alive, and the misses that ended it
    assert len({p["serial"] for p in pairs}) == 1


def test_images_of_the_background_detector_and_camera_motion(flatsort: Flatsort, video: Path, tmp_path: Path) -> None:
    done = flatsort("track", video, "--camera", "sparse_flow", "--out", tmp_path)
    assert done.code == 0, done.err
    assert "using background subtraction" in done.err
    assert (tmp_path / "square.txt").is_file()


def test_bad_detections_are_counted_and_the_run_goes_on(flatsort: Flatsort, sequence: Path, tmp_path: Path) -> None:
    clean, dirty = (sequence / "det" / "det.txt").read_text(), tmp_path / "dirty.txt"
    bad = ("3,-1,nan,1,2,3,0.9", "4,-1,5,5,0,9,0.9", "4,-1,0,0,-3,9,0.9", "5,-1,0,0,1e9,1e9,0.9", "6,-1,inf,0,1,1,1")
    dirty.write_text(clean + "".join(f"{row},-1,-1,-1\n" for row in bad))
    flatsort("track", sequence, "--out", tmp_path / "a")
    done = flatsort("track", sequence, "--detections", dirty, "--out", tmp_path / "b")
    assert "5 bad detections left out" in done.out
    assert (tmp_path / "a" / "demo.txt").read_text() == (tmp_path / "b" / "demo.txt").read_text()


@pytest.mark.parametrize("method", ["ecc", "sparse_flow"])
def test_bad_detections_do_not_disturb_the_camera(
    flatsort: Flatsort, sequence: Path, video: Path, tmp_path: Path, method: str
) -> None:
    dirty = tmp_path / "dirty.txt"
    dirty.write_text(
        (sequence / "det" / "det.txt").read_text() + "3,-1,nan,1,2,3,0.9,-1,-1,-1\n4,-1,inf,0,1,1,1,-1,-1,-1\n"
    )
    done = flatsort("track", video, "--detections", dirty, "--camera", method, "--out", tmp_path)
    assert "2 bad detections left out" in done.out


@pytest.mark.parametrize("name", ["det #1.txt", "a: b.txt", "0123.txt", "[a].txt", "a${b}.txt", "k=v.txt"])
def test_odd_names_of_files(flatsort: Flatsort, sequence: Path, tmp_path: Path, name: str) -> None:
    odd = tmp_path / name
    shutil.copy(sequence / "det" / "det.txt", odd)
    assert flatsort("track", sequence, "--detections", odd, "--out", tmp_path).code == 0
    assert flatsort("track", odd, "--out", tmp_path / "out").code == 0
    assert (tmp_path / "out" / name).is_file()


def test_min_score_reaches_the_detector(flatsort: Flatsort) -> None:
    done = flatsort("track", "--detector", "onnx", "--min-score", "0.2", "--print-config")
    config = yaml.safe_load(done.out)
    assert config["min_score"] == config["detector"]["min_score"] == 0.2
    done = flatsort("track", "--detector", "onnx", "--min-score", "0.2", "detector.min_score=0.1", "--print-config")
    assert yaml.safe_load(done.out)["detector"]["min_score"] == 0.1


def test_a_detector_that_starves_a_stage_is_noted(flatsort: Flatsort, video: Path, tmp_path: Path) -> None:
    done = flatsort("track", video, "--detector", "background", "--tracker", "bytetrack", "--out", tmp_path)
    assert "try detector.min_score=0.1" in done.err


def test_frames_without_detections_and_a_stream_of_none(flatsort: Flatsort, tmp_path: Path) -> None:
    det = tmp_path / "gaps.txt"
    det.write_text("".join(f"{f},-1,10,10,40,80,0.9\n" for f in (*range(1, 10), *range(50, 60))))
    assert flatsort("track", det, "--tracker", "sort", "--out", tmp_path / "o").code == 0
    assert {r[1] for r in read_rows(tmp_path / "o" / "gaps.txt")} == {1.0, 2.0}
    det.write_text("")
    assert "gaps.txt: expected at least one row" in flatsort("track", det, "--out", tmp_path).sentence
    (tmp_path / "seq" / "det").mkdir(parents=True)
    (tmp_path / "seq" / "det" / "det.txt").write_text("")
    info = "[Sequence]\nname=seq\nimDir=img1\nframeRate=30\nseqLength=20\nimWidth=10\nimHeight=10\nimExt=.jpg\n"
    (tmp_path / "seq" / "seqinfo.ini").write_text(info)
    assert flatsort("track", tmp_path / "seq", "--out", tmp_path).code == 0
    assert (tmp_path / "seq.txt").read_text() == ""
