"""A network of each layout through the whole detector: its place, its class, its colours, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from flatsort.tracker.boxes import iou
from flatsort.tracker.detectors.layouts import LAYOUTS
from flatsort.tracker.detectors.onnx import OnnxDetector, OnnxDetectorConfig
from flatsort.tracker.types import Float, Float32, Frame
from tests.tracker.detectors.layouts.networks import (
    ANCHORS,
    BOX,
    CENTRE,
    CORNER,
    HEIGHT,
    STRETCHED,
    WIDTH,
    centred,
    orange_frame,
    save,
    table,
)

SIDES = (float(WIDTH), float(HEIGHT))
RGB = np.array([1.0, 128 / 255, 0.0])
IMAGENET = (RGB - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
BGR = np.array([0.0, 128, 255])
NANODET = (BGR - [103.53, 116.28, 123.675]) / [57.375, 57.12, 58.395]
NAMES = str(dict(enumerate(["person", "bicycle", "car", *map(str, range(3, 80))])))
ULTRALYTICS = {"author": "Ultralytics", "task": "detect", "names": NAMES, "head": "Detect"}


def logits(n: int, columns: int, column: int) -> tuple[Float32, Float32]:
    """The logit of 0.9 in row 5 and −9 elsewhere."""
    base, gain = np.full((1, n, columns), -9, np.float32), np.zeros((1, n, columns), np.float32)
    gain[0, 5, column] = 9 + np.log(9)
    return base, gain


def boxes(n: int, box: list[float]) -> Float32:
    """Boxes [1 n 4] of which row 5 is ``box``, the others small."""
    values = np.full((1, n, 4), 0.01, np.float32)
    values[0, 5] = box
    return values


def one(n: int, value: float) -> Any:
    gain = np.zeros((1, n), np.float32)
    gain[0, 5] = value
    return np.zeros((1, n), np.float32), gain


def labels(n: int, value: int) -> Any:
    return np.full((1, n), value, np.int64)


def yolox(path: Path, colours: Float = BGR) -> str:
    # boxes in pixels: the centres of the others lie in their cells
    base, gain = table(ANCHORS, 85, 30, centred(CORNER), {5: 0.9})
    cells = np.concatenate([np.indices((64 // s, 96 // s))[::-1].reshape(2, -1).T * s for s in (8, 16, 32)])
    base[0, :, :2] = np.where(base[0, :, 2:3] > 0, base[0, :, :2], cells)
    base[0, :, 4] = 0.99
    gain[0, 30, 4] = 0.01
    return save(path, {"output": (base, gain)}, colours)


def yolov6(path: Path) -> str:
    base, gain = table(ANCHORS, 85, 30, centred(CENTRE), {5: 0.9})
    base[..., 4] = 1
    return save(path, {"outputs": (base, gain)})


def yolov8(path: Path, **options: Any) -> str:
    base, gain = table(ANCHORS, 84, 30, centred(CENTRE), {4: 0.9})
    turned = base.transpose(0, 2, 1).copy(), gain.transpose(0, 2, 1).copy()
    return save(path, {"output0": turned}, metadata=options.get("metadata", ULTRALYTICS))


def yolov8_transposed(path: Path) -> str:
    return save(path, {"out": table(ANCHORS, 84, 30, centred(CENTRE), {4: 0.9})})


def yolov5(path: Path) -> str:
    return save(path, {"output": table(3 * ANCHORS, 85, 200, [*centred(CENTRE), 0.9], {5: 1.0})})


def end2end(path: Path) -> str:
    return save(path, {"output0": table(300, 6, 0, CENTRE, {4: 0.9})}, metadata=ULTRALYTICS)


def rtdetr(path: Path) -> str:
    found = table(300, 6, 0, centred(STRETCHED, SIDES), {4: 0.9})
    return save(path, {"output0": found}, metadata={**ULTRALYTICS, "head": "RTDETRDecoder"})


def rtdetr_of_scores(path: Path) -> str:
    return save(path, {"output0": table(300, 84, 0, centred(STRETCHED, SIDES), {4: 0.9})})


def yolov7_nms(path: Path) -> str:
    base, gain = table(3, 7, 0, [0, *CENTRE], {6: 0.9})
    return save(path, {"output": (base[0], gain[0])})


def mmdeploy(path: Path) -> str:
    return save(path, {"dets": table(100, 5, 5, CORNER, {4: 0.9}), "labels": labels(100, 0)}, IMAGENET)


def dfine(path: Path) -> str:
    shares = (np.array(STRETCHED) / [*SIDES, *SIDES]).tolist()
    found: dict[str, Any] = {"labels": labels(300, 0), "boxes": boxes(300, shares), "scores": one(300, 0.9)}
    return save(path, found, sizes=True)


def rfdetr(path: Path) -> str:
    found: dict[str, Any] = {"dets": boxes(300, centred(STRETCHED, SIDES)), "labels": logits(300, 91, 1)}
    return save(path, found, IMAGENET)


def detr(path: Path) -> str:
    found: dict[str, Any] = {"logits": logits(100, 92, 1), "pred_boxes": boxes(100, centred(STRETCHED, SIDES))}
    found["logits"][0][..., 91] = 0
    return save(path, found, IMAGENET, mask=True)


def detr_sigmoid(path: Path) -> str:
    return save(path, {"logits": logits(300, 80, 0), "pred_boxes": boxes(300, centred(STRETCHED, SIDES))})


def faster_rcnn(path: Path) -> str:
    found: dict[str, Any] = {
        "11": boxes(100, CORNER)[0],
        "12": labels(100, 1)[0],
        "13": tuple(o[0] for o in one(100, 0.9)),
    }
    return save(path, found, shape=(3, HEIGHT, WIDTH))


def ssd(path: Path) -> str:
    found: dict[str, Any] = {
        "11": boxes(100, CORNER)[0],
        "12": tuple(o[0] for o in one(100, 0.9)),
        "13": labels(100, 1)[0],
    }
    return save(path, found, shape=(3, HEIGHT, WIDTH))


def yolo_nms(path: Path) -> str:
    found: dict[str, Any] = {"num_dets": np.array([[100]]), "boxes": boxes(100, CENTRE)}
    return save(path, {**found, "scores": one(100, 0.9), "labels": labels(100, 0)})


def distances(box: list[float], centre: tuple[float, float], stride: int) -> Float32:
    """Logits [4 8] of distributions whose means are a box's distances from a centre, in strides."""
    sides = np.array([centre[0] - box[0], centre[1] - box[1], box[2] - centre[0], box[3] - centre[1]]) / stride
    near: Float = np.clip(1 - np.abs(np.arange(8) - sides[:, None]), 1e-9, None)
    logs: Float32 = np.log(near).astype(np.float32)
    return logs


