"""Tiny ONNX networks of any layout: they give one box, if a pixel of the picture has the colours that they expect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from flatsort.tracker.types import Float, Frame

WIDTH, HEIGHT = 96, 64
"""Of a network's input."""
ANCHORS = 12 * 8 + 6 * 4 + 3 * 2
PICTURE = np.full((64, 192, 3), (255, 128, 0), np.uint8)
"""Twice as wide as the input and as high, in a colour whose channels differ."""
BOX = [40.0, 8.0, 80.0, 40.0]
"""Of an object in that picture."""
CORNER, CENTRE, STRETCHED = [20.0, 4.0, 40.0, 20.0], [20.0, 20.0, 40.0, 36.0], [20.0, 8.0, 40.0, 40.0]
"""The same in the input, where the picture lies in the top left corner or in the middle, or is stretched."""
PIXEL = (24, 48)
"""Row and column of the input that show the picture in each case."""

Terms = tuple[NDArray[Any], NDArray[Any]] | NDArray[Any]
"""An output: what it is for other colours and what the expected ones add to it; or what it always is."""


def orange_frame() -> Frame:
    """A frame of that picture."""
    return Frame(1, PICTURE, 0.0)


def centred(box: Sequence[float], unit: tuple[float, float] = (1, 1)) -> list[float]:
    """Centre and size of a box, in units of x and y."""
    x0, y0, x1, y1 = box
    return [(x0 + x1) / 2 / unit[0], (y0 + y1) / 2 / unit[1], (x1 - x0) / unit[0], (y1 - y0) / unit[1]]


def save(
    path: Path,
    outputs: Mapping[str, Terms],
    colours: Float | Sequence[float] = (1.0, 128 / 255, 0.0),
    shape: Sequence[int | str] = (1, 3, HEIGHT, WIDTH),
    metadata: Mapping[str, str] | None = None,
    *,
    sizes: bool = False,
    mask: bool = False,
) -> str:
    """Write a network that expects ``colours`` at `PIXEL`; with ``sizes``, its boxes are shares of the second input."""
    axes = [len(shape) - 2, len(shape) - 1]
    constants: dict[str, NDArray[Any]] = {
        "low": np.array(PIXEL),
        "high": np.array(PIXEL) + 1,
        "axes": np.array(axes),
        "colours": np.array(colours, np.float32).reshape((3, 1, 1) if len(shape) == 3 else (1, 3, 1, 1)),
        "slope": np.array(-50 / np.abs(colours).max(), np.float32),
        "one": np.array(1, np.float32),
        "zero": np.array(0, np.float32),
    }
    inputs = [helper.make_tensor_value_info("images", TensorProto.FLOAT, shape)]
    nodes = [
        helper.make_node("Slice", ["images", "low", "high", "axes"], ["pixel"]),
        helper.make_node("Sub", ["pixel", "colours"], ["difference"]),
        helper.make_node("Abs", ["difference"], ["distance"]),
        helper.make_node("ReduceMax", ["distance"], ["farthest"], keepdims=0),
        helper.make_node("Mul", ["farthest", "slope"], ["loss"]),
        helper.make_node("Add", ["loss", "one"], ["unbounded"]),
        helper.make_node("Clip", ["unbounded", "zero", "one"], ["seen"]),
    ]
    if mask:
        inputs.append(helper.make_tensor_value_info("pixel_mask", TensorProto.INT64, ("n", "h", "w")))
    if sizes:
        inputs.append(helper.make_tensor_value_info("orig_target_sizes", TensorProto.INT64, (1, 2)))
        nodes += [
            helper.make_node("Concat", ["orig_target_sizes", "orig_target_sizes"], ["twice"], axis=1),
            helper.make_node("Cast", ["twice"], ["sides"], to=TensorProto.FLOAT),
        ]
    infos = []
    for name, terms in outputs.items():
        base, gain = terms if isinstance(terms, tuple) else (terms, np.zeros((), terms.dtype))
        kind = TensorProto.INT64 if base.dtype == np.int64 else TensorProto.FLOAT
        infos.append(helper.make_tensor_value_info(name, kind, base.shape))
        constants |= {f"base {name}": base, f"gain {name}": gain}
        if kind == TensorProto.INT64:
            nodes.append(helper.make_node("Identity", [f"base {name}"], [name]))
        elif sizes and name == "boxes":
            nodes.append(helper.make_node("Mul", [f"base {name}", "sides"], [name]))
        else:
            nodes.append(helper.make_node("Mul", ["seen", f"gain {name}"], [f"more {name}"]))
            nodes.append(helper.make_node("Add", [f"base {name}", f"more {name}"], [name]))
    weights = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "detector", inputs, infos, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(model, dict(metadata or {}))
    onnx.save(model, str(path))
    return str(path)


def table(rows: int, columns: int, row: int, box: Sequence[float], scores: Mapping[int, float]) -> Terms:
    """An output [1 rows columns]: a box in one row, whose scores are there for the expected colours only."""
    base, gain = np.zeros((2, 1, rows, columns), np.float32)
    base[0, row, : len(box)] = box
    for column, score in scores.items():
        gain[0, row, column] = score
    return base, gain
