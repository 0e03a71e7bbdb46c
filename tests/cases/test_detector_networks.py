"""Networks of others as they are: any family, any classes, and one sentence where a network does not work."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.e2e.conftest import Flatsort, read_rows
from tests.tracker.detectors import networks
from tests.tracker.detectors.layouts.networks import BOX, PICTURE
from tests.tracker.detectors.layouts.test_layouts import NETWORKS

LEFT_TOP_SIZE = [BOX[0], BOX[1], BOX[2] - BOX[0], BOX[3] - BOX[1]]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Three pictures of one object that stands still."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(1, 4):
        cv2.imwrite(str(folder / f"{number}.png"), PICTURE[..., ::-1])
    return folder


@pytest.mark.parametrize("make", [make for _, make in NETWORKS], ids=lambda make: make.__name__)
def test_one_person_in_each_layout(
    make: Callable[[Path], str], flatsort: Flatsort, pictures: Path, tmp_path: Path
) -> None:
    weights = make(tmp_path / "n.onnx")
    done = flatsort(
        *("track", pictures, "--detector", "onnx", "--weights", weights, "--classes", "person", "--tracker", "sort"),
        *("--out", tmp_path / "out"),
    )
    assert done.code == 0, done.err
    rows = read_rows(tmp_path / "out" / "pictures.txt")
    assert [row[:2] for row in rows] == [[1, 1], [2, 1], [3, 1]]
    np.testing.assert_allclose([row[2:6] for row in rows], [LEFT_TOP_SIZE] * 3, atol=0.02)


@pytest.fixture
def own(tmp_path: Path) -> str:
    """A YOLOX of one class that has no name."""
    head = networks.raw_head(classes=3)[..., :6]
    return networks.save(tmp_path / "own.onnx", head)


@pytest.mark.parametrize(
    "choice",
    [
        *([], ["--classes", "[]"], ["--classes", ""], ["--classes", "all"], ["--classes", " 0"], ["--classes", "0,"]),
        *(["detector.classes=[]"], ["detector.classes=all"], ["detector.classes=0"], ["detector.names={names}"]),
        ["detector.names={names}", "--classes", "Ball"],
    ],
)
def test_a_network_of_ones_own_class(
    choice: list[str], own: str, flatsort: Flatsort, pictures: Path, tmp_path: Path
) -> None:
    (tmp_path / "names.txt").write_text("ball\n")
    given = [text.format(names=tmp_path / "names.txt") for text in choice]
    network = ("--detector", "onnx", "--weights", own, "--tracker", "sort")
    assert flatsort("track", pictures, *network, "--out", tmp_path / "out", *given).code == 0
    assert len(read_rows(tmp_path / "out" / "pictures.txt")) == 3


def test_what_a_refusal_recommends_works(own: str, flatsort: Flatsort, pictures: Path, tmp_path: Path) -> None:
    network = ("--detector", "onnx", "--weights", own, "--tracker", "sort", "--out", tmp_path / "out")
    refused = flatsort("track", pictures, *network, "--classes", "person").sentence
    assert refused == "error: classes: unknown class 'person' (known: 0); all takes all of them"
    assert flatsort("track", pictures, *network, "--classes", "all").code == 0


def test_the_user_is_told_that_all_classes_are_kept(flatsort: Flatsort, pictures: Path, tmp_path: Path) -> None:
    weights = networks.save(tmp_path / "two.onnx", networks.raw_head(classes=3))
    done = flatsort(
        "track", pictures, "--detector", "onnx", "--weights", weights, "--tracker", "sort", "--out", tmp_path
    )
    assert f"{weights} knows no class person: all of its 3 classes are kept" in done.err.splitlines()


def test_sentences_of_networks_that_do_not_work(flatsort: Flatsort, pictures: Path, tmp_path: Path) -> None:
    network = networks.save(tmp_path / "n.onnx", networks.raw_head(), shape=(1, 3, "h", "w"), fixed=networks.SIDE)
    plain = ("track", pictures, "--tracker", "sort", "--out", tmp_path / "out", "--detector", "onnx", "--weights")
    with_network = (*plain, network)
    assert f"{network}: cannot run on pictures of 640x640 pixels (" in flatsort(*with_network).sentence
    tiles = flatsort(*with_network, "detector.size=64", "detector.tiles=[1000,1000]").sentence
    assert tiles.endswith("detector.tiles: expected tiles of at least one pixel, got 1000x1000 in a picture of 192x64")
    other = networks.save(tmp_path / "o.onnx", np.zeros((1, 25, 70), np.float32))
    sentence = flatsort(*plain, other).sentence
    assert "yolov8" in sentence
    assert sentence.endswith("got output [1, 25, 70] for an input of 64x64 pixels")
