"""Detectors in ONNX files: networks built by hand, tiles, and a real YOLOX."""

import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from flatsort.tracker.boxes import iou
from flatsort.tracker.config import load
from flatsort.tracker.detectors import DETECTORS
from flatsort.tracker.detectors.onnx import OnnxDetectorConfig
from flatsort.tracker.io.mot import read_detections
from flatsort.tracker.onnx_session import providers
from flatsort.tracker.types import Float32, Frame

SIDE = 64
ANCHORS = 64 + 16 + 4


def save(
    path: Path,
    head: Float32,
    shape: tuple[Any, ...] = (1, 3, SIDE, SIDE),
    kind: int = TensorProto.FLOAT,
    gain: Float32 | None = None,
) -> str:
    """Write a network that answers each image with ``head`` plus ``gain`` times the mean of its first channel."""
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
    weights = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "detector", inputs, outputs, weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8), str(path))
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


def test_grid_decoding_and_class_choice(tmp_path: Path) -> None:
    weights = save(tmp_path / "m.onnx", raw_head())
    detections = DETECTORS.build(OnnxDetectorConfig(weights=weights)).detect(frame())
    np.testing.assert_allclose(detections.boxes, [FIRST], atol=1e-4)
    np.testing.assert_allclose(detections.scores, [0.72], atol=1e-6)
    cars = DETECTORS.build(OnnxDetectorConfig(weights=weights, classes=("car",)))
    detections = cars.detect(frame())
    np.testing.assert_allclose(detections.boxes, [SECOND], atol=1e-4)
    assert [cars.class_names[c] for c in detections.classes] == ["car"]
    both = DETECTORS.build(OnnxDetectorConfig(weights=weights, classes=())).detect(frame())
    assert both.classes.tolist() == [0, 2]
    assert len(DETECTORS.build(OnnxDetectorConfig(weights=weights, min_score=0.73)).detect(frame())) == 0


def test_network_sees_blue_first_and_values_up_to_255(tmp_path: Path) -> None:
    head, gain = raw_head(), np.zeros((1, ANCHORS, 85), np.float32)
    head[0, :, 4] = 0
    gain[0, 3 * 8 + 2, 4] = 1 / 255
    detector = DETECTORS.build(OnnxDetectorConfig(weights=save(tmp_path / "m.onnx", head, gain=gain)))
    image = np.zeros((SIDE, SIDE, 3), np.uint8)
    image[..., 0] = 255
    assert len(detector.detect(Frame(1, image, 0.0))) == 0
    np.testing.assert_allclose(detector.detect(Frame(2, image[..., ::-1], 0.0)).scores, [0.8], atol=1e-6)


def test_letterbox_is_undone(tmp_path: Path) -> None:
    detector = DETECTORS.build(OnnxDetectorConfig(weights=save(tmp_path / "m.onnx", raw_head())))
    detections = detector.detect(frame(width=640, height=320))
    np.testing.assert_allclose(detections.boxes, [np.array(FIRST) * 10], atol=1e-3)


def test_decoding_inside_the_network_is_recognised(tmp_path: Path) -> None:
    head = raw_head()
    cells = np.concatenate([np.indices((n, n))[::-1].reshape(2, -1).T * (SIDE / n) for n in (8, 4, 2)])
    head[0, :, :2] = cells
    head[0, :, 2:4] = 5
    head[0, 3 * 8 + 2, :4] = [20, 28, 16, 32]
    detections = DETECTORS.build(OnnxDetectorConfig(weights=save(tmp_path / "m.onnx", head))).detect(frame())
    np.testing.assert_allclose(detections.boxes, [FIRST], atol=1e-4)


def test_duplicates_are_suppressed(tmp_path: Path) -> None:
    head = raw_head()
    head[0, 3 * 8 + 3, :6] = [-0.4, 0.5, np.log(2), np.log(4), 0.9, 0.9]
    detections = DETECTORS.build(OnnxDetectorConfig(weights=save(tmp_path / "m.onnx", head))).detect(frame())
    np.testing.assert_allclose(detections.scores, [0.81], atol=1e-6)
    detections = DETECTORS.build(OnnxDetectorConfig(weights=str(tmp_path / "m.onnx"), max_overlap=1.0)).detect(frame())
    assert len(detections) == 2


