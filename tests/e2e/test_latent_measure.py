"""``flatsort latent measure``, ``sample`` and ``posterior`` through the command line."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from flatsort.embedding import checkpoint
from flatsort.embedding.checkpoint import Card
from flatsort.embedding.data.builtin.shapes import sprites
from flatsort.embedding.likelihood import LikelihoodConfig
from flatsort.embedding.model import ModelConfig, build
from flatsort.embedding.models.ae import AEConfig
from flatsort.embedding.models.beta_vae import BetaVAEConfig
from flatsort.embedding.models.vae import VAEConfig
from flatsort.embedding.nets import NetConfig
from flatsort.tools.latent import representation_scores
from tests.e2e.conftest import Flatsort

pytestmark = pytest.mark.slow

NET = NetConfig(width=8, stem=4, halvings=0, hidden=[16])
BERNOULLI = LikelihoodConfig(kind="bernoulli")
SPRITES = BetaVAEConfig(shape=[1, 16, 16], dim=3, mirror=False, net=NET, likelihood=BERNOULLI)
DIGITS = VAEConfig(shape=[1, 8, 8], dim=2, mirror=False, net=NET, likelihood=BERNOULLI)


def write(path: Path, config: ModelConfig, seed: int = 0) -> Path:
    checkpoint.save(path, build(config, seed), Card())
    return path


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flatsort.tools.latent.representation_scores.MAP_SAMPLES", 20)


def test_factors_are_measured_over_seeds(flatsort: Flatsort, tmp_path: Path) -> None:
    files = [write(tmp_path / f"{seed}.safetensors", SPRITES, seed) for seed in (0, 1)]
    out, few = tmp_path / "out", ("--points", "400", "--votes", "60")
    done = flatsort(
        "latent", "measure", "--model", f"vae={files[0]},{files[1]}", "--data", "sprites", "--out", out, *few
    )
    assert done.code == 0, done.err
    content = json.loads((out / "measure.json").read_text(), parse_constant=pytest.fail)
    (result,) = content["results"]
    assert [run["file"] for run in result["runs"]] == [str(file) for file in files]
    for key in ("error", "nll", "kl", "beta_vae", "factor_vae", "mig", "downstream.ratio", "shape.few", "x.many"):
        values = [run[key] for run in result["runs"]]
        assert result["mean"][key] == pytest.approx(np.mean(values))
        assert result["deviation"][key] == pytest.approx(np.std(values, ddof=1))
    ratios = [result["runs"][0][f"{name}.ratio"] for name in ("shape", "scale", "orientation", "x", "y")]
    assert result["runs"][0]["downstream.ratio"] == pytest.approx(np.mean(ratios))
    assert "no identities are known" in content["notes"][0]
    assert "silhouette" not in result["mean"]
    assert content["data"] == "rendered: 400 sprites, seed 1000"
    assert {path.name for path in out.glob("*.png")} == {"map_pca.png", "map_tsne.png", "information.png"}
    table = (out / "measure.md").read_text()
    assert "BetaVAE score" in table
    assert "silhouette" not in table
    assert "±" in done.out


def test_rendered_shapes_are_held_out(tmp_path: Path) -> None:
    """Training data have seed 0; a file of that name is not rendered."""
    held_out = representation_scores.render_held_out(["sprites"], [1, 16, 16], 30, 0)
    assert held_out is not None
    assert not np.array_equal(held_out.samples, sprites(30, 0, 16).samples)
    assert representation_scores.render_held_out(["digits"], [1, 16, 16], 30, 0) is None
    assert representation_scores.render_held_out(["sprites", "digits"], [1, 16, 16], 30, 0) is None
    assert representation_scores.render_held_out(["sprites"], [3, 16, 16], 30, 0) is None


def test_identities_are_measured(flatsort: Flatsort, tmp_path: Path) -> None:
    file = write(tmp_path / "digits.safetensors", AEConfig(shape=[1, 8, 8], dim=4, net=NET))
    arguments = ("--model", file, "--data", "digits", "--points", "300", "--no-figures")
    numbers = []
    for name in ("one", "two"):
        done = flatsort("latent", "measure", *arguments, "--out", tmp_path / name)
        assert done.code == 0, done.err
        numbers.append((tmp_path / name / "measure.json").read_text())
    assert numbers[0] == numbers[1]
    run = json.loads(numbers[0])["results"][0]["runs"][0]
    assert 0.2 < run["nearest"] <= 1
    assert run["identity.classes"] == 10
    assert run["identity.few"] > 0.2
    assert "mig" not in run
    assert "note: no factors are known" in done.out
    assert not list((tmp_path / "one").glob("*.png"))


def test_samples_and_whether_they_are_copies(flatsort: Flatsort, tmp_path: Path) -> None:
    file, out = write(tmp_path / "m.safetensors", DIGITS), tmp_path / "out"
    done = flatsort("latent", "sample", "--model", file, "--data", "digits", "--out", out, "--count", "20")
    assert done.code == 0, done.err
    content = json.loads((out / "samples.json").read_text())
    assert len(content["copies"]["distances"]) == 20
    assert content["copies"]["least"] > 0.05
    assert content["copies"]["usual_median"] == pytest.approx(0.13, abs=0.05)
    drawn = np.load(out / "samples.npy")
    assert drawn.shape == (20, 1, 8, 8)
    assert {path.name for path in out.glob("*.png")} == {"samples.png", "nearest.png"}
    alone = flatsort("latent", "sample", "--model", file, "--out", tmp_path / "alone", "--count", "20")
    assert alone.code == 0, alone.err
    np.testing.assert_array_equal(np.load(tmp_path / "alone" / "samples.npy"), drawn)
    assert "copies" not in json.loads((tmp_path / "alone" / "samples.json").read_text())


def test_a_model_without_a_prior_says_so(flatsort: Flatsort, tmp_path: Path) -> None:
    file = write(tmp_path / "ae.safetensors", AEConfig(shape=[1, 8, 8], dim=2, net=NET))
    done = flatsort("latent", "sample", "--model", file, "--out", tmp_path / "out")
    assert "ae has no prior to draw from" in done.sentence
    assert not list((tmp_path / "out").glob("samples*"))


@pytest.mark.parametrize("dim", [2, 3])
def test_a_posterior_compared_with_the_exact_one(flatsort: Flatsort, tmp_path: Path, dim: int) -> None:
    from dataclasses import replace

    file, out = write(tmp_path / "m.safetensors", replace(DIGITS, dim=dim)), tmp_path / "out"
    short = ("--count", "3", "--chains", "2", "--steps", "60", "--burn-in", "40")
    done = flatsort("latent", "posterior", "--model", file, "--data", "digits", "--out", out, *short)
    assert done.code == 0, done.err
    content = json.loads((out / "posterior.json").read_text(), parse_constant=pytest.fail)
    assert len(content["samples"]) == 3
    assert len({sample["row"] for sample in content["samples"]}) == 3
    for key, mean in content["mean"].items():
        assert mean == pytest.approx(np.mean([sample[key] for sample in content["samples"]]))
    assert ("kl" in content["mean"]) == (dim == 2)
    if dim == 2:
        assert content["mean"]["kl"] >= content["mean"]["kl_best"] >= 0
        drawn = cv2.imread(str(out / "posterior.png"))
        assert drawn is not None
        assert drawn.std() > 10
    assert (out / "posterior.png").exists() == (dim == 2)
    assert (out / "predictive.png").exists()


def test_bad_input_is_one_sentence(flatsort: Flatsort, tmp_path: Path) -> None:
    ae = write(tmp_path / "ae.safetensors", AEConfig(shape=[1, 8, 8], dim=2, net=NET))
    broken = build(DIGITS)
    broken.encoder[0].weight.data.fill_(np.nan)  # type: ignore[index]
    checkpoint.save(tmp_path / "broken.safetensors", broken, Card())
    for verb, arguments, sentence in (
        ("posterior", ("--model", ae, "--data", "digits"), "expected a model vae or beta_vae, got ae"),
        ("measure", ("--model", tmp_path / "broken.safetensors", "--data", "digits"), "expected finite latents"),
        ("measure", ("--model", ae, "--data", "digit"), "did you mean 'digits'?"),
        ("sample", ("--model", "pixels"), "expected a checkpoint of a latent model"),
    ):
        assert sentence in flatsort("latent", verb, *arguments, "--out", tmp_path / "out").sentence
