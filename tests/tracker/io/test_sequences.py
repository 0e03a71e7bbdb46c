"""How many frames a sequence folder gives, with fewer images than detections or none."""

from __future__ import annotations

from pathlib import Path

import pytest

from flatsort.tracker.io.video import open_source
from tests.tracker.io.numbered_frames import greys, write_images, write_seqinfo


def sequence(folder: Path, names: dict[str, int]) -> Path:
    (folder / "det").mkdir(parents=True)
    (folder / "det" / "det.txt").write_text("4,-1,1,1,5,5,1\n")
    if names:
        write_images(folder / "img1", names)
    return folder


@pytest.mark.parametrize(
    ("names", "without_images", "with_images"),
    [
        ({"1.png": 1, "2.png": 2}, 4, [1, 2, None, None]),
        ({"3.png": 3}, 4, [None, None, 3, None]),
        ({"1.png": 1, "6.png": 6}, 6, [1, None, None, None, None, 6]),
        ({"a.png": 1, "b.png": 2}, 4, [1, 2]),
        ({f"{n}.png".replace("1", "x"): n for n in range(1, 6)}, 5, [2, 3, 4, 5, 1]),
    ],
    ids=["first two", "one in the middle", "beyond the detections", "no numbers", "more without numbers"],
)
def test_without_seqinfo_images_and_length_tell_the_frames(
    tmp_path: Path, names: dict[str, int], without_images: int, with_images: list[int | None]
) -> None:
    folder = str(sequence(tmp_path / "x", names))
    source = open_source(folder, images=False, length=4)
    assert source.length == len(list(source)) == without_images
    assert greys(open_source(folder, length=4)) == with_images


def test_detections_alone_give_frames_without_images(tmp_path: Path) -> None:
    folder = str(sequence(tmp_path / "x", {}))
    assert greys(open_source(folder, images=False, length=4)) == [None] * 4
    with pytest.raises(ValueError, match="expected images"):
        open_source(folder, length=4)


def test_a_plain_folder_gives_its_images_or_the_length_without_them(tmp_path: Path) -> None:
    folder = str(write_images(tmp_path / "plain", {"1.png": 1, "2.png": 2}))
    assert open_source(folder, images=False, length=4).length == 4
    assert greys(open_source(folder, length=4)) == [1, 2]


@pytest.mark.parametrize("length", [None, 3, 9])
@pytest.mark.parametrize("names", [{"1.png": 1, "2.png": 2}, {"a.png": 1, "b.png": 2}, {}])
def test_the_length_of_seqinfo_goes_first(tmp_path: Path, names: dict[str, int], length: int | None) -> None:
    folder = write_seqinfo(sequence(tmp_path / "x", names), length=6)
    assert open_source(str(folder), images=False, length=length).length == 6


@pytest.mark.parametrize("name", ["D.TXT", "d.Csv"])
def test_a_detection_file_is_known_by_its_suffix_in_any_case(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("4,-1,1,1,5,5,1\n")
    assert open_source(str(tmp_path / name), images=False).length == 4
    with pytest.raises(ValueError, match="a detection file has no images"):
        open_source(str(tmp_path / name))


def test_an_absurd_frame_number_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "det.txt").write_text("1,-1,1,1,5,5,1\n99999999999999,-1,1,1,5,5,1\n")
    with pytest.raises(ValueError, match=r"det.txt line 2: frame 99999999999999"):
        open_source(str(tmp_path / "det.txt"), images=False)
