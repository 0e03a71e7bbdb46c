"""``flatsort track`` as users call it."""

from __future__ import annotations

import csv
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from tests.e2e.conftest import Flatsort
from tracker.io.mot import read_table
from tracker.scene import Scene


def rows(path: Path) -> list[list[float]]:
    return [[float(x) for x in line.split(",")] for line in path.read_text().splitlines()]


def test_a_sequence_is_tracked_without_reading_an_image(
    flatsort: Flatsort, sequence: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("imread", "imdecode", "VideoCapture"):
        monkeypatch.setattr(cv2, name, None)
    done = flatsort("track", sequence, "--out", tmp_path)
    assert done.code == 0, done.err
    found = rows(tmp_path / "demo.txt")
    assert {len(r) for r in found} == {10}
    assert {r[0] for r in found} <= set(range(1, 61))
    assert len({(r[0], r[1]) for r in found}) == len(found) > 100
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
        "track", "--tracker", "bytetrack", "lifecycle.max_age=2s", "--min-score", "0.3", "stages.low.limit=0.4",
        "--camera", "ecc", "--detector", "background", "--print-config",
    )  # fmt: skip
    config = yaml.safe_load(done.out)
    assert config["lifecycle"]["max_age"] == "2s"
    assert config["min_score"] == 0.3
    assert config["stages"]["low"]["limit"] == 0.4
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
    given = {tuple(r[2:6]) for r in rows(sequence / "det" / "det.txt")}
    assert all(tuple(r[2:6]) in given for r in rows(tmp_path / "demo.txt"))


def test_smoothing_fills_gaps_with_one_row_an_id_and_frame(flatsort: Flatsort, sequence: Path, tmp_path: Path) -> None:
    flatsort("track", sequence, "--out", tmp_path / "raw")
    assert flatsort("track", sequence, "--smooth", "smooth.max_gap=30", "--out", tmp_path / "smooth").code == 0
    raw, smooth = rows(tmp_path / "raw" / "demo.txt"), rows(tmp_path / "smooth" / "demo.txt")
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
    assert any("above limit" in p["reason"] for p in pairs)
    done = flatsort("track", sequence, "--explain", "id:1", "--out", tmp_path)
    with (tmp_path / "demo.explain.csv").open() as file:
        assert {p["track"] for p in csv.DictReader(file)} == {"1"}
    wrong = flatsort("track", sequence, "--explain", "x:1").sentence
    assert "expected a frame (57) or a track (id:3), got 'x:1'" in wrong


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


def test_frames_without_detections_and_a_stream_of_none(flatsort: Flatsort, tmp_path: Path) -> None:
    det = tmp_path / "gaps.txt"
    det.write_text("".join(f"{f},-1,10,10,40,80,0.9\n" for f in (*range(1, 10), *range(50, 60))))
    assert flatsort("track", det, "--tracker", "sort", "--out", tmp_path).code == 0
    assert {r[1] for r in rows(tmp_path / "gaps.txt")} == {1.0, 2.0}
    det.write_text("")
    assert "gaps.txt: expected at least one row" in flatsort("track", det, "--out", tmp_path).sentence
    (tmp_path / "seq" / "det").mkdir(parents=True)
    (tmp_path / "seq" / "det" / "det.txt").write_text("")
    info = "[Sequence]\nname=seq\nimDir=img1\nframeRate=30\nseqLength=20\nimWidth=10\nimHeight=10\nimExt=.jpg\n"
    (tmp_path / "seq" / "seqinfo.ini").write_text(info)
    assert flatsort("track", tmp_path / "seq", "--out", tmp_path).code == 0
    assert (tmp_path / "seq.txt").read_text() == ""


def broken_video(tmp_path: Path) -> Path:
    path = tmp_path / "broken.mp4"
    path.write_bytes(b"\x00" * 4096)
    return path


