"""Files of boxes in other formats: read, or refused by name; whoever reads them."""

from __future__ import annotations

import gzip
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.e2e.conftest import Flatsort, read_rows

WIDTH, HEIGHT, LENGTH = 320, 180, 10


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    folder = tmp_path / "frames"
    folder.mkdir()
    for n in range(1, LENGTH + 1):
        cv2.imwrite(str(folder / f"frames_{n}.png"), np.full((HEIGHT, WIDTH, 3), 110, np.uint8))
    return folder


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """Boxes of 40 × 60 pixels that move from 32, 50 to the right."""
    folder = tmp_path / "labels"
    folder.mkdir()
    for n in range(1, LENGTH + 1):
        x, y = (50 + 2 * n) / WIDTH, 80 / HEIGHT
        (folder / f"frames_{n}.txt").write_text(f"3 {x:.6f} {y:.6f} {40 / WIDTH:.6f} {60 / HEIGHT:.6f} 0.9\n")
    return folder


def test_a_folder_of_labels_is_scaled_to_the_pictures(
    flatsort: Flatsort, frames: Path, labels: Path, tmp_path: Path
) -> None:
    assert flatsort("track", frames, "--detections", labels, "--tracker", "sort", "--out", tmp_path / "out").code == 0
    rows = read_rows(tmp_path / "out" / "frames.txt")
    assert {row[1] for row in rows} == {1}
    assert {row[7] for row in rows} == {3}
    np.testing.assert_allclose([row[2:6] for row in rows], [[30 + 2 * row[0], 50, 40, 60] for row in rows], atol=0.1)


@pytest.mark.parametrize("pattern", ["{:06d}", "{:06d}_left", "shot-{:02d}a"])
def test_labels_belong_to_the_pictures_of_their_names(flatsort: Flatsort, tmp_path: Path, pattern: str) -> None:
    """From 0, and without a file for the first picture, where nothing was found."""
    for folder in ("frames", "labels"):
        (tmp_path / folder).mkdir()
    for n in range(LENGTH):
        cv2.imwrite(str(tmp_path / "frames" / f"{pattern.format(n)}.png"), np.full((HEIGHT, WIDTH, 3), 110, np.uint8))
        line = f"0 {(50 + 2 * n) / WIDTH} 0.5 0.1 0.5\n"
        if n:
            (tmp_path / "labels" / f"{pattern.format(n)}.txt").write_text(line)
    how = ("--detections", tmp_path / "labels", "--tracker", "sort", "--out", tmp_path / "out")
    assert flatsort("track", tmp_path / "frames", *how).code == 0
    rows = read_rows(tmp_path / "out" / "frames.txt")
    np.testing.assert_allclose([row[2] for row in rows], [50 + 2 * (row[0] - 1) - 16 for row in rows], atol=0.1)
    assert rows[-1][0] == LENGTH


def test_labels_alone_and_one_file_of_them_are_refused(flatsort: Flatsort, frames: Path, labels: Path) -> None:
    one = flatsort("track", frames, "--detections", labels / "frames_1.txt").sentence
    assert "YOLO's labels of one picture: give --detections the folder of all of them" in one
    assert "--detections" in flatsort("track", labels).sentence


FORMATS = {
    "frame_1.xml": (b'<?xml version="1.0"?><annotation><object/></annotation>', "PASCAL VOC's or LabelMe's XML"),
    "frame_1.json": (b'{"shapes": [], "imagePath": "a.png"}', "LabelMe's JSON"),
    "det.txt.gz": (gzip.compress(b"1,1,1,1,5,5,1\n"), "a gzip archive: unpack it first"),
    "zip.txt": (b"PK\x03\x04" + bytes(60), "a ZIP archive without gt/gt.txt"),
    "picture.txt": (b"\x89PNG\r\n\x1a\n" + bytes(60), "a PNG picture"),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_verb_names_the_format(flatsort: Flatsort, frames: Path, tmp_path: Path, name: str) -> None:
    content, expected = FORMATS[name]
    file, good = tmp_path / name, tmp_path / "good.txt"
    file.write_bytes(content)
    good.write_text("1,1,1,1,5,5,1\n")
    (tmp_path / "seq" / "gt").mkdir(parents=True)
    (tmp_path / "seq" / "gt" / "gt.txt").write_text("1,1,1,1,5,5,1,1,1\n")
    for arguments in (
        ("evaluate", "--gt", file, "--pred", good),
        ("evaluate", "--gt", good, "--pred", file),
        ("track", frames, "--detections", file),
        ("crop", frames, "--detections", file, "--out", tmp_path / "crops"),
        ("benchmark", "--data", tmp_path / "seq", "--detections", file, "--systems", "sort", "--out", tmp_path / "b"),
    ):
        assert f"{name}: expected boxes as MOTChallenge rows" in (sentence := flatsort(*arguments).sentence)
        assert expected in sentence


def test_endless_and_wrong_sources_of_detections(flatsort: Flatsort, frames: Path) -> None:
    assert "got a device" in flatsort("track", frames, "--detections", "/dev/zero").sentence
    assert "folder of YOLO's labels" in flatsort("track", frames, "--detections", frames).sentence
