"""Crops of switches: from the right frame and box, and no more than allowed."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from flatsort.tools.experiments.report.identity_switches import TrackBox
from flatsort.tools.experiments.report.switch_crops import HEIGHT, WIDTH, crop_key, cut_crops, max_switches
from flatsort.tools.experiments.results import BenchmarkSequence
from flatsort.tools.experiments.sequences import read_sequences
from flatsort.tracker.types import Image
from tests.tools.experiments import street_sequences


def track_box(frame: int, box: Sequence[float]) -> TrackBox:
    return TrackBox(frame, 1, np.array(box, float), None)


def decoded(text: str) -> Image:
    image = cv2.imdecode(np.frombuffer(base64.b64decode(text), np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def sequence(folder: Path, images: int | None) -> BenchmarkSequence:
    street_sequences.write(folder, images=images)
    (result,) = read_sequences([str(folder)], "det.txt").values()
    return result


BOXES = [[20, 10, 60, 90], [0, 0, 256, 20], [-30, -30, 9, 144]]


def test_crops_are_those_of_their_frame_and_box(tmp_path: Path) -> None:
    street = street_sequences.scene()
    for name, images in (("files", 30), ("video", None)):
        track_boxes = [track_box(frame, box) for frame in (7, 3, 30) for box in BOXES]
        cut = cut_crops(sequence(tmp_path / name, images), track_boxes)
        assert cut.missing == ""
        assert set(cut.crops) == {crop_key(each) for each in track_boxes}
        for each in track_boxes:
            crop = decoded(cut.crops[crop_key(each)]).astype(float)
            left, top, right, bottom = np.clip(each.box, 0, [256, 144, 256, 144]).astype(int)
            original = street.image(each.frame)[top:bottom, left:right]
            scale = min(1, HEIGHT / original.shape[0], WIDTH / original.shape[1])
            assert crop.shape[:2] == (round(scale * original.shape[0]), round(scale * original.shape[1]))
            small = cv2.resize(original, crop.shape[1::-1], interpolation=cv2.INTER_AREA)
            assert np.abs(crop - small).mean() < 12  # JPEG


def test_only_the_needed_files_are_read(tmp_path: Path) -> None:
    street = sequence(tmp_path / "seq", 30)
    for frame in range(1, 31):
        if frame != 5:
            (tmp_path / "seq" / "img1" / f"{frame:06d}.png").write_bytes(b"broken")
    track_boxes = [track_box(5, BOXES[0]), track_box(6, BOXES[0])]
    assert set(cut_crops(street, track_boxes).crops) == {crop_key(track_boxes[0])}


def test_without_images_the_page_has_a_reason(tmp_path: Path) -> None:
    imageless = sequence(tmp_path / "imageless", 0)
    gone = replace(imageless, source=str(tmp_path / "gone"))
    table = replace(imageless, source=str(tmp_path / "imageless" / "det" / "det.txt"))
    for each in (imageless, gone, table):
        cut = cut_crops(each, [track_box(1, BOXES[0])])
        assert not cut.crops
        assert "absent" in cut.missing
        assert cut_crops(each, []).missing == ""


@given(st.lists(st.integers(0, 300), max_size=12), st.integers(0, 40), st.integers(0, 500))
def test_the_number_of_switches_with_crops_is_the_largest_that_fits(
    counts: list[int], most: int, most_all: int
) -> None:
    def together(each: int) -> int:
        return sum(min(count, each) for count in counts)

    allowed = max_switches(counts, most, most_all)
    assert together(allowed) <= most_all
    assert allowed == most or together(allowed + 1) > most_all
