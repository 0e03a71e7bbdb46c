"""Films as phones, cards and recorders leave them, through the whole command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from flatsort.tracker.io.video import open_source
from tests.e2e.conftest import Flatsort
from tests.tracker.io.test_video_file import VARYING, film

OPTIONS = ("--tracker", "sort_long", "lifecycle.max_age=2.5s", "lifecycle.min_hits=0")


@pytest.fixture
def phone(tmp_path: Path) -> tuple[Path, Path]:
    """A film of a varying rate, and detections of a box that moves evenly in time but is missed across the change."""
    path = film(tmp_path / "phone.mp4", VARYING)
    rows = [f"{n + 1},-1,{8 + 12 * t:.3f},10,16,24,0.9" for n, t in enumerate(VARYING) if not 12 <= n <= 17]
    (tmp_path / "det.txt").write_text("\n".join(rows))
    return path, tmp_path / "det.txt"


@pytest.mark.parametrize("more", [(), ("--crops",)])
def test_times_do_not_depend_on_what_is_written(
    flatsort: Flatsort, tmp_path: Path, phone: tuple[Path, Path], more: tuple[str, ...]
) -> None:
    film_, det = phone
    out = tmp_path / "o"
    assert flatsort("track", film_, "--detections", det, *OPTIONS, "--json", "--out", out, *more).code == 0
    frames = json.loads((out / "phone.json").read_text())["frames"]
    assert [f["time"] for f in frames] == pytest.approx(VARYING, abs=1e-3)
    assert {t["id"] for f in frames for t in f["tracks"]} == {1}


@pytest.mark.parametrize("method", ["rts", "gp"])
def test_gaps_are_filled_in_time(flatsort: Flatsort, tmp_path: Path, phone: tuple[Path, Path], method: str) -> None:
    film_, det = phone
    options = (*OPTIONS, "--smooth", f"smooth.method={method}", "--json", "--out", tmp_path / "o")
    assert flatsort("track", film_, "--detections", det, *options).code == 0
    frames = json.loads((tmp_path / "o" / "phone.json").read_text())["frames"]
    assert all(f["tracks"] for f in frames[12:18])
    wrong = [abs(t["box"][0] - 8 - 12 * f["time"]) for f in frames for t in f["tracks"]]
    assert max(wrong) < 2


def test_the_drawn_film_lasts_as_long(flatsort: Flatsort, tmp_path: Path, phone: tuple[Path, Path]) -> None:
    film_, det = phone
    done = flatsort("track", film_, "--detections", det, *OPTIONS, "--video", "--out", tmp_path / "o")
    assert (done.code, done.err) == (0, "")
    drawn = list(open_source(str(tmp_path / "o" / "phone.mp4")))
    assert [f.time for f in drawn] == pytest.approx(VARYING, abs=1e-3)


def test_thermal_pictures_are_not_cut_to_a_few_levels(flatsort: Flatsort, tmp_path: Path) -> None:
    import cv2

    folder = tmp_path / "heat"
    folder.mkdir()
    for n in range(1, 6):
        image = np.full((60, 80), 30_000, np.uint16)
        image[10:40, 5 * n : 5 * n + 20] = 30_200
        cv2.imwrite(str(folder / f"{n:03d}.png"), image)
    (tmp_path / "det.txt").write_text("\n".join(f"{n},-1,{5 * n},10,20,30,0.9" for n in range(1, 6)))
    options = ("--detections", tmp_path / "det.txt", "--tracker", "sort", "--crops", "--out", tmp_path / "o")
    for more, contrast in (((), 150), (("--range", "29900-30400"), 50)):
        assert flatsort("track", folder, *options, *more).code == 0
        crop = cv2.imread(str(next((tmp_path / "o" / "heat.crops" / "0001").iterdir())))
        assert crop is not None
        source = next(iter(open_source(str(folder)))).image
        assert source is not None
        assert int(source.max()) - int(source.min()) > 150
        assert abs(float(crop.mean()) - (230 if not more else 153)) < 25, contrast
    assert "expected LOW-HIGH" in flatsort("track", folder, *options, "--range", "9-1").sentence
