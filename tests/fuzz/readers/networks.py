"""ONNX networks as embedders and as detectors."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from flatsort.embedding.loading import load
from flatsort.tracker.detectors.onnx import OnnxDetector, OnnxDetectorConfig
from flatsort.tracker.types import Float32, Frame
from tests.fuzz.readers import Prepare, Target

SIDE = 32
ANCHORS = 16 + 4 + 1
IMAGE = np.full((40, 30, 3), 90, np.uint8)
BOXES = np.array([[1.0, 2, 20, 38], [5, 5, 25, 30]])


def _network(nodes: list[onnx.NodeProto], shape: tuple[int | str, ...], constants: dict[str, Float32]) -> bytes:
    weights = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(
        nodes,
        "drawn",
        [helper.make_tensor_value_info("in", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)],
        weights,
    )
    stream = io.BytesIO()
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), stream)
    return stream.getvalue()


def _embedder(folder: Path) -> Target:
    path = folder / "e.onnx"
    weights = {"w": np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32)}
    nodes = [helper.make_node("Conv", ["in", "w"], ["c"]), helper.make_node("GlobalAveragePool", ["c"], ["out"])]
    seeds = [_network(nodes, shape, weights) for shape in (("n", 3, 16, 8), (1, 3, 16, 8), ("n", 3, "h", "w"))]

    def read() -> None:
        latents = load(path, "cpu", threads=1).embed([IMAGE], [BOXES])
        assert np.isfinite(latents[0]).all()

    return Target(path, seeds, "bytes", read)


def _detector(folder: Path) -> Target:
    path = folder / "d.onnx"
    head = np.zeros((1, ANCHORS, 7), np.float32)
    head[0, 5, :6] = [0.5, 0.5, np.log(2), np.log(1.5), 0.9, 0.8]
    nodes = [
        helper.make_node("ReduceMean", ["in"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "head"], ["out"]),
    ]
    constants = {"head": head, "zero": np.zeros(1, np.float32)}
    seeds = [_network(nodes, shape, constants) for shape in ((1, 3, SIDE, SIDE), (1, 3, "h", "w"))]

    def read() -> None:
        config = OnnxDetectorConfig(weights=str(path), classes=(), size=SIDE, threads=1, device="cpu")
        found = OnnxDetector(config).detect(Frame(1, IMAGE, 0.0))
        assert np.isfinite(found.boxes).all()
        assert np.isfinite(found.scores).all()

    return Target(path, seeds, "bytes", read)


READERS: dict[str, Prepare] = {"onnx-embedder": _embedder, "onnx-detector": _detector}
