"""``flatsort latent geometry`` through the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from flatsort.embedding import checkpoint
from flatsort.embedding.checkpoint import Card
from flatsort.embedding.model import ModelConfig, build
from flatsort.embedding.models.ae import AEConfig
from flatsort.embedding.models.vhp_vae import VHPVAEConfig
from flatsort.embedding.nets import NetConfig
from flatsort.tools.experiments.model_tables import load_latent_models
from tests.e2e.conftest import Flatsort

pytestmark = pytest.mark.slow

NET = NetConfig(width=8, stem=2, halvings=1, hidden=[16])
FIGURES = {"interpolation", "reconstructions", "samples", "map_pca", "map_tsne", "metric"}


def write(path: Path, config: ModelConfig, seed: int = 0) -> Path:
    checkpoint.save(path, build(config, seed), Card())
    return path


@pytest.fixture
def poses(tmp_path: Path) -> Path:
    path = tmp_path / "poses.npz"
    np.savez(path, poses=np.random.default_rng(0).normal(size=(40, 5)))
    return path


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flatsort.embedding.figures.metric_contours.CELLS", 20)
    monkeypatch.setattr("flatsort.embedding.figures.decoded_images.NODES", 30)


def test_two_models_of_several_seeds(flatsort: Flatsort, tmp_path: Path, poses: Path) -> None:
    config = VHPVAEConfig(shape=[5], dim=2, net=NET)
    files = [write(tmp_path / f"{seed}.safetensors", config, seed) for seed in (0, 1)]
    run = write(tmp_path / "plain" / "model.safetensors", AEConfig(shape=[5], dim=2, net=NET)).parent
    out = tmp_path / "out"
    seeds = f"vhp={files[0]},{files[1]}"
    done = flatsort(
        "latent", "geometry", "--model", seeds, "--model", run, "--data", poses, "--out", out, "--points", "30"
    )
    assert done.code == 0, done.err
    assert {path.stem for path in out.glob("*.png")} == FIGURES
    assert all(path.stat().st_size > 1000 for path in out.glob("*.png"))
    content = json.loads((out / "latent.json").read_text())
    assert content["samples"] == 30
    vhp, plain = content["results"]
    assert (vhp["model"], plain["model"]) == ("vhp", "plain")
    assert [run["file"] for run in vhp["runs"]] == [str(file) for file in files]
    for key in ("error", "data.condition_median", "between.magnification_std", "data.flatness", "geodesic_ratio"):
        values = [run[key] for run in vhp["runs"]]
        assert vhp["mean"][key] == pytest.approx(np.mean(values))
        assert vhp["deviation"][key] == pytest.approx(np.std(values, ddof=1))
        assert plain["deviation"][key] == 0
    assert "±" in done.out
    assert "magnification std" in done.out
    assert (out / "latent.md").read_text().startswith("|")


def test_a_folder_keeps_its_whole_name(tmp_path: Path) -> None:
    write(tmp_path / "eta_0.1" / "model.safetensors", AEConfig(shape=[5], dim=2))
    write(tmp_path / "eta_0.3" / "model.safetensors", AEConfig(shape=[5], dim=2))
    texts = [str(tmp_path / "eta_0.1"), str(tmp_path / "eta_0.3" / "model.safetensors")]
    assert [model.name for model in load_latent_models(texts)] == ["eta_0.1", "eta_0.3"]


@pytest.mark.parametrize("dim", [1, 3])
def test_models_of_other_dimensions_get_a_note_instead_of_contours(
    flatsort: Flatsort, tmp_path: Path, dim: int
) -> None:
    file = write(tmp_path / "digits.safetensors", AEConfig(shape=[1, 8, 8], dim=dim, net=NET))
    done = flatsort(
        "latent", "geometry", "--model", file, "--data", "digits", "--out", tmp_path / "out", "--points", "25"
    )
    assert done.code == 0, done.err
    assert {path.stem for path in (tmp_path / "out").glob("*.png")} == FIGURES - {"metric", "samples"}
    assert f"note: digits: no contours in metric.png, which shows 2 latent dimensions, not {dim}" in done.out


def test_a_singular_metric_is_noted(flatsort: Flatsort, tmp_path: Path, poses: Path) -> None:
    model = build(AEConfig(shape=[5], dim=2, net=NET))
    model.decoder[0].weight.data[:, 0] = 0  # type: ignore[index]
    checkpoint.save(tmp_path / "dead.safetensors", model, Card())
    done = flatsort(
        "latent", "geometry", "--model", tmp_path / "dead.safetensors", "--data", poses, "--out", tmp_path / "out"
    )
    assert done.code == 0, done.err
    assert "note: dead: the metric is singular at 40 of 40 samples" in done.out
    json.loads((tmp_path / "out" / "latent.json").read_text(), parse_constant=pytest.fail)


def test_same_command_same_numbers(flatsort: Flatsort, tmp_path: Path, poses: Path) -> None:
    file = write(tmp_path / "m.safetensors", AEConfig(shape=[5], dim=2, net=NET))
    reports = []
    for name in ("one", "two"):
        flatsort("latent", "geometry", "--model", file, "--data", poses, "--out", tmp_path / name, "--points", "20")
        reports.append((tmp_path / name / "latent.json").read_text())
    assert reports[0] == reports[1]


def test_bad_input_is_one_sentence(flatsort: Flatsort, tmp_path: Path, poses: Path) -> None:
    file = write(tmp_path / "m.safetensors", AEConfig(shape=[5], dim=2, net=NET))
    wide = write(tmp_path / "wide.safetensors", AEConfig(shape=[7], dim=2, net=NET))
    out = ("--out", tmp_path / "out")
    few = tmp_path / "few.npz"
    np.savez(few, poses=np.zeros((4, 5)))
    for arguments, sentence in (
        (("--model", "pixels", "--data", poses), "expected a checkpoint of a latent model"),
        (("--model", tmp_path / "none.safetensors", "--data", poses), "no such file"),
        (("--model", f"a={file}", "--model", f"a={file}", "--data", poses), "with a name of its own"),
        (("--model", f"a={file},", "--data", poses), "expected NAME=FILE,FILE"),
        (("--model", file, "--model", wide, "--data", poses), "samples of shape [7], but"),
        (("--model", wide, "--data", poses), "the model takes [7]"),
        (("--model", file, "--data", few), "expected 10 samples or more, got 4"),
        (("--model", file, "--data", "pendulums"), "did you mean 'pendulum'?"),
    ):
        assert sentence in flatsort("latent", "geometry", *arguments, *out).sentence
    assert not list((tmp_path / "out").glob("*.json"))
