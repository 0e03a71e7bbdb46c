"""Names and files that ``embedding.load`` accepts, and its error messages."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flatsort import embedding
from flatsort.embedding import checkpoint, registry
from flatsort.embedding.checkpoint import Card
from flatsort.embedding.embedders.onnx import OnnxConfig
from flatsort.embedding.embedders.pixels import PixelsEmbedder
from flatsort.embedding.embedders.torch_model import TorchEmbedder
from tests.embedding import tiny_models


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "run" / "model.safetensors"
    checkpoint.save(path, tiny_models.model(), Card())
    return path


def test_a_file_or_the_folder_of_a_training(weights: Path) -> None:
    for given in (weights, str(weights), weights.parent):
        loaded = embedding.load(given, "cpu")
        assert isinstance(loaded, TorchEmbedder)
        assert (loaded.dim, loaded.size) == (4, (8, 16))


def test_shipped_checkpoints_have_a_name(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "WEIGHTS", weights.parent)
    assert registry.names() == ["model", "pixels"]
    assert isinstance(embedding.load("model", "cpu"), TorchEmbedder)


def test_names_are_those_that_load_without_more() -> None:
    assert "pixels" in embedding.registry.names()
    assert not {"torch", "onnx"} & set(embedding.registry.names())


def test_nothing_is_kept_between_calls(weights: Path) -> None:
    first, second = embedding.load(weights, "cpu"), embedding.load(weights, "cpu")
    assert isinstance(first, TorchEmbedder)
    assert isinstance(second, TorchEmbedder)
    before = second.embed(*tiny_models.images_and_boxes())
    for parameter in first.model.parameters():
        parameter.data.zero_()
    np.testing.assert_array_equal(np.concatenate(second.embed(*tiny_models.images_and_boxes())), np.concatenate(before))


def test_settings_reach_the_embedder(weights: Path) -> None:
    loaded = embedding.load(weights, "cpu", chunk=3, mirror=False)
    assert isinstance(loaded, TorchEmbedder)
    assert (loaded.config.chunk, loaded.model.config.mirror) == (3, False)
    assert isinstance(embedding.load("pixels", device="cuda"), PixelsEmbedder)


def test_a_path_is_no_pattern(weights: Path) -> None:
    renamed = weights.parent / "${weird}.safetensors"
    weights.rename(renamed)
    assert embedding.load(renamed, "cpu").dim == 4


@pytest.mark.parametrize(
    ("name", "settings", "sentence"),
    [
        ("pixel", {}, r"unknown embedder 'pixel'; did you mean 'pixels'\? \(known: .*pixels.*\), or a FILE"),
        ("beta_vae", {}, r"beta_vae: a model without shipped weights; train it \(flatsort train --config beta_vae\)"),
        ("onnx", {}, r"onnx: an embedder without shipped weights, expected the file"),
        ("pixels", {"sise": [3, 4]}, r"pixels: unknown key 'sise'; did you mean: 'size'"),
        ("pixels", {"normalise": "perhaps"}, r"pixels: normalise: "),
    ],
)
def test_error_messages(name: str, settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        embedding.load(name, "cpu", **settings)


def test_error_messages_about_files(tmp_path: Path, weights: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"absent\.onnx: no such file"):
        embedding.load("absent.onnx")
    with pytest.raises(FileNotFoundError, match=r"folder of a training run, got one without model\.safetensors"):
        embedding.load(tmp_path)
    other = tmp_path / "model.pt"
    other.write_bytes(b"")
    with pytest.raises(ValueError, match=r"model\.pt: expected a FILE\.safetensors or FILE\.onnx"):
        embedding.load(other)
    with pytest.raises(ValueError, match=r"embedder\.device: expected one of auto, cpu, cuda, .+, got 'tpu'"):
        OnnxConfig(device="tpu")
    with pytest.raises(ValueError, match=r"device: expected auto, cpu, cuda or cuda:NUMBER, got 'tpu'"):
        embedding.load(weights, "tpu")


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import sys, embedding; print({'torch', 'cv2', 'numpy', 'onnxruntime'} & set(sys.modules)); embedding.nix"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "set()\n"
    assert "has no attribute 'nix'" in done.stderr
