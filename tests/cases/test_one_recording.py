"""A recording that lies in several files is one: tracks and ids go on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.conftest import Flatsort, read_rows


def part(path: Path, first: int, frames: int = 20) -> Path:
    """Somebody who walks on, from position ``first`` on, and somebody else who comes in the middle."""
    rows = [f"{f},-1,{100 + 2 * (first + f)},100,40,100,0.9" for f in range(1, frames + 1)]
    rows += [f"{f},-1,{400 + 6 * first},100,40,100,0.9" for f in range(frames // 2, frames + 1)]
    path.write_text("\n".join(rows))
    return path


@pytest.mark.parametrize("tracker", ["sort", "sort_long", "bytetrack"])
@pytest.mark.parametrize("smooth", ["--smooth", "--no-smooth"])
def test_ids_go_on(flatsort: Flatsort, tmp_path: Path, tracker: str, smooth: str) -> None:
    parts = [part(tmp_path / f"{i}.txt", 20 * i) for i in range(3)]
    options = ("--tracker", tracker, smooth, "--out", tmp_path / "o")
    assert flatsort("track", *parts, "--continue", *options).code == 0
    rows = [read_rows(tmp_path / "o" / f"{i}.txt") for i in range(3)]
    walker = [{r[1] for r in each if r[2] < 300 and r[0] > 1} for each in rows]
    assert walker == [{1.0}, {1.0}, {1.0}]
    others = [{r[1] for r in each if r[2] > 300} for each in rows]
    assert len(set.union(*others)) >= 2, "somebody new gets a new id"
    assert 1.0 not in set.union(*others)
    assert all(min(r[0] for r in each) >= 1 and max(r[0] for r in each) == 20 for each in rows)
    assert flatsort("track", *parts, *options).code == 0
    assert {r[1] for r in read_rows(tmp_path / "o" / "2.txt")} == {1.0, 2.0}, "each begins anew without the option"


def test_bad_detections_are_counted_for_each_part(flatsort: Flatsort, tmp_path: Path) -> None:
    parts = [part(tmp_path / f"{i}.txt", 20 * i) for i in range(2)]
    parts[0].write_text(parts[0].read_text() + "\n3,-1,nan,1,2,3,0.9")
    done = flatsort("track", *parts, "--continue", "--tracker", "sort", "--out", tmp_path / "o")
    first, second = done.out.splitlines()
    assert "1 bad detections left out" in first
    assert "left out" not in second