@pytest.mark.parametrize("batch", [1, "n"])
def test_tiles_are_put_in_their_place(tmp_path: Path, batch: Any) -> None:
    weights = save(tmp_path / "m.onnx", raw_head(), shape=(batch, 3, SIDE, SIDE))
    detections = DETECTORS.build(OnnxDetectorConfig(weights=weights, tiles=(2, 1), tile_overlap=0.0)).detect(
        frame(128, 64)
    )
    left, whole, right = np.array(FIRST), np.array(FIRST) * 2, np.add(FIRST, (64, 0, 64, 0))
    np.testing.assert_allclose(detections.boxes[detections.boxes[:, 0].argsort()], [left, whole, right], atol=1e-4)


def test_open_sides_take_the_given_size(tmp_path: Path) -> None:
    weights = save(tmp_path / "m.onnx", raw_head(), shape=(1, 3, "h", "w"))
    detections = DETECTORS.build(OnnxDetectorConfig(weights=weights, size=SIDE)).detect(frame())
    np.testing.assert_allclose(detections.boxes, [FIRST], atol=1e-4)
    with pytest.raises(ValueError, match=r"got output \[1, 84, 85\] for an input of 96x96 pixels"):
        DETECTORS.build(OnnxDetectorConfig(weights=weights, size=96))


def test_half_precision_input(tmp_path: Path) -> None:
    weights = save(tmp_path / "m.onnx", raw_head(), kind=TensorProto.FLOAT16)
    assert len(DETECTORS.build(OnnxDetectorConfig(weights=weights)).detect(frame())) == 1


def test_broken_outputs_are_dropped(tmp_path: Path) -> None:
    head = raw_head()
    head[0, 10, :6] = [np.nan, 0, 0, 0, 1, 1]
    head[0, 11, :6] = [0, 0, 500, 500, 1, 1]
    head[0, 12, :6] = [0, 0, 0, 0, np.nan, 1]
    detections = DETECTORS.build(OnnxDetectorConfig(weights=save(tmp_path / "m.onnx", head))).detect(frame())
    np.testing.assert_allclose(detections.boxes, [FIRST], atol=1e-4)


def test_missing_image_and_remembered_inputs(tmp_path: Path) -> None:
    detector = DETECTORS.build(OnnxDetectorConfig(weights=save(tmp_path / "m.onnx", raw_head())))
    assert len(detector.detect(Frame(1, None, 0.0))) == 0
    image = np.full((40, 50, 3), 7, np.uint8)
    detector.detect(Frame(2, image, 0.0))
    assert (image == 7).all()


def test_names(tmp_path: Path) -> None:
    weights = save(tmp_path / "m.onnx", raw_head(classes=3))
    assert DETECTORS.build(OnnxDetectorConfig(weights=weights, classes=("2",))).class_names == ["0", "1", "2"]
    names = tmp_path / "names.txt"
    names.write_text("head\nhand\nfoot\n")
    detector = DETECTORS.build(OnnxDetectorConfig(weights=weights, classes=("foot",), names=str(names)))
    assert detector.detect(frame()).classes.tolist() == [2]
    names.write_text("head\n")
    with pytest.raises(ValueError, match=r"expected 3 names like the classes of .*, got 1"):
        DETECTORS.build(OnnxDetectorConfig(weights=weights, names=str(names)))


