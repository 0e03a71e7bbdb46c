"""Folders of images with names of their own: what is known is read, what is not is told with a way out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.e2e.conftest import Flatsort


def images(folder: Path, names: Sequence[str]) -> Path:
    """Pictures whose colour follows from the first number of their name."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        identity = int("".join(c for c in path.name if c.isdigit())[:4] or "0")
        colour = np.random.default_rng(identity).integers(0, 255, 3)
        cv2.imwrite(str(path), np.full((64, 32, 3), colour, np.uint8))
    return folder


def protocols(flatsort: Flatsort, folder: Path, *options: str) -> dict[str, int]:
    """Protocol → number of queries."""
    done = flatsort(
        "retrieval", "--model", "pixels", "--data", folder, "--out", folder.parent / "r", "--no-figures", *options
    )
    assert done.code == 0, done.err
    rows = [re.split(r"\s{2,}", line) for line in done.out.splitlines()[2:]]
    return {protocol: int(queries) for _, protocol, _, queries, *_ in rows}


def both_cameras(pattern: str, first: int = 1, cameras: Sequence[int] = (1, 2)) -> list[str]:
    return [pattern.format(i, c, 100 * k) for i in range(first, first + 4) for c in cameras for k in range(2)]


@pytest.mark.parametrize(
    ("pattern", "first", "cameras"),
    [
        ("{:04d}_c{:03d}_{:08d}_0.png", 1, (1, 2)),
        ("{:04d}_c{}_f{:07d}.png", 1, (1, 2)),
        ("person{:02d}_cam{:02d}_frame{:03d}.png", 1, (1, 2)),
        ("{:04d}_c{}s1_{:06d}_00.png", 0, (1, 2)),
        ("{:04d}_c{}s1_{:06d}_00.png", 1, (0, 1)),
    ],
    ids=["VeRi", "Duke", "own", "identities from 0", "cameras from 0"],
)
def test_known_names(flatsort: Flatsort, tmp_path: Path, pattern: str, first: int, cameras: tuple[int, int]) -> None:
    counts = protocols(flatsort, images(tmp_path / "set", both_cameras(pattern, first, cameras)))
    assert counts == {"camera A to B": 8, "across cameras": 16, "within cameras": 16}


def test_distractors_of_market(flatsort: Flatsort, tmp_path: Path) -> None:
    names = both_cameras("{:04d}_c{}s1_{:06d}_00.png", 0)
    folder = images(tmp_path / "set", [*names, "-1_c1s1_000001_00.png"])
    assert protocols(flatsort, folder)["across cameras"] == 12
    said = flatsort("retrieval", "--model", "pixels", "--data", folder, "--out", tmp_path / "r", "--no-figures").err
    assert "5 of 17 images have no identity" in said


def test_folders_of_queries_and_gallery(flatsort: Flatsort, tmp_path: Path) -> None:
    names = [f"query/{i:04d}_c1s1_000000_00.png" for i in range(1, 5)]
    names += [f"gallery/{i:04d}_c2s1_{k:06d}_00.png" for i in range(1, 5) for k in (100, 200)]
    assert protocols(flatsort, images(tmp_path / "set", names))["query to gallery"] == 4


def test_names_that_are_not_known(flatsort: Flatsort, tmp_path: Path) -> None:
    names = [f"{name}/{k}.png" for name in ("alice", "bob", "carol") for k in range(3)]
    folder = images(tmp_path / "set", names)
    refused = flatsort("retrieval", "--model", "pixels", "--data", folder, "--out", tmp_path / "r").sentence
    for part in ("none of 9 has one, such as 0.png", "market1501", "--layout folders", "(?P<id>"):
        assert part in refused
    assert protocols(flatsort, folder, "--layout", "folders") == {"all others": 9}


def test_a_pattern_of_ones_own(flatsort: Flatsort, tmp_path: Path) -> None:
    names = [f"{name}-at-{place}-{k}.png" for name in ("ann", "ben") for place in (3, 4) for k in range(2)]
    folder = images(tmp_path / "set", names)
    pattern = r"(?P<id>\w+)-at-(?P<camera>\d+)-(?P<frame>\d+)"
    assert protocols(flatsort, folder, "--layout", pattern)["across cameras"] == 8
    names = [f"{name}-{place}-{k}.png" for name in ("ann", "ben") for place in ("left", "right") for k in range(2)]
    sides = images(tmp_path / "sides", names)
    pattern = r"(?P<id>\w+)-(?P<camera>left|right)"
    assert protocols(flatsort, sides, "--layout", pattern)["across cameras"] == 8, "cameras may have names"
    options = ("retrieval", "--model", "pixels", "--data", folder, "--out", tmp_path / "r", "--layout")
    assert "expected a regular expression" in flatsort(*options, "(?P<id>").sentence
    assert "expected a group (?P<id>…), got name" in flatsort(*options, r"(?P<name>\w+)").sentence
    assert "expected names that begin with" in flatsort(*options, r"(?P<id>\d+)x").sentence