def nanodet(path: Path) -> str:
    scores = table(96, 80, 3 * 12 + 3, [], {0: 0.9})  # row 3, column 3 of the cells of 8 pixels
    sides = np.zeros((1, 96, 32), np.float32)
    sides[0, 3 * 12 + 3] = distances(CENTRE, (27.5, 27.5), 8).ravel()
    coarse = [np.zeros((1, n, c), np.float32) for c in (80, 32) for n in (24, 6)]
    return save(
        path, {"a": scores, "b": coarse[0], "c": coarse[1], "d": sides, "e": coarse[2], "f": coarse[3]}, NANODET
    )


def nanodet_plus(path: Path) -> str:
    base, gain = table(ANCHORS + 2, 80 + 32, 3 * 12 + 3, [], {0: 0.9})
    base[0, 3 * 12 + 3, 80:] = distances(STRETCHED, (24.0, 24.0), 8).ravel()
    return save(path, {"output": (base, gain)}, NANODET)


NETWORKS: list[tuple[str, Callable[[Path], str]]] = [
    *(("yolox", yolox), ("yolov6", yolov6), ("yolov8", yolov8), ("yolov8_transposed", yolov8_transposed)),
    *(("yolov5", yolov5), ("end2end", end2end), ("rtdetr", rtdetr), ("rtdetr", rtdetr_of_scores)),
    *(("yolov7_nms", yolov7_nms), ("mmdeploy", mmdeploy), ("dfine", dfine), ("rfdetr", rfdetr), ("detr", detr)),
    *(("detr_sigmoid", detr_sigmoid), ("torchvision", faster_rcnn), ("torchvision", ssd), ("yolo_nms", yolo_nms)),
    *(("nanodet", nanodet), ("nanodet_plus", nanodet_plus)),
]


def detector(weights: str, **options: Any) -> OnnxDetector:
    return OnnxDetector(OnnxDetectorConfig(weights=weights, device="cpu", threads=1, **options))


