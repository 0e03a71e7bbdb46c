"""``flatsort latent regress`` through the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from flatsort.embedding import checkpoint
from flatsort.embedding.checkpoint import Card
from flatsort.embedding.data.sample_set import SampleSet, save
from flatsort.embedding.model import build
from flatsort.embedding.models.ae import AEConfig
from flatsort.embedding.models.vaer import VAERConfig
from flatsort.embedding.nets import NetConfig
from tests.e2e.conftest import Flatsort

pytestmark = pytest.mark.slow

NET = NetConfig(width=8, decoder_width=8, stem=2, halvings=1, hidden=[16])
METHODS = {"regressed", "latents interpolated", "own latent", "pixels interpolated"}


def write(path: Path, config: AEConfig | VAERConfig) -> Path:
    checkpoint.save(path, build(config), Card())
    return path


@pytest.fixture
def walks(tmp_path: Path) -> Path:
    """Two sequences of vectors, one of them too short."""
    frame = np.concatenate([np.arange(30), np.arange(3)])
    sequence = np.repeat([0, 1], [30, 3])
    values = np.sin(frame[:, None] / 5 + np.arange(4)).astype(np.float32)
    data = SampleSet(values, {"sequence": sequence, "frame": frame}, ("a", "b"), "walks", {"angle": frame / 5})
    save(data, tmp_path / "walks")
    return tmp_path / "walks"


def test_images_by_known_factors(flatsort: Flatsort, tmp_path: Path) -> None:
    model = write(tmp_path / "m.safetensors", VAERConfig(shape=[1, 16, 16], dim=2, net=NET, positions=2))
    out = tmp_path / "out"
    done = flatsort(
        *("latent", "regress", "--model", model, "--data", "pendulum:3", "--position", "sin,cos"),
        *("--out", out, "--points", "24", "--gap", "3"),
    )
    assert done.code == 0, done.err
    content = json.loads((out / "regress.json").read_text())
    assert content["position"] == ["sin", "cos"]
    assert content["data"].endswith("seed 3")
    assert {name.partition(".")[0] for name in content["mean"] if "." in name} == METHODS
    assert {name.partition(".")[2] for name in content["mean"] if "." in name} == {"rmse", "psnr", "ssim"}
    assert np.shape(content["kernel"]["length"]) == (2, 2)
    assert all(path.stat().st_size > 1000 for path in (out / "bands.png", out / "frames.png"))
    assert "of a Gaussian 95.4%" in done.out


def test_vectors_by_time_of_any_model(flatsort: Flatsort, tmp_path: Path, walks: Path) -> None:
    model, reports = write(tmp_path / "m.safetensors", AEConfig(shape=[4], dim=2, net=NET)), []
    for name in ("one", "two"):
        done = flatsort("latent", "regress", "--model", model, "--data", walks, "--out", tmp_path / name)
        assert done.code == 0, done.err
        reports.append((tmp_path / name / "regress.json").read_text())
    assert reports[0] == reports[1]
    content = json.loads(reports[0])
    assert content["frames"] == [30]  # the short one is left out
    assert content["hidden"] == {"missing": 0.3}
    assert "note: 1 sequences of less than 5 frames are left out" in done.err


def test_bad_input_is_one_sentence(flatsort: Flatsort, tmp_path: Path, walks: Path) -> None:
    model = write(tmp_path / "m.safetensors", AEConfig(shape=[4], dim=2, net=NET))
    loose = tmp_path / "poses.npz"
    np.savez(loose, poses=np.zeros((9, 4)))
    for arguments, sentence in (
        (("--data", walks, "--position", "phase"), "position: expected time or angle, got 'phase'"),
        (("--data", loose), "expected samples with a sequence and a frame"),
        (
            ("--data", walks, "--gap", "40"),
            "expected a sequence of 81 frames or more to hide some of, the longest has 30",
        ),
    ):
        done = flatsort("latent", "regress", "--model", model, *arguments, "--out", tmp_path / "out")
        assert sentence in done.sentence
    assert not list((tmp_path / "out").glob("*.json"))
