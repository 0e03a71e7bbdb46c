"""Folders, globs and sequences of images; images that are broken."""

from __future__ import annotations

import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from flatsort.tracker.images import read_image
from flatsort.tracker.io.video import open_source
from tests.tracker.io.numbered_frames import SIZE, greys, write_images, write_seqinfo


def test_a_folder_is_in_natural_order_without_hidden_files(tmp_path: Path) -> None:
    write_images(tmp_path / "walk", {"img10.png": 3, "img2.png": 2, "img1.png": 1, "._img1.png": 9})
    (tmp_path / "walk" / "notes.txt").write_text("no image")
    source = open_source(str(tmp_path / "walk"))
    assert (source.name, source.fps, source.size, source.length) == ("walk", 30.0, SIZE, 3)
    assert greys(source) == [1, 2, 3]
    assert [f.time for f in open_source(str(tmp_path / "walk"), fps=4)] == [0.0, 0.25, 0.5]


def test_a_glob_takes_the_images_that_match(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_images(tmp_path / "walk", {"a10.png": 2, "a9.png": 1, "b1.png": 5, "a1.jpg": 7})
    source = open_source(str(tmp_path / "walk" / "a*.png"))
    assert source.name == "walk"
    assert greys(source) == [1, 2]
    monkeypatch.chdir(tmp_path)
    assert greys(open_source("walk/[ab]?.png")) == [1, 5]
    with pytest.raises(FileNotFoundError, match="no file matches"):
        open_source("walk/*.tif")
    for name in ("a.avi", "b.avi", "c.mov"):
        (tmp_path / "walk" / name).touch()
    with pytest.raises(ValueError, match=r"^walk/\*.avi: expected images, the 2 files that match are none$"):
        open_source("walk/*.avi")
    with pytest.raises(ValueError, match=r"^walk/\*.mov: expected images, the file that matches is none$"):
        open_source("walk/*.mov")
    with pytest.raises(FileNotFoundError, match="no file matches"):
        open_source("w*k")


def test_frame_n_of_a_sequence_is_the_image_with_that_number(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = write_seqinfo(tmp_path / "x", length=6)
    write_images(folder / "img1", {"000002.jpg": 2, "000005.jpg": 5})
    source = open_source(str(folder))
    assert (source.name, source.fps, source.size, source.length) == ("Street", 25.0, SIZE, 6)
    assert greys(source) == [None, 2, None, None, 5, None]
    assert [f.index for f in source] == [1, 2, 3, 4, 5, 6]
    assert caplog.records[0].getMessage() == "Street: 4 of 6 frames could not be read, the first is 1"
    assert greys(open_source(str(folder / "img1"))) == greys(source)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({"000000.png": 1, "000001.png": 2}, [1, 2]),
        ({"1546300800123.png": 1, "1546300800456.png": 2}, [1, 2]),
        ({"cam1_7.png": 1, "cam2_7.png": 2}, [1, 2]),
        ({"a.png": 1, "b.png": 2}, [1, 2]),
        ({"1.png": 1, "3.png": 2}, [1, None, 2]),
    ],
    ids=["from 0", "time stamps", "not distinct", "no number", "a gap"],
)
def test_numbers_that_are_no_frame_numbers_only_give_the_order(
    tmp_path: Path, names: dict[str, int], expected: list[int | None]
) -> None:
    write_images(tmp_path / "seq" / "img1", names)
    source = open_source(str(tmp_path / "seq"))
    assert source.name == "seq"
    assert greys(source) == expected


def test_another_image_folder_is_found_by_seqinfo(tmp_path: Path) -> None:
    folder = write_seqinfo(tmp_path / "x", length=1, images="left")
    write_images(folder / "left", {"1.png": 4})
    assert greys(open_source(str(folder))) == [4]


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp"])
def test_an_image_cut_short_is_not_read(tmp_path: Path, suffix: str, capfd: pytest.CaptureFixture[str]) -> None:
    noisy = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    whole = tmp_path / f"whole{suffix}"
    cv2.imwrite(str(whole), noisy)
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    image = read_image(whole)
    assert image is not None
    assert image.shape == (48, 64, 3)
    capfd.readouterr()
    assert read_image(cut) is None
    if suffix != ".bmp":
        assert capfd.readouterr().err == ""  # refused before the decoder could complain


def test_an_image_that_claims_too_many_pixels_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    cv2.imwrite(str(path), np.zeros((2, 2, 3), np.uint8))
    data = bytearray(path.read_bytes())
    data[16:24] = (10**5).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    path.write_bytes(data)
    assert read_image(path) is None


def test_broken_images_in_the_middle_and_at_the_end_are_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write_images(tmp_path / "walk", {f"{n}.jpg": n for n in range(1, 6)})
    (folder / "3.jpg").write_bytes(b"\xff\xd8 no jpeg at all \xff\xd9")
    (folder / "5.jpg").write_bytes((folder / "5.jpg").read_bytes()[:-40])
    assert greys(open_source(str(folder))) == [1, 2, None, 4, None]
    assert [r.getMessage() for r in caplog.records] == ["walk: 2 of 5 frames could not be read, the first is 3"]


def test_the_size_is_that_of_the_first_image_that_can_be_read(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "walk", {f"{n}.jpg": n for n in range(1, 5)})
    for name in ("1.jpg", "2.jpg"):
        (folder / name).write_bytes(b"\xff\xd8")
    source = open_source(str(folder))
    assert source.size == SIZE
    assert greys(source) == [None, None, 3, 4]
    for name in ("3.jpg", "4.jpg"):
        (folder / name).write_bytes(b"\xff\xd8")
    with pytest.raises(ValueError, match=r"walk: expected a complete image, got 4 files that cannot be decoded$"):
        open_source(str(folder))
