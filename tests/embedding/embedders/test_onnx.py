"""Networks in ONNX files: preprocessing, batches, metadata of the file, errors; the real ones where the data is."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from flatsort import embedding
from flatsort.embedding.conformance import check_embedder
from flatsort.embedding.embedders.onnx import IMAGENET_DEFAULTS, OnnxEmbedder
from flatsort.tracker.crops import crop
from flatsort.tracker.io.mot import read_table
from flatsort.tracker.io.video import open_source
from flatsort.tracker.types import Float32
from tests.embedding import tiny_models

MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def save(
    path: Path,
    shape: tuple[Any, ...] = ("n", 3, 16, 8),
    metadata: Any = None,
    ops: tuple[str, ...] = ("GlobalAveragePool",),
) -> Path:
    """Write a network of operations in a row; the usual one gives the mean of each channel, [n 3 1 1]."""
    inputs = [helper.make_tensor_value_info("images", TensorProto.FLOAT, shape)]
    outputs = [helper.make_tensor_value_info("latents", TensorProto.FLOAT, None)]
    names = ["images", *(f"step{k}" for k in range(1, len(ops))), "latents"]
    nodes = [helper.make_node(op, [names[k]], [names[k + 1]]) for k, op in enumerate(ops)]
    graph = helper.make_graph(nodes, "made", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    if metadata is not None:
        helper.set_model_props(model, {"flatsort": metadata})
    onnx.save(model, str(path))
    return path


def means(size: tuple[int, int]) -> Float32:
    """Mean of each channel in 0..1 of each crop."""
    images, boxes = tiny_models.images_and_boxes()
    crops = [crop(i, b, size).mean(axis=(1, 2)) / 255 for i, b in zip(images, boxes, strict=True)]
    return np.concatenate(crops).astype(np.float32)


def embed(path: Path, **settings: Any) -> Float32:
    return np.concatenate(embedding.load(path, "cpu", **settings).embed(*tiny_models.images_and_boxes()))


@pytest.mark.parametrize("batch", [1, 3, "n"])
def test_any_batch_of_the_network(tmp_path: Path, batch: Any) -> None:
    path = save(tmp_path / "m.onnx", (batch, 3, 16, 8))
    assert check_embedder(embedding.load(path, normalise=False)) == []
    np.testing.assert_allclose(embed(path, normalise=False), (means((8, 16)) - MEAN) / DEVIATION, atol=1e-4)


def test_length_one_so_that_euclidean_orders_as_cosine(tmp_path: Path) -> None:
    raw = (means((8, 16)) - MEAN) / DEVIATION
    latents = embed(save(tmp_path / "m.onnx"))
    np.testing.assert_allclose(latents, raw / np.linalg.norm(raw, axis=1, keepdims=True), atol=1e-4)


def test_preprocessing_follows_the_settings(tmp_path: Path) -> None:
    unnormalised = {"normalise": False, "mean": [0, 0, 0], "deviation": [1, 1, 1]}
    path = save(tmp_path / "m.onnx")
    np.testing.assert_allclose(embed(path, **unnormalised), means((8, 16)), atol=1e-5)
    np.testing.assert_allclose(embed(path, **unnormalised, scale=1), means((8, 16)) * 255, rtol=1e-4)
    np.testing.assert_allclose(embed(path, **unnormalised, channels="bgr"), means((8, 16))[:, ::-1], atol=1e-5)


def test_a_network_of_any_size_takes_the_given_or_the_default_size(tmp_path: Path) -> None:
    path = save(tmp_path / "m.onnx", ("n", 3, "h", "w"))
    usual, small = embedding.load(path), embedding.load(path, size=[6, 12])
    assert isinstance(usual, OnnxEmbedder)
    assert isinstance(small, OnnxEmbedder)
    assert (usual.size, small.size) == (IMAGENET_DEFAULTS.size, (6, 12))


def test_metadata_of_the_file_are_used_and_settings_override_them(tmp_path: Path) -> None:
    metadata = {"mean": [0.0, 0, 0], "deviation": [1.0, 1, 1], "normalise": False, "size": [4, 8]}
    path = save(tmp_path / "m.onnx", ("n", 3, "h", "w"), json.dumps(metadata))
    np.testing.assert_allclose(embed(path), means((4, 8)), atol=1e-5)
    np.testing.assert_allclose(embed(path, mean=[1.0, 1, 1]), means((4, 8)) - 1, atol=1e-5)
    for damaged in ("{", '{"means": 3}', "[3]", '{"scale": -1}'):
        path = save(tmp_path / "m.onnx", metadata=damaged)
        with pytest.raises(ValueError, match=r"m\.onnx: its metadata 'flatsort' are damaged"):
            embedding.load(path)


def test_wrong_files(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"embedder\.size: expected 8x16 pixels as .*m\.onnx has them, got 9x9"):
        embedding.load(save(tmp_path / "m.onnx"), size=[9, 9])
    with pytest.raises(ValueError, match=r"expected one vector for each image, got \[2, 3, 16, 8\]"):
        embedding.load(save(tmp_path / "m.onnx", ops=("Relu",)))
    with pytest.raises(ValueError, match=r"input of shape \[1 3 height width\], got images tensor\(float\) \['n', 5"):
        embedding.load(save(tmp_path / "m.onnx", ("n", 5, 16, 8)))
    (tmp_path / "m.onnx").write_bytes(b"no network")
    with pytest.raises(ValueError, match=r"m\.onnx: expected an ONNX network"):
        embedding.load(tmp_path / "m.onnx")


def test_numbers_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "m.onnx", ops=("GlobalAveragePool", "Log"))
    with pytest.raises(ValueError, match=r"m\.onnx: the network gave a latent that is not finite"):
        embed(path, mean=[1, 1, 1])
    huge = save(tmp_path / "h.onnx", ops=("GlobalAveragePool", "Exp"))
    with pytest.raises(ValueError, match=r"h\.onnx: the network gave a latent that is not finite"):
        embed(huge, mean=[-10, -10, -10], deviation=[0.13, 0.13, 0.13])  # finite, but not its length
    with pytest.raises(ValueError, match=r"m\.onnx: expected a scale, mean and deviation of usual size"):
        embed(path, scale=1e-60)


def test_onnxruntime_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "m.onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ImportError, match=r"embedder onnx needs onnxruntime: pip install flatsort\[onnx\]"):
        embedding.load(path)


@pytest.mark.data
@pytest.mark.parametrize("name", ["osnet_x025_market1501", "osnet_x0_25_msmt17"])
def test_supervised_networks_tell_people_apart(data: Path, name: str) -> None:
    folder = data / "sequences" / "TUD-Campus"
    ground_truth = read_table(folder / "gt" / "gt.txt")
    rows = [np.flatnonzero(ground_truth.frames == index) for index in (1, 5)]
    images = [f.image for f in open_source(str(folder)) if f.index in (1, 5) and f.image is not None]
    embedder = embedding.load(data / "models" / "reid" / f"{name}.onnx", "cpu")
    first, second = embedder.embed(images, [ground_truth.boxes[r] for r in rows])
    np.testing.assert_allclose(np.linalg.norm(first, axis=1), 1, rtol=1e-5)
    nearest = np.linalg.norm(first[:, None] - second, axis=2).argmin(axis=1)
    assert (ground_truth.ids[rows[0]] == ground_truth.ids[rows[1]][nearest]).mean() > 0.8
