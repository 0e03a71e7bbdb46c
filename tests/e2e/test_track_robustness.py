"""``flatsort track`` with broken input and interruptions."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import pytest

from flatsort.scene import Scene
from tests.e2e.conftest import Flatsort, read_rows


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
        (["{sequence}", "{sequence}", "--detections", "x.txt"], "expected one SOURCE for it, got 2"),
        (["{sequence}", "--smooth", "--boxes", "detector"], "expected --smooth or --boxes detector, got both"),
        (["{sequence}", "--weights", "x.onnx"], "expected a detector that takes them"),
        (["{sequence}", "none.mp4"], "none.mp4: no such file"),
        (["{video}", "--detector", "mot"], "for the detector mot, got no such file"),
        (["{sequence}", "--tracker", "sort", "--out", "{video}/sub"], "square.avi"),
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
    from flatsort.tools.__main__ import main

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


@pytest.mark.slow
@pytest.mark.parametrize("smooth", [False, True])
def test_ctrl_c_keeps_what_is_finished_and_names_it(sequence: Path, tmp_path: Path, smooth: bool) -> None:
    long = tmp_path / "long"
    shutil.copytree(sequence, long)
    info = (long / "seqinfo.ini").read_text().replace("seqLength=60", "seqLength=3000000")
    (long / "seqinfo.ini").write_text(info.replace("name=demo", "name=long"))
    command = [sys.executable, "-m", "flatsort.tools.track", str(sequence), str(long), "--out", str(tmp_path / "out")]
    command += ["--no-check", *["--smooth"] * smooth]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # tests in the background ignore it
    )
    try:
        deadline = time.monotonic() + 60
        while not (tmp_path / "out" / "demo.config.yaml").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(1.0)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, err
    assert "demo.txt" in out
    assert "interrupted in" in err
    assert "long.partial.txt" in err
    assert "finished: " in err
    assert "Traceback" not in err
    names = sorted(p.name for p in (tmp_path / "out").iterdir())
    assert names == ["demo.config.yaml", "demo.txt", "long.config.yaml", "long.partial.txt"]
    assert len(read_rows(tmp_path / "out" / "long.partial.txt")) > 100
