"""Tiny ONNX networks that answer each picture with a YOLOX's head, or any other array."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from flatsort.tracker.types import Float32, Frame

SIDE = 64
ANCHORS = 64 + 16 + 4


def save(
    path: Path,
    head: Float32,
    shape: tuple[Any, ...] = (1, 3, SIDE, SIDE),
    kind: int = TensorProto.FLOAT,
    gain: Float32 | None = None,
    metadata: Mapping[str, str] | None = None,
    fixed: int | None = None,
) -> str:
    """Write a network that answers each image with ``head`` plus ``gain`` times the mean of its first channel.

    Whatever its input says, it takes images of ``fixed`` pixels only.
    """
    inputs = [helper.make_tensor_value_info("images", kind, shape)]
    outputs = [helper.make_tensor_value_info("output", TensorProto.FLOAT, ("n", *head.shape[1:]))]
    constants = {
        "head": head,
        "gain": np.zeros_like(head) if gain is None else gain,
        "zero": np.array([0]),
        "one": np.array([1]),
    }
    nodes = [
        helper.make_node("Cast", ["images"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("Slice", ["pixels", "zero", "one", "one"], ["channel"]),
        helper.make_node("ReduceMean", ["channel"], ["mean"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Squeeze", ["mean"], ["flat"], axes=[3]),
        helper.make_node("Mul", ["flat", "gain"], ["amplified"]),
        helper.make_node("Add", ["amplified", "head"], ["output"]),
    ]
    if fixed:
        constants["field"] = np.zeros((1, 3, fixed, fixed), np.float32)
        nodes.insert(1, helper.make_node("Add", ["pixels", "field"], ["checked"]))
        nodes[2].input[0] = "checked"
    weights = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "detector", inputs, outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8)
    helper.set_model_props(model, dict(metadata or {}))
    onnx.save(model, str(path))
    return str(path)


def raw_head(classes: int = 80) -> Float32:
    """Two boxes: an anchor of stride 8 at cell (2, 3), class 0; one of stride 16 at cell (1, 1), class 2."""
    head = np.zeros((1, ANCHORS, 5 + classes), np.float32)
    head[0, 3 * 8 + 2, :6] = [0.5, 0.5, np.log(2), np.log(4), 0.9, 0.8]
    head[0, 64 + 1 * 4 + 1, [0, 1, 2, 3, 4, 7]] = [0, 0, np.log(1.5), np.log(1), 1, 0.6]
    return head


FIRST = [12.0, 12.0, 28.0, 44.0]
SECOND = [4.0, 8.0, 28.0, 24.0]


def frame(width: int = SIDE, height: int = SIDE) -> Frame:
    return Frame(1, np.zeros((height, width, 3), np.uint8), 0.0)
