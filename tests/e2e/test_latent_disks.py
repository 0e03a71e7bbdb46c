"""``flatsort latent disks`` through the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flatsort.embedding import checkpoint
from flatsort.embedding.checkpoint import Card
from flatsort.embedding.model import build
from flatsort.embedding.models.ae import AEConfig
from flatsort.embedding.models.disk_ae import DiskAEConfig
from flatsort.tools.latent.disk_experiment import study
from tests.e2e.conftest import Flatsort

pytestmark = pytest.mark.slow

PARTS = ("biases", "no_biases", "moving", "moving_coord")
FIGURES = {"size", "code", "profiles", "comparison", "place", "map"}


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "TRAINING_IMAGES", 60)
    monkeypatch.setattr(study, "TEST_IMAGES", 40)


def test_it_trains_measures_and_draws(flatsort: Flatsort, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = flatsort("latent", "disks", "--out", out, "--size", "16", "--steps", "3", "--shape", "heart")
    assert done.code == 0, done.err
    assert {path.stem for path in out.glob("*.png")} == FIGURES
    assert all(path.stat().st_size > 1000 for path in out.glob("*.png"))
    report = json.loads((out / "disks.json").read_text())
    assert (report["size"], report["shape"]) == (16, "heart")
    assert report["no_biases"]["homogeneity_error"] < 1e-5 < report["biases"]["homogeneity_error"]
    assert report["no_biases"]["l2_numerical_airy"] < 1e-4
    assert report["no_biases"]["mean_squared_error"] > 0.99 * report["no_biases"]["lower_bound"]
    assert all(0 <= report["biases"][key] <= 1 for key in ("r2_area", "r2_radius", "rank_correlation"))
    assert all(report[part]["pixels_off_neighbours"] > 0 for part in ("moving", "moving_coord"))
    header = checkpoint.read_header(out / "moving_coord" / "model.safetensors")[0]
    assert isinstance(header, DiskAEConfig)
    assert header.coord
    assert header.shape == [1, 16, 16]

    given = [a for part in PARTS for a in ("--model", f"{part}={out / part}")]
    again = flatsort("latent", "disks", "--out", tmp_path / "again", "--size", "16", "--shape", "heart", *given)
    assert again.code == 0, again.err
    assert json.loads((tmp_path / "again" / "disks.json").read_text()) == report
    assert not (tmp_path / "again" / "biases").exists()


def test_bad_input_is_one_sentence(flatsort: Flatsort, tmp_path: Path) -> None:
    for name, config in (
        ("plain", AEConfig(shape=[1, 16, 16], dim=1)),
        ("wide", DiskAEConfig(shape=[1, 16, 16], dim=3)),
        ("large", DiskAEConfig(shape=[1, 32, 32], dim=1)),
    ):
        checkpoint.save(tmp_path / f"{name}.safetensors", build(config), Card())
    out = ("--out", tmp_path / "out", "--size", "16")
    for arguments, sentence in (
        (("--model", tmp_path / "wide.safetensors"), "expected PART=M"),
        (("--model", "sizes=a"), "each part once, of biases, no_biases, moving, moving_coord"),
        (("--model", f"biases={tmp_path / 'plain.safetensors'}"), "expected a model disk_ae, got ae"),
        (("--model", f"biases={tmp_path / 'wide.safetensors'}"), "and dim 1, got [1, 16, 16] and 3"),
        (("--model", f"biases={tmp_path / 'large.safetensors'}"), "expected samples of [1, 16, 16] (--size 16)"),
        (("--size", "17"), "expected an even number, got 17"),
    ):
        assert sentence in flatsort("latent", "disks", *out, *arguments).sentence
    assert not (tmp_path / "out" / "disks.json").exists()
