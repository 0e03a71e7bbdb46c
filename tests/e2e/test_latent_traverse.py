"""``flatsort latent traverse`` and ``flatsort latent factors`` through the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from flatsort.embedding import checkpoint
from flatsort.embedding.checkpoint import Card
from flatsort.embedding.data import sample_set
from flatsort.embedding.data.sample_set import SampleSet
from flatsort.embedding.figures.decoded_images import traverse
from flatsort.embedding.model import build
from flatsort.embedding.models.ae import AEConfig
from flatsort.embedding.nets import NetConfig
from tests.e2e.conftest import Flatsort

pytestmark = pytest.mark.slow

LINEAR = NetConfig(hidden=[])
SCALES = (1.0, 5.0, 2.0)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three numbers, each a factor with more or less noise, and a factor that never changes."""
    random = np.random.default_rng(0)
    values = random.normal(size=(400, 3)).astype(np.float32)
    factors = {f"f{i}": values[:, i] + i * random.normal(size=400) for i in range(3)}
    sample_set.save(SampleSet(values, factors={**factors, "same": np.ones(400)}), tmp_path / "set")
    return tmp_path / "set"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(tmp_path / "diagonal.safetensors", SCALES)


def write(path: Path, scales: tuple[float, ...]) -> Path:
    """A model whose latents are the samples, and whose decoder multiplies them by ``scales``."""
    model = build(AEConfig(shape=[3], dim=3, net=LINEAR))
    for part, matrix in ((model.encoder, torch.eye(3)), (model.decoder, torch.diag(torch.tensor(scales)))):
        part[0].weight.data.copy_(matrix)  # type: ignore[index]
        part[0].bias.data.zero_()  # type: ignore[index]
    checkpoint.save(path, model, Card())
    return path


def test_dimensions_by_importance(flatsort: Flatsort, tmp_path: Path, data: Path, file: Path) -> None:
    arguments = ("latent", "traverse", "--model", file, "--data", data, "--points", "400")
    done = flatsort(*arguments, "--out", tmp_path / "out", "--top", "2")
    assert done.code == 0, done.err
    assert (tmp_path / "out" / "traverse.png").stat().st_size > 1000
    content = json.loads((tmp_path / "out" / "traverse.json").read_text())
    assert [row["dimension"] for row in content["dimensions"]] == [2, 3, 1]
    values = sample_set.open_set(data).samples
    for row in content["dimensions"]:
        i = row["dimension"] - 1
        assert row["deviation"] == pytest.approx(values[:, i].std(), rel=1e-4)
        assert row["mean"] == pytest.approx(values[:, i].mean(), abs=1e-5)
        assert row["importance"] == pytest.approx(values[:, i].std() * SCALES[i] / 3**0.5, rel=1e-4)
    assert sum(row["share"] for row in content["dimensions"]) == pytest.approx(1)
    assert done.out.count("% of the change") == 2
    flatsort(*arguments, "--out", tmp_path / "own", "--order", "model", "--sample", "3")
    own = json.loads((tmp_path / "own" / "traverse.json").read_text())
    assert [row["dimension"] for row in own["dimensions"]] == [1, 2, 3]
    assert (tmp_path / "own" / "traverse.png").read_bytes() != (tmp_path / "out" / "traverse.png").read_bytes()


def test_a_traversal_passes_its_start() -> None:
    latents = traverse(torch.tensor([1.0, 2.0]), 1, 0.5, 2.0, 5)
    assert latents.tolist() == [[1, 1], [1, 1.5], [1, 2], [1, 2.5], [1, 3]]


def test_correlations_with_factors(flatsort: Flatsort, tmp_path: Path, data: Path, file: Path) -> None:
    other = write(tmp_path / "other.safetensors", (3.0, 2.0, 1.0))
    arguments = ("latent", "factors", "--data", data, "--points", "400")
    done = flatsort(*arguments, "--model", f"two={file},{other}", "--model", other, "--out", tmp_path / "out")
    assert done.code == 0, done.err
    content = json.loads((tmp_path / "out" / "factors.json").read_text())
    double, single = content["results"]
    samples = sample_set.open_set(data)
    for i in range(3):
        expected = [abs(np.corrcoef(samples.factors[f"f{i}"], samples.samples[:, j])[0, 1]) for j in range(3)]
        assert single["mean"][f"f{i}"] == pytest.approx(expected, abs=1e-6)
        assert double["deviation"][f"f{i}"] == [0, 0, 0]
    assert single["mean"]["same"] == [0, 0, 0]
    assert (tmp_path / "out" / "factors.md").read_text().startswith("|")
    assert "±" in done.out
    # by importance the seeds differ: their first numbers are the second and the first
    flatsort(*arguments, "--model", f"two={file},{other}", "--order", "importance", "--out", tmp_path / "order")
    (double,) = json.loads((tmp_path / "order" / "factors.json").read_text())["results"]
    first, second = (run["f0"] for run in double["runs"])
    assert first == pytest.approx([single["mean"]["f0"][j] for j in (1, 2, 0)])
    assert second == pytest.approx(single["mean"]["f0"])
    assert double["deviation"]["f0"][0] == pytest.approx(np.std([first[0], second[0]], ddof=1))


def test_bad_input_is_one_sentence(flatsort: Flatsort, tmp_path: Path, data: Path, file: Path) -> None:
    bare = tmp_path / "bare.npz"
    np.savez(bare, poses=np.random.default_rng(0).normal(size=(40, 3)))
    out = ("--out", tmp_path / "out")
    for arguments, sentence in (
        (("traverse", "--model", file, "--data", data, "--sample", "400"), "expected a row below 400, got 400"),
        (("traverse", "--model", "pixels", "--data", data), "expected a checkpoint of a latent model"),
        (("factors", "--model", file, "--data", bare), "expected samples whose factors are known"),
        (("factors", "--model", file, "--data", "digits"), "the model takes [3]"),
    ):
        assert sentence in flatsort("latent", *arguments, *out).sentence
    assert not list((tmp_path / "out").glob("*.json"))