@pytest.mark.parametrize(("layout", "make"), NETWORKS, ids=[make.__name__ for _, make in NETWORKS])
def test_each_layout_is_recognised_and_read(layout: str, make: Callable[[Path], str], tmp_path: Path) -> None:
    found = detector(make(tmp_path / "n.onnx"))
    assert found.layout.name == layout
    detections = found.detect(orange_frame())
    np.testing.assert_allclose(detections.boxes, [BOX], atol=1e-2)
    np.testing.assert_allclose(detections.scores, [0.9], atol=1e-3)
    assert [found.class_names[k] for k in detections.classes] == ["person"]
    blue = replace(orange_frame(), image=np.ascontiguousarray(orange_frame().image[..., ::-1]))  # type: ignore[index]
    assert len(found.detect(blue)) == 0
    assert len(detector(str(tmp_path / "n.onnx"), classes=("car",)).detect(orange_frame())) == 0


def test_every_layout_has_a_network_here() -> None:
    assert sorted({layout for layout, _ in NETWORKS}) == LAYOUTS.names()


def test_a_layout_can_be_forced(tmp_path: Path) -> None:
    base, gain = table(ANCHORS, 9, 30, centred(CENTRE), {4: 0.9})
    weights = save(tmp_path / "n.onnx", {"out": (base, gain)})
    assert detector(weights).layout.name == "yolox"
    forced = detector(weights, layout="yolov8_transposed")
    np.testing.assert_allclose(forced.detect(orange_frame()).boxes, [BOX], atol=1e-3)
    assert forced.chosen_classes.tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(
        ValueError, match=r"n\.onnx: expected outputs of the layout rfdetr, got out \[1, 126, 9\] for an"
    ):
        detector(weights, layout="rfdetr")
    with pytest.raises(ValueError, match=r"unknown layout 'yolo8'; did you mean 'yolov8'"):
        detector(weights, layout="yolo8")


def test_what_fits_two_layouts_is_asked(tmp_path: Path) -> None:
    base, gain = table(ANCHORS, 85, 30, centred(CENTRE), {5: 0.9})
    base[..., 4] = 1
    weights = save(tmp_path / "n.onnx", {"result": (base, gain)})
    with pytest.raises(ValueError, match=r"more than one layout fits, .*layout=yolov6 or detector\.layout=yolox; got"):
        detector(weights)
    assert len(detector(weights, layout="yolov6").detect(orange_frame())) == 1


def test_the_number_of_names_decides_between_layouts(tmp_path: Path) -> None:
    base, gain = table(ANCHORS, 7, 30, centred(CENTRE), {4: 0.9})
    weights = save(tmp_path / "n.onnx", {"out": (base, gain)}, metadata={"names": "['a', 'b', 'c']"})
    found = detector(weights)
    assert found.layout.name == "yolov8_transposed"
    assert [found.class_names[k] for k in found.detect(orange_frame()).classes] == ["a"]


def test_shares_without_metadata_are_told_by_their_values(tmp_path: Path) -> None:
    shares = {"output0": table(300, 6, 0, centred(STRETCHED, SIDES), {4: 0.9})}
    assert detector(save(tmp_path / "a.onnx", shares)).layout.name == "rtdetr"
    pixels = {"output0": table(300, 6, 0, CENTRE, {4: 0.9})}
    assert detector(save(tmp_path / "b.onnx", pixels)).layout.name == "end2end"
    described = save(tmp_path / "c.onnx", pixels, metadata={"description": "Ultralytics RT-DETR-l model"})
    assert detector(described).layout.name == "rtdetr"


def test_copies_under_several_classes_are_one_object(tmp_path: Path) -> None:
    base, gain = table(300, 6, 0, CENTRE, {4: 0.9})
    base[0, 1:3, :4] = CENTRE
    base[0, 2, :4] += 4
    gain[0, 1:3, 4] = 0.8, 0.7
    base[0, 1, 5] = 2
    found = detector(save(tmp_path / "n.onnx", {"o": (base, gain)}, metadata=ULTRALYTICS), classes=())
    detections = found.detect(orange_frame())
    np.testing.assert_allclose(detections.scores, [0.9, 0.7], atol=1e-6)
    cars = detector(str(tmp_path / "n.onnx"), classes=("car",)).detect(orange_frame())
    np.testing.assert_allclose(cars.scores, [0.8], atol=1e-6)


