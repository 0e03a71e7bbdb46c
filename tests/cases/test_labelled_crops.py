"""Crops and queries of ground truth show the object that they are labelled with, of the classes that are asked for."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from flatsort.embedding.data.sample_set import open_set
from tests.e2e.conftest import Flatsort

FRAMES = 6
HIDDEN = 3
"""Frames from which object 2 is behind the wall on."""


@pytest.fixture
def walled(tmp_path: Path) -> Path:
    """Three objects of the classes 1, 2 and 3; the one of class 2 is behind a grey wall in the later frames."""
    folder = tmp_path / "walled"
    (folder / "img1").mkdir(parents=True)
    (folder / "gt").mkdir()
    rows = []
    for frame in range(1, FRAMES + 1):
        image = np.full((120, 200, 3), 90, np.uint8)
        for number, colour in ((1, (0, 0, 255)), (2, (0, 255, 0)), (3, (255, 0, 0))):
            left = 60 * number - 50 + frame
            visible = number != 2 or frame < HIDDEN
            cv2.rectangle(image, (left, 20), (left + 19, 79), colour if visible else (128, 128, 128), -1)
            rows.append(f"{frame},{number},{left},20,20,60,1,{number},{1.0 if visible else 0.0:g}")
        cv2.imwrite(str(folder / "img1" / f"{frame:06d}.png"), image)
    (folder / "gt" / "gt.txt").write_text("\n".join(rows))
    (folder / "seqinfo.ini").write_text(
        f"[Sequence]\nname=walled\nframeRate=10\nseqLength={FRAMES}\nimWidth=200\nimHeight=120\nimDir=img1\n"
    )
    return folder


def label(folder: Path) -> None:
    (folder / "gt" / "labels.txt").write_text("car\nperson\ndog\n")


def identities(flatsort: Flatsort, folder: Path, out: Path, *options: str) -> list[int]:
    assert flatsort("crop", folder, "--boxes", "gt", "--out", out, *options).code == 0
    return sorted(open_set(out).columns["identity"].tolist())


def test_hidden_boxes_are_left_out_counted_and_kept_on_demand(flatsort: Flatsort, walled: Path, tmp_path: Path) -> None:
    label(walled)
    done = flatsort("crop", walled, "--boxes", "gt", "--out", tmp_path / "set", "--classes", "person")
    assert done.code == 0
    assert "left out 4 boxes that are visible for less than 0.25" in done.err
    samples = open_set(tmp_path / "set").samples
    assert len(samples) == HIDDEN - 1
    assert (samples[..., 1].mean((1, 2)) > 200).all(), "each shows the object"
    every = identities(flatsort, walled, tmp_path / "all", "--min-visibility", "0")
    assert every.count(2) == FRAMES


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        ((), [1, 2, 3]),
        (("--classes", "dog, car"), [1, 3]),
        (("--classes", "2"), [2]),
        (("--classes", "all"), [1, 2, 3]),
    ],
)
def test_classes_of_labels_are_the_files_own(
    flatsort: Flatsort, walled: Path, tmp_path: Path, classes: tuple[str, ...], expected: list[int]
) -> None:
    label(walled)
    assert sorted(set(identities(flatsort, walled, tmp_path / "set", *classes))) == expected


def test_without_labels_the_classes_are_the_benchmarks(flatsort: Flatsort, walled: Path, tmp_path: Path) -> None:
    assert set(identities(flatsort, walled, tmp_path / "set")) == {1}, "1 is a pedestrian, 2 and 3 are others"


def test_an_unknown_class_is_refused(flatsort: Flatsort, walled: Path, tmp_path: Path) -> None:
    label(walled)
    refused = flatsort("crop", walled, "--boxes", "gt", "--classes", "cat", "--out", tmp_path / "set")
    assert "unknown class 'cat'" in refused.sentence
    assert "car, dog, person" in refused.sentence


def test_queries_are_visible_and_of_the_classes(flatsort: Flatsort, walled: Path, tmp_path: Path) -> None:
    label(walled)
    options = ("--model", "pixels", "--data", walled, "--no-figures", "--out", tmp_path)
    done = flatsort("retrieval", *options)
    assert "left out 4 boxes" in done.err
    pooled = json.loads((tmp_path / "retrieval.json").read_text())
    flatsort("retrieval", *options, "--classes", "car,dog")
    assert "left out" not in flatsort("retrieval", *options, "--classes", "car,dog").err
    assert json.loads((tmp_path / "retrieval.json").read_text()) != pooled
