"""DeepSORT's detection files through the command line: as source, as detections, with their own features."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.e2e.conftest import Flatsort, read_rows

LEFT, RIGHT = [100, 100, 40, 90], [300, 100, 40, 90]
FEATURES = np.eye(2)
FRAMES, SWAP = 20, 11


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Two people who change places between two frames."""
    rows = []
    for frame in range(1, FRAMES + 1):
        places = (LEFT, RIGHT) if frame < SWAP else (RIGHT, LEFT)
        rows += [
            [frame, -1, *place, 0.9, -1, -1, -1, *feature]
            for place, feature in zip(places, FEATURES.tolist(), strict=True)
        ]
    np.save(tmp_path / "swap.npy", np.array(rows))
    return tmp_path / "swap.npy"


def ids_on_the_left(out: Path) -> list[int]:
    return [int(id_) for _, id_, x, *_ in read_rows(out / "swap.txt") if abs(x - LEFT[0]) < 5]


def test_identities_follow_the_features(flatsort: Flatsort, file: Path, tmp_path: Path) -> None:
    anywhere = ("stages.appearance.gates=[]", "appearance.threshold=0.5", "embedder=''")
    assert flatsort("track", file, "--tracker", "deep_sort", *anywhere, "--out", tmp_path).code == 0
    ids = ids_on_the_left(tmp_path)
    assert (ids[0], ids[-1]) in ((1, 2), (2, 1))


def test_identities_follow_the_positions_for_a_tracker_without_appearance(
    flatsort: Flatsort, file: Path, tmp_path: Path
) -> None:
    assert flatsort("track", file, "--tracker", "sort", "--out", tmp_path).code == 0
    assert len(set(ids_on_the_left(tmp_path))) == 1


def test_a_file_as_detections_with_a_minimum_score(flatsort: Flatsort, file: Path, tmp_path: Path) -> None:
    table = np.load(file)
    np.savetxt(tmp_path / "det.txt", table[:, :10], delimiter=",")
    command = ("track", file, "--tracker", "sort", "--min-score", "0.5")
    assert flatsort(*command, "--detections", tmp_path / "det.txt", "--out", tmp_path / "text").code == 0
    assert flatsort(*command, "--detections", file, "--out", tmp_path / "array").code == 0
    texts = [(tmp_path / name / "swap.txt").read_text() for name in ("text", "array")]
    assert texts[0] == texts[1] != ""


def test_a_file_without_features(flatsort: Flatsort, file: Path, tmp_path: Path) -> None:
    np.save(file, np.load(file)[:, :10])
    done = flatsort("track", file, "--tracker", "deep_sort", "embedder=''", "--out", tmp_path)
    assert "expected an embedder or detections with features" in done.sentence


def test_a_file_of_something_else(flatsort: Flatsort, file: Path, tmp_path: Path) -> None:
    file.write_text("1,-1,3,4,5,6,1\n")
    assert "swap.npy: expected a complete .npy file" in flatsort("track", file, "--out", tmp_path).sentence