def test_wrong_weights(tmp_path: Path) -> None:
    wrong = save(tmp_path / "other.onnx", np.zeros((1, 25, 70), np.float32))
    with pytest.raises(
        ValueError, match=r"expected the outputs of a detector \(.*yolox\), got output \[1, 25, 70\] for"
    ):
        DETECTORS.build(OnnxDetectorConfig(weights=wrong))
    wrong = save(tmp_path / "grey.onnx", raw_head(), shape=(1, 1, SIDE, SIDE))
    with pytest.raises(ValueError, match=r"input of shape \[1 3 height width\], got images tensor\(float\) \[1, 1, 64"):
        DETECTORS.build(OnnxDetectorConfig(weights=wrong))
    corrupt = tmp_path / "corrupt.onnx"
    corrupt.write_bytes(b"no network")
    with pytest.raises(ValueError, match=r"corrupt\.onnx: expected an ONNX network"):
        DETECTORS.build(OnnxDetectorConfig(weights=str(corrupt)))
    with pytest.raises(FileNotFoundError, match=r"absent\.onnx: no such file"):
        DETECTORS.build(OnnxDetectorConfig(weights=str(tmp_path / "absent.onnx")))
    with pytest.raises(ValueError, match=r"detector\.weights: expected the FILE\.onnx"):
        DETECTORS.build(OnnxDetectorConfig())


def test_onnxruntime_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ImportError, match=r"pip install flatsort\[onnx\]"):
        DETECTORS.build(OnnxDetectorConfig(weights=save(tmp_path / "m.onnx", raw_head())))


def test_provider_follows_the_device() -> None:
    cpu, cuda = "CPUExecutionProvider", "CUDAExecutionProvider"
    assert providers("auto", [cuda, cpu]) == [cuda, cpu]
    assert providers("cuda", [cuda, cpu]) == [cuda, cpu]
    assert providers("cpu", [cuda, cpu]) == [cpu]
    assert providers("auto", ["AzureExecutionProvider", cpu]) == [cpu]
    with pytest.raises(ValueError, match=r"runs on CPUExecutionProvider only; pip install flatsort\[onnx-gpu\]"):
        providers("cuda", [cpu])


@pytest.mark.parametrize(
    "override",
    ["min_score=0", "max_overlap=1.5", "tiles=[0, 1]", "tile_overlap=1.0", "size=100", "device=tpu", "threads=-1"],
)
def test_ranges(override: str) -> None:
    with pytest.raises(ValueError, match=rf"detector\.{override.split('=')[0]}: expected"):
        load(OnnxDetectorConfig, None, [override])


@pytest.mark.data
def test_reference_detections_are_reproduced(data: Path) -> None:
    folder = data / "sequences" / "PETS09-S2L1"
    expected = read_detections(folder / "det" / "det_yolox_nano.txt")
    weights = str(data / "models" / "detector" / "yolox_nano.onnx")
    detector = DETECTORS.build(OnnxDetectorConfig(weights=weights, min_score=0.1))
    video = cv2.VideoCapture(str(folder / "vtest.avi"))
    for index in range(1, 11):
        ok, bgr = video.read()
        assert ok
        detections = detector.detect(Frame(index, cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB).astype(np.uint8), 0.0))
        assert len(detections) == len(expected[index])
        assert iou(detections.boxes, expected[index].boxes).max(axis=1).min() > 0.99
        np.testing.assert_allclose(np.sort(detections.scores), np.sort(expected[index].scores), atol=1e-3)


@pytest.mark.data
def test_tiles_find_more_in_a_large_image(data: Path) -> None:
    folder = data / "sequences" / "ADL-Rundle-6-a"
    weights = str(data / "models" / "detector" / "yolox_nano.onnx")
    ground_truth = np.loadtxt(folder / "gt" / "gt.txt", delimiter=",")
    recalled = []
    for tiles in ((1, 1), (2, 1)):
        detector = DETECTORS.build(OnnxDetectorConfig(weights=weights, tiles=tiles))
        hits = 0
        for index in range(20, 260, 40):
            bgr = cv2.imread(str(folder / "img1" / f"{index:06d}.jpg"))
            assert bgr is not None
            detections = detector.detect(Frame(index, cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB).astype(np.uint8), 0.0))
            boxes = ground_truth[ground_truth[:, 0] == index, 2:6]
            boxes[:, 2:] += boxes[:, :2]
            hits += int((iou(boxes, detections.boxes).max(axis=1, initial=0) > 0.5).sum())
        recalled.append(hits)
    assert recalled[1] > 1.1 * recalled[0] > 0
