"""Nothing that was tracked is lost, and no result replaces what it is made from."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from flatsort.tracker.files import file_name, replacing, write_text
from tests.e2e.conftest import Flatsort, read_rows

FRAMES = 20_000


def detections(path: Path, frames: int = 30) -> Path:
    path.write_text("".join(f"{f},-1,{10 + f % 50},20,30,60,0.9,-1,-1,-1\n" for f in range(1, frames + 1)))
    return path


def start(*arguments: str | Path, cwd: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "flatsort", *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_for_rows(folder: Path, least: int = 8192) -> None:
    """Wait until a run has written some rows to its temporary file."""
    until = time.monotonic() + 60
    while not [p for p in folder.glob(".*.txt") if p.stat().st_size >= least]:
        assert time.monotonic() < until, "the run did not begin"
        time.sleep(0.02)


class TestSourcesAreKept:
    def test_detections_are_not_replaced_by_tracks(self, flatsort: Flatsort, tmp_path: Path) -> None:
        source = detections(tmp_path / "street.txt")
        before = source.read_bytes()
        (tmp_path / "link.txt").symlink_to(source)
        for text in (source, tmp_path / "link.txt", f"{tmp_path}/./street.txt"):
            refused = flatsort("track", text, "--tracker", "sort", "--out", tmp_path)
            assert "would replace what it is made from" in refused.sentence
            assert source.read_bytes() == before
        assert sorted(p.name for p in tmp_path.iterdir()) == ["link.txt", "street.txt"]

    def test_a_video_is_not_replaced_by_the_drawn_one(self, flatsort: Flatsort, video: Path, tmp_path: Path) -> None:
        source = tmp_path / "street.mp4"
        source.write_bytes(video.read_bytes())
        options = ("--detector", "background", "--tracker", "sort", "--video", "--out", tmp_path)
        assert "street.mp4: the result would replace" in flatsort("track", source, *options).sentence
        assert source.read_bytes() == video.read_bytes()
        assert [p.name for p in tmp_path.iterdir()] == ["street.mp4"]

    def test_a_file_of_detections_is_not_replaced(self, flatsort: Flatsort, video: Path, tmp_path: Path) -> None:
        beside = detections(tmp_path / f"{video.stem}.txt")
        options = ("--detections", beside, "--tracker", "sort", "--out", tmp_path)
        assert "would replace" in flatsort("track", video, *options).sentence

    @pytest.mark.parametrize("option", ["--json", "--csv", "--markdown", "--latex"])
    @pytest.mark.parametrize("which", ["gt.txt", "pred.txt"])
    def test_scores_replace_neither_side(self, flatsort: Flatsort, tmp_path: Path, option: str, which: str) -> None:
        for name in ("gt.txt", "pred.txt"):
            (tmp_path / name).write_text("".join(f"{f},1,{f},20,30,60,1\n" for f in range(1, 9)))
        paths = ("--gt", tmp_path / "gt.txt", "--pred", tmp_path / "pred.txt")
        assert "would replace" in flatsort("evaluate", *paths, option, tmp_path / which).sentence
        assert (tmp_path / which).read_text().startswith("1,1,1,20")


class TestInterruptions:
    @pytest.mark.parametrize(
        ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=str
    )
    def test_the_frames_so_far_are_kept(self, tmp_path: Path, number: signal.Signals, code: int) -> None:
        detections(tmp_path / "long.txt", FRAMES * 5)
        process = start("track", "long.txt", "--tracker", "sort", "--csv", "--out", "o", cwd=tmp_path)
        wait_for_rows(tmp_path / "o")
        process.send_signal(number)
        err = process.communicate(timeout=60)[1]
        assert process.returncode == code
        assert "the frames so far are in o/long.partial.txt" in err
        assert len(read_rows(tmp_path / "o" / "long.partial.txt")) > 50
        left = sorted(p.name for p in (tmp_path / "o").iterdir())
        assert left == ["long.config.yaml", "long.partial.csv", "long.partial.txt"]

    def test_a_second_ctrl_c_leaves_out_the_smoothing_only(self, tmp_path: Path) -> None:
        detections(tmp_path / "long.txt", FRAMES)
        options = ("--tracker", "sort", "--smooth", "gp", "smooth.max_gap=5")
        process = start("track", "long.txt", *options, "--out", "o", cwd=tmp_path)
        while not list((tmp_path / "o").glob(".long*")):
            time.sleep(0.02)
        time.sleep(1.5)
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        err = process.communicate(timeout=120)[1]
        assert process.returncode == 130, err
        assert "Traceback" not in err
        assert len(read_rows(tmp_path / "o" / "long.partial.txt")) > 50

    def test_leftovers_of_a_killed_run_go_with_the_next_one(self, flatsort: Flatsort, tmp_path: Path) -> None:
        detections(tmp_path / "long.txt", FRAMES * 5)
        process = start("track", "long.txt", "--tracker", "sort", "--csv", "--out", "o", cwd=tmp_path)
        wait_for_rows(tmp_path / "o")
        running = set((tmp_path / "o").iterdir())
        (tmp_path / "i").mkdir()
        again = (
            "track",
            detections(tmp_path / "i" / "long.txt"),
            "--tracker",
            "sort",
            "--csv",
            "--out",
            tmp_path / "o",
        )
        assert flatsort(*again).code == 0
        assert running <= set((tmp_path / "o").iterdir()), "those of a run that goes on stay"
        process.kill()
        process.communicate()
        assert flatsort(*again).code == 0
        assert not list((tmp_path / "o").glob(".*"))

    def test_an_error_in_the_middle_of_a_run(self, flatsort: Flatsort, tmp_path: Path) -> None:
        part = tmp_path / "breaks.py"
        part.write_text(
            "from dataclasses import dataclass\n"
            "from flatsort.tracker.detectors import DETECTORS\n"
            "from flatsort.tracker.registry import PartConfig\n"
            "from flatsort.tracker.types import Detections\n"
            "@dataclass(frozen=True)\n"
            "class BreaksConfig(PartConfig):\n"
            "    name: str = 'breaks'\n"
            "@DETECTORS.register('breaks', BreaksConfig)\n"
            "class Breaks:\n"
            "    class_names, needs_image = ('thing',), False\n"
            "    def __init__(self, config): pass\n"
            "    def detect(self, frame):\n"
            "        if frame.index == 20: raise ValueError('the detector broke')\n"
            "        return Detections.of([[10 + frame.index, 20, 40, 80]])\n"
        )
        images = tmp_path / "seq"
        images.mkdir()
        for k in range(1, 31):
            cv2.imwrite(str(images / f"{k:03d}.png"), np.zeros((100, 200, 3), np.uint8))
        for more in ((), ("--smooth",)):
            options = ("--detector", part, "--tracker", "sort", "--json", "--out", tmp_path / "o", *more)
            sentence = flatsort("track", images, *options).sentence
            assert sentence.startswith("error: the detector broke; the frames so far are in")
            assert len(read_rows(tmp_path / "o" / "seq.partial.txt")) >= 15
            assert not (tmp_path / "o" / "seq.txt").exists()


class TestTargets:
    def test_a_full_disk_is_told_with_the_name_and_what_fits_is_kept(self, tmp_path: Path) -> None:
        resource = pytest.importorskip("resource")
        detections(tmp_path / "big.txt", 5000)

        def limit() -> None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

        command = [sys.executable, "-m", "flatsort", "track", "big.txt", "--tracker", "sort", "--out", "o"]
        done = subprocess.run(command, cwd=tmp_path, preexec_fn=limit, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert "o/big.txt: could not be written (File too large)" in done.stderr
        assert len(read_rows(tmp_path / "o" / "big.partial.txt")) > 1000, "whole rows"
        assert not (tmp_path / "o" / "big.txt").exists()

    def test_devices_and_pipes_are_written_to_not_replaced(self, tmp_path: Path) -> None:
        write_text(os.devnull, "x")
        assert not Path(os.devnull).is_file()
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        with pytest.raises(OSError, match=r"pipe|address"):
            write_text(pipe, "nobody reads")
        reader = subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE, text=True)
        time.sleep(0.3)
        write_text(pipe, "somebody reads")
        assert reader.communicate(timeout=10)[0] == "somebody reads"
        assert pipe.is_fifo()

    def test_links_are_followed_and_permissions_kept(self, tmp_path: Path) -> None:
        target, link = tmp_path / "target.txt", tmp_path / "link.txt"
        target.write_text("old")
        target.chmod(0o600)
        link.symlink_to(target)
        write_text(link, "new")
        assert link.is_symlink()
        assert (target.read_text(), target.stat().st_mode & 0o777) == ("new", 0o600)

    def test_a_failed_block_leaves_no_temporary_file(self, tmp_path: Path) -> None:
        def fail() -> None:
            with replacing(tmp_path / "a.txt"):
                raise OSError("no reason")

        with pytest.raises(OSError, match="no reason"):
            fail()
        assert not list(tmp_path.iterdir())


class TestNames:
    @pytest.mark.parametrize(
        ("text", "name"),
        [
            ("a\x1b[31mb", "a_[31mb"),
            ("\udcff\udcfe", "__"),
            ("a/b", "a_b"),
            ("..", "_"),
            ("x\0y", "x_y"),
            ("ü 1", "ü 1"),
        ],
    )
    def test_names_of_files_can_be_shown(self, text: str, name: str) -> None:
        assert file_name(text) == name

    def test_names_that_are_no_text(self, tmp_path: Path) -> None:
        for name in (b"\xff\xfe.txt", b"\x1b[31mred.txt"):
            os.link(detections(tmp_path / "det.txt"), os.fsencode(tmp_path) + b"/" + name)
            (tmp_path / "det.txt").unlink()
            command = [os.fsencode(sys.executable), b"-m", b"flatsort", b"track", name, b"--tracker", b"sort"]
            done = subprocess.run([*command, b"--json", b"--out", b"o"], cwd=tmp_path, capture_output=True, check=False)
            assert done.returncode == 0, done.stderr
            assert b"\x1b" not in done.stdout + done.stderr

    def test_a_long_override_is_one(self, flatsort: Flatsort, tmp_path: Path) -> None:
        classes = ",".join(f"class{i:03d}" for i in range(60))
        refused = flatsort("track", detections(tmp_path / "d.txt"), f"detector.classes=[{classes}]", "--out", tmp_path)
        assert "too long" not in refused.sentence


class TestStreams:
    def test_output_that_cannot_show_a_character(self, tmp_path: Path) -> None:
        detections(tmp_path / "größe☃.txt")
        environment = {**os.environ, "PYTHONIOENCODING": "cp1252"}
        command = [sys.executable, "-m", "flatsort", "track", "größe☃.txt", "--tracker", "sort", "--out", "o"]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "o" / "größe☃.txt").exists()

    def test_output_that_is_closed(self, tmp_path: Path) -> None:
        detections(tmp_path / "d.txt")
        command = f"{sys.executable} -m flatsort track d.txt --tracker sort --out o >&-"
        done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")

    def test_too_little_memory_is_a_sentence(
        self, flatsort: Flatsort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object, **__: object) -> None:
            raise MemoryError("Unable to allocate 3.0 GiB. for an array")

        monkeypatch.setattr("flatsort.tracker.sort.SortTracker.step", fail)
        source = detections(tmp_path / "d.txt")
        sentence = flatsort("track", source, "--tracker", "sort", "--out", tmp_path / "o").sentence
        assert sentence == "error: not enough memory: Unable to allocate 3.0 GiB"