def malformed(tmp_path: Path) -> Path:
    path = tmp_path / "bad.txt"
    path.write_text("1,-1,10,10,40,80,0.9\n2,-1,10,ten,40,80,0.9\n")
    return path


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nothing.mp4"], "nothing.mp4: no such file"),
        ([], "expected at least one SOURCE"),
        (["{broken}"], "broken.mp4"),
        (["{malformed}"], "bad.txt line 2: "),
        (["{sequence}", "--detections", "none.txt"], "none.txt"),
        (["{sequence}", "--tracker", "srot"], "did you mean 'sort'"),
        (["{sequence}", "--tracker", "none.yaml"], "config none.yaml: no such file"),
        (["{sequence}", "lifecycle.max_agee=3"], "did you mean: 'max_age'"),
        (["{sequence}", "--detector", "yolo"], "unknown detector 'yolo'"),
        (["{sequence}", "--detector", "onnx"], "weights"),
        (["{sequence}", "--detections", "d.txt", "--detector", "onnx"], "got both"),
        (["{sequence}", "--video"], "expected images"),
        (["{video}", "--detector", "mot"], "found no such file"),
        (["{sequence}", "--out", "{video}/sub"], "square.avi"),
        (["{sequence}", "--boxes", "x"], "'x' is not one of"),
        (["{sequence}", "--nothing"], "No such option"),
    ],
)
def test_errors_are_one_sentence_and_exit_2(
    flatsort: Flatsort, sequence: Path, video: Path, tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    names = {
        "{broken}": broken_video(tmp_path),
        "{malformed}": malformed(tmp_path),
        "{sequence}": sequence,
        "{video}": video,
        "{video}/sub": video / "sub",
    }
    before = sorted(tmp_path.iterdir())
    arguments = [str(names.get(a, a)) for a in arguments]
    if "--out" not in arguments:
        arguments += ["--out", str(tmp_path / "out")]
    if sentence == "found no such file":
        arguments.append("detector.min_score=0.5")
    assert sentence in flatsort("track", *arguments).sentence
    assert [p for p in tmp_path.rglob("*") if p not in before and p.is_file()] == []


def test_a_malformed_yaml_is_named_with_its_line(flatsort: Flatsort, sequence: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text("lifecycle:\n  max_age: 3\n  min_hits: [\n")
    assert "mine.yaml line 4: not valid YAML" in flatsort("track", sequence, "--tracker", mine).sentence


def test_show_without_a_display_says_so_before_anything_starts(
    flatsort: Flatsort, video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    done = flatsort("track", video, "--detector", "background", "--show", "--out", tmp_path / "out")
    assert "display" in done.sentence
    assert not (tmp_path / "out").exists()


def test_debug_shows_the_trace(flatsort: Flatsort, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["flatsort", "track", "nothing.mp4", "--debug"])
    from tools.__main__ import main

    with pytest.raises(FileNotFoundError):
        main()


def test_a_video_with_a_truncated_end_keeps_what_it_has(flatsort: Flatsort, video: Path, tmp_path: Path) -> None:
    short = tmp_path / "short.avi"
    short.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    done = flatsort("track", short, "--detector", "background", "--out", tmp_path)
    assert done.code == 0, done.err
    assert (tmp_path / "short.txt").is_file()


def test_a_sequence_with_a_few_unreadable_images(
    flatsort: Flatsort, scene: Scene, sequence: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "seq"
    shutil.copytree(sequence, folder)
    (folder / "img1").mkdir()
    for frame in scene:
        assert frame.image is not None
        data = cv2.imencode(".jpg", frame.image)[1].tobytes()
        if frame.index in (30, 60):
            data = data[: len(data) // 2]
        (folder / "img1" / f"{frame.index:06d}.jpg").write_bytes(data)
    done = flatsort("track", folder, "--video", "--out", tmp_path)
    assert done.code == 0, done.err
    assert "2 of 60 frames could not be read, the first is 30" in caplog.text
    capture = cv2.VideoCapture(str(tmp_path / "demo.mp4"))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 60
    capture.release()


def test_ctrl_c_keeps_what_is_finished_and_names_it(sequence: Path, video: Path, tmp_path: Path) -> None:
    long = tmp_path / "long"
    shutil.copytree(sequence, long)
    info = (long / "seqinfo.ini").read_text().replace("seqLength=60", "seqLength=3000000")
    (long / "seqinfo.ini").write_text(info.replace("name=demo", "name=long"))
    command = [sys.executable, "-m", "tools.track", str(sequence), str(long), "--out", str(tmp_path / "out")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (tmp_path / "out" / "demo.config.yaml").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "demo.txt" in out
    assert "interrupted in" in err
    assert "long.partial.txt" in err
    assert "finished: " in err
    assert "Traceback" not in err
    names = sorted(p.name for p in (tmp_path / "out").iterdir())
    assert names == ["demo.config.yaml", "demo.txt", "long.partial.txt"]
    assert len(rows(tmp_path / "out" / "long.partial.txt")) > 100