def test_rf_detr_of_own_classes(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("ball\nracket\n")
    found: dict[str, Any] = {"dets": boxes(300, centred(STRETCHED, SIDES)), "labels": logits(300, 3, 1)}
    weights = save(tmp_path / "n.onnx", found, IMAGENET)
    assert detector(weights).class_names == ["0", "1"]
    own = detector(weights, names=str(tmp_path / "names.txt"))
    assert [own.class_names[k] for k in own.detect(orange_frame()).classes] == ["racket"]


def test_hugging_face_settings_beside_the_network(tmp_path: Path) -> None:
    found: dict[str, Any] = {"logits": logits(100, 3, 0), "pred_boxes": boxes(100, centred(STRETCHED, SIDES))}
    (tmp_path / "onnx").mkdir()
    weights = save(tmp_path / "onnx" / "model.onnx", found)
    with pytest.raises(ValueError, match=r"layout=detr or detector\.layout=detr_sigmoid"):
        detector(weights)
    (tmp_path / "config.json").write_text(
        json.dumps({"model_type": "rt_detr_v2", "id2label": {"0": "ball", "1": "b", "2": "c"}})
    )
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"do_normalize": False}))
    own = detector(weights)
    assert [own.class_names[k] for k in own.detect(orange_frame()).classes] == ["ball"]
    (tmp_path / "config.json").write_text("[1]")
    with pytest.raises(ValueError, match=r"config\.json: expected an object of settings, got list"):
        detector(weights)


def test_torchvision_with_an_axis_of_pictures_and_no_box(tmp_path: Path) -> None:
    empty: dict[str, Any] = {
        "b": np.zeros((0, 4), np.float32),
        "l": np.zeros(0, np.int64),
        "s": np.zeros(0, np.float32),
    }
    found = detector(save(tmp_path / "n.onnx", empty))
    assert found.layout.name == "torchvision"
    assert len(found.detect(orange_frame())) == 0
    assert found.class_names[1] == "person"


def test_colours_of_ones_own(tmp_path: Path) -> None:
    """YOLOX of 2021 took RGB with ImageNet's mean and deviation, which its files do not say."""
    weights = yolox(tmp_path / "n.onnx", IMAGENET)
    assert len(detector(weights).detect(orange_frame())) == 0
    old = detector(
        weights,
        scale=255.0,
        mean=(0.485, 0.456, 0.406),
        deviation=(0.229, 0.224, 0.225),
        channels="rgb",
    )
    assert len(old.detect(orange_frame())) == 1


def test_tiles_of_a_network_that_needs_no_suppression(tmp_path: Path) -> None:
    found = detector(end2end(tmp_path / "n.onnx"), tiles=(2, 1), tile_overlap=0.0)
    wide = Frame(1, np.full((64, 384, 3), (255, 128, 0), np.uint8), 0.0)
    boxes = found.detect(wide).boxes
    assert len(boxes) == 3
    assert BOX in boxes.round(3).tolist()


def real_network(data: Path, name: str) -> str:
    path = data / "models" / "detector" / f"{name}.onnx"
    if not path.is_file():
        pytest.skip(f"no {path}")
    return str(path)


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "layout", "least"),
    [("yolov8n_int8", "yolov8", 0.7), ("yolo11n_int8_320", "yolov8", 0.6), ("nanodet_m", "nanodet", 0.7)],
)
def test_people_on_a_real_film(name: str, layout: str, least: float, data: Path) -> None:
    """Recall among the first 100 frames: 0.81, 0.77 and 0.82; YOLOX-nano's is 0.81."""
    folder = data / "sequences" / "PETS09-S2L1"
    ground_truth = np.loadtxt(folder / "gt" / "gt.txt", delimiter=",")
    found = detector(real_network(data, name), min_score=0.3)
    assert found.layout.name == layout
    video = cv2.VideoCapture(str(folder / "vtest.avi"))
    hits = people = 0
    for index in range(1, 61):
        ok, bgr = video.read()
        assert ok
        if index % 15:
            continue
        detections = found.detect(Frame(index, cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB).astype(np.uint8), 0.0))
        there = ground_truth[ground_truth[:, 0] == index, 2:6]
        there[:, 2:] += there[:, :2]
        hits += int((iou(there, detections.boxes).max(axis=1, initial=0) > 0.5).sum())
        people += len(there)
    assert hits / people > least


@pytest.mark.data
def test_a_real_network_that_is_told_the_size(data: Path) -> None:
    found = detector(real_network(data, "deimv2_atto_int8"), min_score=0.2)
    assert found.layout.name == "dfine"
    assert found.notes[0].endswith("does not name its classes: taken as COCO's (others: detector.names=FILE.txt)")
    video = cv2.VideoCapture(str(data / "sequences" / "PETS09-S2L1" / "vtest.avi"))
    bgr = video.read()[1]
    detections = found.detect(Frame(1, cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB).astype(np.uint8), 0.0))
    assert len(detections) > 0
    assert (detections.boxes >= -1).all()
    assert (detections.boxes <= [769, 577, 769, 577]).all()
    assert detections.boxes.max() > 400
