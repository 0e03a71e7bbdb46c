"""Exported models give torch's latents, and our own loader reads them without settings."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from flatsort import embedding
from flatsort.embedding import export
from flatsort.embedding.conformance import check_embedder
from flatsort.embedding.embedders.onnx import OnnxEmbedder
from flatsort.embedding.embedders.torch_model import TorchEmbedder
from flatsort.tracker.crops import crop
from tests.embedding import tiny_models

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported model; it takes seconds."""
    path = tmp_path_factory.mktemp("exported") / "m.onnx"
    assert export.export(tiny_models.model("vae"), path) < 1e-5
    return path


def test_the_file_gives_torchs_latents_without_settings(path: Path) -> None:
    assert [p.name for p in path.parent.iterdir()] == ["m.onnx"]
    exported = embedding.load(path, "cpu")
    assert isinstance(exported, OnnxEmbedder)
    assert exported.network.batch is None
    assert (exported.dim, exported.size, exported.config.normalise) == (4, (8, 16), False)
    assert check_embedder(exported) == []
    ours = np.concatenate(TorchEmbedder(tiny_models.model("vae")).embed(*tiny_models.images_and_boxes()))
    theirs = np.concatenate(exported.embed(*tiny_models.images_and_boxes()))
    np.testing.assert_allclose(theirs, ours, atol=1e-4 * np.linalg.norm(ours, axis=1).max())


def test_a_file_that_differs_from_torch_is_not_written(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "_write", lambda *arguments: arguments[-1].write_bytes(path.read_bytes()))
    export.export(tiny_models.model("vae"), tmp_path / "same.onnx")
    with pytest.raises(ValueError, match=r"the exported network's latents differ from torch's by"):
        export.export(tiny_models.model("vae", seed=1), tmp_path / "other.onnx")
    assert [p.name for p in tmp_path.iterdir()] == ["same.onnx"]


def test_models_of_grey_images_take_colour() -> None:
    model = tiny_models.model(shape=(1, 16, 8)).eval()
    (image, _), (boxes, _) = tiny_models.images_and_boxes()
    crops = torch.from_numpy(crop(image, boxes, (8, 16))).permute(0, 3, 1, 2) / 255
    with torch.inference_mode():
        got = export.EmbeddingNetwork(model)(crops).numpy()
    np.testing.assert_allclose(got, TorchEmbedder(model).embed([image], [boxes])[0], atol=5e-3)


def test_error_messages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        ValueError, match=r"ae: expected a model of images with 1 or 3 channels, got one of samples \[6\]"
    ):
        export.export(tiny_models.model(shape=(6,)), tmp_path / "m.onnx")
    with pytest.raises(ValueError, match=r"m\.pt: expected the name of a FILE\.onnx"):
        export.export(tiny_models.model(), tmp_path / "m.pt")
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ImportError, match=r"exporting needs onnxscript: pip install flatsort\[export\]"):
        export.export(tiny_models.model(), tmp_path / "m.onnx")
