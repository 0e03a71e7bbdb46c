"""Binary codes through the command line: ``embed --bits``, ``latent codes``, ``interpolate`` and ``edit``."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from flatsort.embedding import checkpoint
from flatsort.embedding.checkpoint import Card
from flatsort.embedding.model import ModelConfig, build
from flatsort.embedding.models.ae import AEConfig
from flatsort.embedding.models.lbae import LBAEConfig
from flatsort.embedding.nets import NetConfig
from flatsort.embedding.random_generator import RandomGenerator
from flatsort.tools.runs.latent_file import unpack
from flatsort.tools.runs.open_run import open_embedder, with_calibration
from flatsort.tracker.track_config import TrackConfig
from tests.e2e.conftest import Flatsort

pytestmark = pytest.mark.slow

NET = NetConfig(width=8, stem=2, halvings=1, hidden=[16])


def write(path: Path, config: ModelConfig, samples: torch.Tensor) -> Path:
    model = build(config).eval()
    with torch.no_grad():
        model.finish_training([samples])
    checkpoint.save(path, model, Card())
    return path


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    """Two numbers tell an attribute, the others are noise."""
    generator = np.random.default_rng(0)
    poses = generator.normal(size=(200, 6))
    np.savez(tmp_path / "poses.npz", poses=poses)
    table = np.stack([poses[:, 0] > 0, poses[:, 1] > 0], axis=1)
    np.savetxt(tmp_path / "table.csv", table, fmt="%d", delimiter=",", header="first,second", comments="")
    return tmp_path / "poses.npz"


def read(path: Path) -> torch.Tensor:
    return torch.from_numpy(np.load(path)["poses"]).float()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flatsort.embedding.representation.editing.STEPS", 150)


def test_codes_are_packed_and_come_back(flatsort: Flatsort, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    (tmp_path / "crops").mkdir()
    for i in range(3):
        cv2.imwrite(str(tmp_path / "crops" / f"{i}.png"), generator.integers(0, 256, (16, 8, 3), np.uint8))
    samples = torch.rand(8, 3, 16, 8)
    model = write(tmp_path / "m.safetensors", LBAEConfig(shape=[3, 16, 8], dim=11, net=NET), samples)
    plain = write(tmp_path / "p.safetensors", AEConfig(shape=[3, 16, 8], dim=4, net=NET), samples)
    source = ("embed", tmp_path / "crops", "--whole")
    assert flatsort(*source, "--model", model, "--out", tmp_path / "l.npz").code == 0
    assert flatsort(*source, "--model", model, "--out", tmp_path / "b.npz", "--bits").code == 0
    packed, whole = np.load(tmp_path / "b.npz"), np.load(tmp_path / "l.npz")
    assert (packed["latents"].dtype, packed["latents"].shape, int(packed["bits"])) == (np.uint8, (3, 2), 11)
    assert np.array_equal(unpack(packed["latents"], 11), whole["latents"])
    refused = flatsort(*source, "--model", plain, "--out", tmp_path / "no.npz", "--bits")
    assert "--bits: expected a model whose latents are −1 or 1" in refused.sentence
    assert not (tmp_path / "no.npz").exists()
    config = TrackConfig(embedder=str(model))
    assert with_calibration(config, open_embedder(config))[0].appearance.bits
    config = TrackConfig(embedder=str(plain))
    assert not with_calibration(config, open_embedder(config))[0].appearance.bits


def test_moments_of_codes(flatsort: Flatsort, tmp_path: Path, vectors: Path) -> None:
    model = write(tmp_path / "m.safetensors", LBAEConfig(shape=[6], dim=8, net=NET), read(vectors))
    done = flatsort("latent", "codes", "--model", model, "--out", tmp_path / "out", "--samples", 5000)
    assert done.code == 0, done.err
    report = json.loads((tmp_path / "out" / "codes.json").read_text(), parse_constant=pytest.fail)
    assert report["codes"] == 200
    assert report["limit"]["marginal_max"] < 1e-6
    assert report["hyperplanes"]["covariance_rms"] < report["rounded Gaussian"]["covariance_rms"]
    assert {path.name for path in (tmp_path / "out").glob("*.png")} == {"moments.png", "samples.png"}
    checkpoint.save(tmp_path / "raw.safetensors", build(LBAEConfig(shape=[6], dim=8, net=NET)), Card())
    refused = flatsort("latent", "codes", "--model", tmp_path / "raw.safetensors", "--out", tmp_path / "no")
    assert "its training has not ended" in refused.sentence


def test_interpolations_of_binary_and_other_latents(flatsort: Flatsort, tmp_path: Path, vectors: Path) -> None:
    codes = write(tmp_path / "m.safetensors", LBAEConfig(shape=[6], dim=40, net=NET), read(vectors))
    plain = write(tmp_path / "p.safetensors", AEConfig(shape=[6], dim=4, net=NET), read(vectors))
    for model, ways in ((codes, {"hyperplanes", "mixed, rounded", "mixed"}), (plain, {"straight"})):
        out = tmp_path / model.stem
        arguments = ("latent", "interpolate", "--model", model, "--data", vectors, "--out", out)
        done = flatsort(*arguments, "--pair", "3:7", "--pair", "0:9", "--steps", 8)
        assert done.code == 0, done.err
        report = json.loads((out / "interpolate.json").read_text(), parse_constant=pytest.fail)
        assert set(report["means"]) == ways
        assert report["pairs"] == [[3, 7], [0, 9]]
        assert (out / "interpolate.png").stat().st_size > 1000
        if model is codes:  # rounding goes over in one step
            assert report["means"]["mixed, rounded"]["largest_step"] == pytest.approx(7)
            assert report["means"]["hyperplanes"]["largest_step"] < 6
        assert "two rows of the data from 0 to 199" in flatsort(*arguments, "--pair", "3:200").sentence


@pytest.mark.parametrize("kind", ["lbae", "ae"])
def test_an_attribute_is_edited(flatsort: Flatsort, tmp_path: Path, vectors: Path, kind: str) -> None:
    config = LBAEConfig(shape=[6], dim=64, net=NET) if kind == "lbae" else AEConfig(shape=[6], dim=6, net=NET)
    model, samples = build(config), read(vectors)
    if kind == "ae":  # codes that are the samples themselves
        model.encoder, model.decoder = torch.nn.Identity(), torch.nn.Identity()
    else:  # signs of random projections, and what is linear in them
        model.encoder, model.decoder = torch.nn.Linear(6, 64), torch.nn.Linear(64, 6, bias=False)
        with torch.no_grad():
            model.encoder.weight.copy_(torch.randn(64, 6, generator=torch.Generator().manual_seed(0)))
            model.encoder.bias.zero_()
            model.decoder.weight.copy_(torch.linalg.lstsq(model.encode(samples), samples).solution.T)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flatsort.tools.latent.edit.open_model", lambda *_: model.eval())
        _edit(flatsort, tmp_path, vectors, "any", 2.0 if kind == "ae" else 0.15)
    report = json.loads((tmp_path / "out" / "edit.json").read_text(), parse_constant=pytest.fail)
    assert report["real"]["accuracy"]["first"] > 0.8
    assert set(report["after"][0]["kept"]) == {"second"}
    assert report["neighbours"] == 0
    assert report["before"]["switched"] < 0.25
    assert report["after"][0]["switched"] > 0.9
    assert report["after"][0]["kept"]["second"] > 0.6


def _edit(flatsort: Flatsort, folder: Path, vectors: Path, model: Path | str, strength: float) -> None:
    table = folder / "table.csv"
    arguments = ("latent", "edit", "--model", model, "--data", vectors, "--attributes", table, "--out", folder / "out")
    done = flatsort(*arguments, "--attribute", "first=1", "--strength", strength)
    assert done.code == 0, done.err
    assert (folder / "out" / "edit.png").stat().st_size > 1000
    assert "expected one of the values 0, 1, got '2'" in flatsort(*arguments, "--attribute", "first=2").sentence
    assert "with one of first, second" in flatsort(*arguments, "--attribute", "third=1").sentence
    table.write_text("first\n1\n")
    assert "expected 200 rows below the header" in flatsort(*arguments, "--attribute", "first=1").sentence


def test_words_are_attributes_but_file_names_are_not(flatsort: Flatsort, tmp_path: Path, vectors: Path) -> None:
    model = write(tmp_path / "m.safetensors", AEConfig(shape=[6], dim=6, net=NET), read(vectors))
    table, out = tmp_path / "words.csv", tmp_path / "out"
    rows = [f"{i:03d}.png,{('red', 'blue')[int(x > 0)]},{i % 3}" for i, x in enumerate(read(vectors)[:, 0].tolist())]
    table.write_text("\n".join(["file,colour,third", *rows]))
    arguments = ("latent", "edit", "--model", model, "--data", vectors, "--attributes", table, "--out", out)
    done = flatsort(*arguments, "--attribute", "colour=red", "--strength", "1", "--neighbours", "5")
    assert done.code == 0, done.err
    report = json.loads((out / "edit.json").read_text(), parse_constant=pytest.fail)
    assert set(report["real"]["accuracy"]) == {"colour", "third"}
    assert report["edited"] == (read(vectors)[:, 0] > 0).numpy()[_last(200)].sum()
    assert report["neighbours"] == 5
    assert "expected one of the values blue, red, got '1'" in flatsort(*arguments, "--attribute", "colour=1").sentence
    assert "with one of colour, third" in flatsort(*arguments, "--attribute", "file=001.png").sentence
    table.write_text("\n".join(["file,colour,third", *rows[:-1], "199.png,,1"]))
    assert "column 'colour' has nothing in row 199" in flatsort(*arguments, "--attribute", "third=1").sentence
    rare = np.zeros(200, np.int64)
    rare[_last(200)[:2]] = 1
    np.savetxt(table, rare, fmt="%d", header="rare", comments="")
    assert "expected 3 samples or more with and without" in flatsort(*arguments, "--attribute", "rare=1").sentence


def _last(n: int) -> list[int]:
    """Rows of the fifth that is edited."""
    return RandomGenerator(0, "edit").permutation(n).tolist()[4 * n // 5 :]
