"""Detectors in ONNX files: a YOLOX built by hand, tiles, what is refused, and real networks."""

import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from onnx import TensorProto

from flatsort.tracker.boxes import iou
from flatsort.tracker.config import load
from flatsort.tracker.detectors import DETECTORS
from flatsort.tracker.detectors.onnx import OnnxDetector, OnnxDetectorConfig
from flatsort.tracker.io.mot import read_detections
from flatsort.tracker.types import Frame
from tests.tracker.detectors.networks import ANCHORS, FIRST, SECOND, SIDE, frame, raw_head, save


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


def test_half_precision_input(tmp_path: Path) -> None:
    weights = save(tmp_path / "m.onnx", raw_head(), kind=TensorProto.FLOAT16)
    assert len(DETECTORS.build(OnnxDetectorConfig(weights=weights)).detect(frame())) == 1


def test_broken_outputs_are_dropped(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    head = raw_head()
    head[0, 10, :6] = [np.nan, 0, 0, 0, 1, 1]
    head[0, 11, :6] = [0, 0, 500, 500, 1, 1]
    head[0, 12, :6] = [0, 0, 0, 0, np.nan, 1]
    head[0, 13, :6] = [0, 0, 0, 0, np.inf, 1]
    detector = DETECTORS.build(OnnxDetectorConfig(weights=save(tmp_path / "m.onnx", head)))
    for _ in range(2):
        np.testing.assert_allclose(detector.detect(frame()).boxes, [FIRST], atol=1e-4)
    assert [r.getMessage() for r in caplog.records] == [
        f"frame 1: {tmp_path / 'm.onnx'} gave 4 boxes or scores that are none (NaN, infinite, no area); "
        "they are left out, later ones too"
    ]


def test_missing_image_and_remembered_inputs(tmp_path: Path) -> None:
    detector = DETECTORS.build(OnnxDetectorConfig(weights=save(tmp_path / "m.onnx", raw_head())))
    assert len(detector.detect(Frame(1, None, 0.0))) == 0
    image = np.full((40, 50, 3), 7, np.uint8)
    detector.detect(Frame(2, image, 0.0))
    assert (image == 7).all()


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


@pytest.mark.parametrize("batch", [2, "n"])
def test_networks_that_take_several_pictures(tmp_path: Path, batch: Any) -> None:
    head, gain = raw_head(), np.zeros((1, ANCHORS, 85), np.float32)
    head[0, 3 * 8 + 2, 4] = 0
    gain[0, 3 * 8 + 2, 4] = 1 / 255
    weights = save(tmp_path / "m.onnx", head, (batch, 3, SIDE, SIDE), gain=gain)
    detector = OnnxDetector(OnnxDetectorConfig(weights=weights, tiles=(2, 2), tile_overlap=0.0))
    image = np.zeros((2 * SIDE, 2 * SIDE, 3), np.uint8)
    image[SIDE:, :SIDE] = 255  # each picture has a result of its own
    detections = detector.detect(Frame(1, image, 0.0))
    np.testing.assert_allclose(detections.boxes, [np.add(FIRST, (0, SIDE, 0, SIDE))], atol=1e-4)


def test_more_tiles_than_pixels(tmp_path: Path) -> None:
    detector = OnnxDetector(OnnxDetectorConfig(weights=save(tmp_path / "m.onnx", raw_head()), tiles=(1000, 1000)))
    with pytest.raises(ValueError, match=r"tiles of at least one pixel, got 1000x1000 in a picture of 64x64"):
        detector.detect(frame())


def test_onnxruntime_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ImportError, match=r"pip install flatsort\[onnx\]"):
        DETECTORS.build(OnnxDetectorConfig(weights=save(tmp_path / "m.onnx", raw_head())))


@pytest.mark.parametrize(
    "override",
    [
        *("min_score=0", "max_overlap=1.5", "tiles=[0, 1]", "tile_overlap=1.0", "size=100", "size=65536", "device=tpu"),
        *("threads=-1", "scale=0", "deviation=[1, 0, 1]", "channels=grey"),
    ],
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
