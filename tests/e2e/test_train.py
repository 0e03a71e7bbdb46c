"""``flatsort train``: from samples to a checkpoint."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from safetensors.torch import load_file

from flatsort.embedding import checkpoint
from tests.e2e.conftest import Flatsort

pytestmark = pytest.mark.slow

VECTORS = ("model.shape=[5]", "model.dim=2", "model.net.hidden=[8]")
SHORT = ("steps=12", "batch=8", "log_every=4", "eval_every=6", "save_every=6", "tensorboard=false", "figures=false")


@pytest.fixture
def poses(tmp_path: Path) -> Path:
    path = tmp_path / "poses.npz"
    np.savez(path, poses=np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32))
    return path


@pytest.mark.parametrize("recipe", ["ae", "vae", "beta_vae", "vhp_vae", "flat_vhp_vae"])
def test_recipes_train(recipe: str, poses: Path, tmp_path: Path, flatsort: Flatsort) -> None:
    out = tmp_path / "run"
    done = flatsort("train", "--config", recipe, "--data", poses, "--out", out, "--device", "cpu", *VECTORS, *SHORT)
    assert done.code == 0, done.err
    first, *evaluations, last = done.out.splitlines()
    assert first == f"40 samples of 5; {recipe} on cpu, 12 steps of 8"
    assert [line.split(":")[0] for line in evaluations] == ["step 6", "step 12"]
    assert last.startswith(f"{out / 'model.safetensors'}: held-out score ")
    assert last.endswith(" after 12 steps")
    model, card = checkpoint.load(out / "model.safetensors")
    assert model.config.name == recipe
    assert card.training["settings"]["batch"] == 8
    assert (out / "skipped.txt").read_text() == ""


def test_resume(poses: Path, tmp_path: Path, flatsort: Flatsort) -> None:
    common = ("--config", "vae", "--data", poses, "--seed", "3", *VECTORS, *SHORT, "decay=sqrt")
    assert flatsort("train", *common, "--out", tmp_path / "whole").code == 0
    assert flatsort("train", *common, "--out", tmp_path / "parts", "steps=6").code == 0
    sentence = flatsort("train", *common, "--out", tmp_path / "parts").sentence
    assert sentence.endswith("already holds a run; --resume goes on with it, --overwrite deletes it")
    assert "lr was" in flatsort("train", *common, "--out", tmp_path / "parts", "--resume", "lr=1").sentence
    done = flatsort("train", *common, "--out", tmp_path / "parts", "--resume")
    assert done.out.splitlines()[1] == "going on from step 6"
    a, b = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "parts"))
    assert all((a[name] == b[name]).all() for name in a)
    again = flatsort("train", *common, "--out", tmp_path / "parts", "--overwrite", "steps=6")
    assert again.code == 0
    assert [json.loads(line)["step"] for line in (tmp_path / "parts/metrics.jsonl").read_text().splitlines()] == [
        4,
        6,
        6,
    ]


def test_images_and_what_is_skipped(tmp_path: Path, flatsort: Flatsort) -> None:
    folder = tmp_path / "crops"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(20):
        cv2.imwrite(str(folder / f"{i}.png"), rng.integers(0, 255, (40, 20, 3), np.uint8))
    (folder / "broken.png").write_bytes(b"no image")
    cv2.imwrite(str(folder / "tiny.png"), np.zeros((3, 3, 3), np.uint8))
    out = tmp_path / "run"
    settings = ("model.shape=[3,16,8]", "model.net={width: 8, stem: 2, halvings: 1}", *SHORT, "figures=true")
    done = flatsort("train", "--config", "ae", "--data", folder, "--out", out, *settings)
    assert done.code == 0, done.err
    assert done.out.startswith(f"20 samples of 3×16×8, skipped: 2 (see {out / 'skipped.txt'}); ae on ")
    skipped = (out / "skipped.txt").read_text().splitlines()
    assert len(skipped) == 2
    assert {"broken" in line for line in skipped} == {True, False}
    assert {path.name for path in out.glob("*.png")} == {"reconstructions.png", "losses.png"}
    assert checkpoint.read_header(out / "model.safetensors")[1].calibration


def test_a_loss_that_breaks(poses: Path, tmp_path: Path, flatsort: Flatsort) -> None:
    settings = ("--config", "ae", "--data", poses, "--out", tmp_path / "run", *VECTORS, *SHORT)
    sentence = flatsort("train", *settings, "lr=1e30", "warmup=0", "steps=20").sentence
    assert "loss term 'loss' is " in sentence
    assert "state" in sentence
    assert not (tmp_path / "run" / "model.safetensors").exists()


def test_print_config(flatsort: Flatsort) -> None:
    done = flatsort(
        "train", "--config", "flat_vhp_vae", "--print-config", "model.eta=7", "--seed", "5", "--views", "tracklets"
    )
    assert done.code == 0
    assert "  eta: 7.0\n" in done.out
    assert "seed: 5\n" in done.out
    assert "views: tracklets\n" in done.out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--config", "vea", "--data", "digits"), "unknown train config 'vea'; did you mean 'vae'?"),
        (("--config", "vae"), "expected --data PATH, got none"),
        (("--data", "digits"), "--config"),
        (("--config", "vae", "--data", "nowhere"), "nowhere: no such file"),
        (("--config", "vae", "--data", "digits", "stepps=3"), "unknown key 'stepps'; did you mean: 'steps'"),
        (("--config", "vae", "--data", "digits", "--device", "gpu"), "device: expected auto, cpu, cuda"),
        (("--config", "vae", "--data", "digits", "--resume", "--overwrite"), "expected --resume or --overwrite"),
        (("--config", "vae", "--data", "walker"), "the model takes [3, 64, 32]"),
    ],
)
def test_errors_are_one_sentence(arguments: tuple[str, ...], sentence: str, tmp_path: Path, flatsort: Flatsort) -> None:
    assert sentence in flatsort("train", *arguments, "--out", tmp_path / "run").sentence
    assert not (tmp_path / "run" / "state").exists()
