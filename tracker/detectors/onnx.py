"""YOLOX detectors that were exported to ONNX, run by onnxruntime."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from flatsort.tracker import class_names
from flatsort.tracker.boxes import valid
from flatsort.tracker.detectors import DETECTORS, classes, yolox
from flatsort.tracker.onnx_session import DEVICES, open_session
from flatsort.tracker.registry import PartConfig, require
from flatsort.tracker.types import Detections, Float, Float32, Frame, Image, Int


@dataclass(frozen=True)
class OnnxDetectorConfig(PartConfig):
    """The ONNX file of a YOLOX, and which of its detections are used."""

    name: str = "onnx"
    weights: str = ""
    """FILE.onnx, with or without decoded boxes (this is recognised)."""
    classes: tuple[str, ...] = ("person",)
    """Names of the classes to keep; empty for all."""
    names: str = ""
    """Text file with one class name a line; without it COCO's names for 80 classes, else "0", "1", …"""
    min_score: float = 0.5
    """Minimum of objectness · class probability, 0..1."""
    max_overlap: float = 0.5
    """Non-maximum suppression: of two boxes of a class with a higher IoU, the one with the lower score is dropped."""
    tiles: tuple[int, int] = (1, 1)
    """Columns and rows of tiles that are processed besides the whole image, to detect smaller objects."""
    tile_overlap: float = 0.2
    """Share of a tile's side that overlaps its neighbour, 0..0.9."""
    size: int = 640
    """Side of the input in pixels where the network takes any size; a multiple of 32."""
    device: str = "auto"
    """auto (a GPU where onnxruntime can use one), cpu or cuda."""
    threads: int = 0
    """Threads per operation on the CPU; 0: onnxruntime's default."""

    def __post_init__(self) -> None:
        require(
            self,
            "detector",
            ("min_score", 0 < self.min_score < 1, "between 0 and 1"),
            ("max_overlap", 0 < self.max_overlap <= 1, "above 0, at most 1"),
            ("tiles", min(self.tiles) >= 1, "columns and rows of at least 1"),
            ("tile_overlap", 0 <= self.tile_overlap <= 0.9, "0 to 0.9"),
            ("size", self.size >= 32 and self.size % 32 == 0, "a multiple of 32"),
            ("device", self.device in DEVICES, f"one of {', '.join(DEVICES)}"),
            ("threads", self.threads >= 0, "0 or more"),
        )


@DETECTORS.register("onnx", OnnxDetectorConfig)
class OnnxDetector:
    """Boxes of a YOLOX network.

    Parameters
    ----------
    config : OnnxDetectorConfig

    Raises
    ------
    ImportError
        If onnxruntime is not installed.
    OSError
        If the file of the weights or of the names cannot be read.
    ValueError
        If the weights are no YOLOX network, or a class or a device is unknown.
    """

    needs_image = True

    def __init__(self, config: OnnxDetectorConfig) -> None:
        self._config = config
        self._session = open_session(
            config.weights, "YOLOX network", part="detector", device=config.device, threads=config.threads
        )
        # the output for an empty image shows its layout
        width, height = (side or config.size for side in self._session.size)
        self._size = (width, height)
        head = self._run([np.full((height, width, 3), yolox.GREY, np.uint8)])
        grid = yolox.grid(self._size, head.shape[1]) if head.ndim == 3 and head.shape[2] > 5 else None
        if grid is None:
            raise ValueError(
                f"{config.weights}: expected the head of a YOLOX, [1 anchors 5+classes] with strides 8, 16 and 32, "
                f"got {list(head.shape)} for an input of {width}x{height} pixels"
            )
        self._cells, self._strides = grid
        self._decoded = yolox.is_decoded(head[0], self._cells, self._strides)
        self.class_names: Sequence[str] = _names(config, head.shape[2] - 5)
        self.chosen_classes = class_names.choose_classes(dict(enumerate(self.class_names)), config.classes)

    def detect(self, frame: Frame) -> Detections:
        """Detect the objects of one frame, best first; none where the image is missing."""
        if frame.image is None:
            return Detections.empty()
        height, width = frame.image.shape[:2]
        windows = yolox.windows(width, height, self._config.tiles, self._config.tile_overlap)
        views = [yolox.letterbox(frame.image[y0:y1, x0:x1], self._size) for x0, y0, x1, y1 in windows]
        parts = []
        for head, (_, scale), window in zip(self._run([v for v, _ in views]), views, windows, strict=True):
            boxes, scores, labels = self._read(head)
            boxes = boxes / scale + np.tile(window[:2], 2)
            whole = valid(boxes) & yolox.uncut(boxes, window, width, height)
            parts.append(Detections(boxes, scores, labels)[whole])
        return yolox.suppress(parts, self._config.max_overlap)

    def _run(self, images: list[Image]) -> Float32:
        # YOLOX takes BGR in 0..255
        return self._session.run(cv2.dnn.blobFromImages(images, swapRB=True).astype(np.float32, copy=False))

    def _read(self, head: Float32) -> tuple[Float, Float, Int]:
        scores = head[:, 4:5] * head[:, 5 + self.chosen_classes]
        best = scores.argmax(axis=1)
        top = scores[np.arange(len(scores)), best]
        rows = np.flatnonzero(top >= self._config.min_score)
        raw = head[rows]
        boxes = raw[:, :4] if self._decoded else yolox.decode(raw, self._cells[rows], self._strides[rows])
        half = boxes[:, 2:] * 0.5
        corners = np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1)
        return corners.astype(np.float64), top[rows].astype(np.float64), self.chosen_classes[best[rows]]


def _names(config: OnnxDetectorConfig, count: int) -> list[str]:
    if not config.names:
        return classes.COCO if count == len(classes.COCO) else [str(i) for i in range(count)]
    names = class_names.read_class_names(config.names)
    if len(names) != count:
        raise ValueError(
            f"{config.names}: expected {count} names like the classes of {config.weights}, got {len(names)}"
        )
    return names
