"""YOLOX networks that were exported to ONNX, run by onnxruntime."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from tracker.boxes import valid
from tracker.detectors import DETECTORS, classes, yolox
from tracker.registry import PartConfig, require
from tracker.types import Detections, Float, Float32, Frame, Image, Int

DEVICES = ("auto", "cpu", "cuda")

_FLOATS: dict[str, type[np.floating[Any]]] = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


@dataclass(frozen=True)
class OnnxConfig(PartConfig):
    """A YOLOX export and what is taken from its output."""

    name: str = "onnx"
    weights: str = ""
    """FILE.onnx, with or without decoding inside (which of the two is recognised)."""
    classes: tuple[str, ...] = ("person",)
    """Names of the classes to keep; empty for all."""
    names: str = ""
    """Text file with one class name a line; without it COCO's names for 80 classes, else "0", "1", …"""
    min_score: float = 0.5
    """Least objectness times class probability, 0..1."""
    max_overlap: float = 0.5
    """Of two boxes of a class that overlap more (IoU), the one with the lower score is dropped."""
    tiles: tuple[int, int] = (1, 1)
    """Columns and rows that are looked at one by one besides the whole image; finds smaller objects."""
    tile_overlap: float = 0.2
    """Share of a tile's side that it has in common with its neighbour, 0..0.9."""
    size: int = 640
    """Side of the input in pixels where the model leaves it open; a multiple of 32."""
    device: str = "auto"
    """auto (a GPU where onnxruntime can use one), cpu or cuda."""
    threads: int = 0
    """Threads for one operation on the CPU; 0 leaves it to onnxruntime."""

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


@DETECTORS.register("onnx", OnnxConfig)
class OnnxDetector:
    """Boxes of a YOLOX network.

    Parameters
    ----------
    config : OnnxConfig

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

    def __init__(self, config: OnnxConfig) -> None:
        self._config = config
        self._session = _open(config)
        self._input = _input(self._session, config)
        # One look at an empty image tells the layout before the first frame comes.
        width, height = self._input.size
        head = self._run([np.full((height, width, 3), yolox.GREY, np.uint8)])
        found = yolox.grid(self._input.size, head.shape[1]) if head.ndim == 3 and head.shape[2] > 5 else None
        if found is None:
            raise ValueError(
                f"{config.weights}: expected the head of a YOLOX, [1 anchors 5+classes] with strides 8, 16 and 32, "
                f"got {list(head.shape)} for an input of {width}x{height} pixels"
            )
        self._cells, self._strides = found
        self._decoded = yolox.is_decoded(head[0], self._cells, self._strides)
        self.class_names: Sequence[str] = _names(config, head.shape[2] - 5)
        self._chosen = classes.choose(self.class_names, config.classes)

    def detect(self, frame: Frame) -> Detections:
        """Find the boxes of one frame, best first; none where the image is missing."""
        if frame.image is None:
            return Detections.empty()
        height, width = frame.image.shape[:2]
        windows = yolox.windows(width, height, self._config.tiles, self._config.tile_overlap)
        views = [yolox.letterbox(frame.image[y0:y1, x0:x1], self._input.size) for x0, y0, x1, y1 in windows]
        parts = []
        for head, (_, scale), window in zip(self._run([v for v, _ in views]), views, windows, strict=True):
            boxes, scores, labels = self._read(head)
            boxes = boxes / scale + np.tile(window[:2], 2)
            whole = valid(boxes) & yolox.uncut(boxes, window, width, height)
            parts.append(Detections(boxes, scores, labels)[whole])
        return yolox.suppress(parts, self._config.max_overlap)

    def _run(self, images: list[Image]) -> Float32:
        # YOLOX reads BGR in 0..255.
        blob = cv2.dnn.blobFromImages(images, swapRB=True).astype(self._input.dtype, copy=False)
        calls = [blob] if self._input.batched else np.split(blob, len(blob))
        heads = [self._session.run(None, {self._input.name: call})[0] for call in calls]
        return np.concatenate(heads).astype(np.float32, copy=False)

    def _read(self, head: Float32) -> tuple[Float, Float, Int]:
        scores = head[:, 4:5] * head[:, 5 + self._chosen]
        best = scores.argmax(axis=1)
        top = scores[np.arange(len(scores)), best]
        rows = np.flatnonzero(top >= self._config.min_score)
        raw = head[rows]
        boxes = raw[:, :4] if self._decoded else yolox.decode(raw, self._cells[rows], self._strides[rows])
        half = boxes[:, 2:] * 0.5
        corners = np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1)
        return corners.astype(np.float64), top[rows].astype(np.float64), self._chosen[best[rows]]


def providers(device: str, available: Sequence[str]) -> list[str]:
    """Onnxruntime's providers for a device, the first one preferred.

    Raises
    ------
    ValueError
        If cuda is asked for and this onnxruntime has no such provider.
    """
    cuda = "CUDAExecutionProvider"
    if device == "cuda" and cuda not in available:
        raise ValueError(
            f"detector.device cuda: this onnxruntime runs on {', '.join(available)} only; "
            "pip install flatsort[onnx-gpu], or take device cpu"
        )
    return [cuda, "CPUExecutionProvider"] if device != "cpu" and cuda in available else ["CPUExecutionProvider"]


def _open(config: OnnxConfig) -> Any:
    path = Path(config.weights)
    if not config.weights:
        raise ValueError("detector.weights: expected the FILE.onnx of a YOLOX network, got nothing")
    if not path.is_file():
        raise FileNotFoundError(f"detector.weights {path}: no such file")
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError("detector onnx needs onnxruntime: pip install flatsort[onnx]") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = config.threads
    options.log_severity_level = 3
    chosen = providers(config.device, onnxruntime.get_available_providers())
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=chosen)
    except Exception as error:  # onnxruntime's errors have no base class of their own
        raise ValueError(f"{path}: expected an ONNX network that onnxruntime can run ({_line(error)})") from error
    if config.device == "cuda" and session.get_providers()[0] != chosen[0]:
        raise ValueError("detector.device cuda: onnxruntime could not start on a GPU here; take device cpu")
    return session


class _Input(NamedTuple):
    name: str
    size: tuple[int, int]
    """Width and height in pixels."""
    batched: bool
    """Whether several images go in at once."""
    dtype: type[np.floating[Any]]


def _input(session: Any, config: OnnxConfig) -> _Input:
    first, *more = session.get_inputs()
    dtype = _FLOATS.get(first.type)
    if more or dtype is None or len(first.shape) != 4 or first.shape[1] != 3:
        raise ValueError(
            f"{config.weights}: expected one floating-point input of shape [1 3 height width], got "
            + ", ".join(f"{i.name} {i.type} {i.shape}" for i in (first, *more))
        )
    # A side that the model leaves open is a name or None here.
    height, width = (side if isinstance(side, int) else config.size for side in first.shape[2:])
    return _Input(first.name, (width, height), not isinstance(first.shape[0], int), dtype)


def _names(config: OnnxConfig, count: int) -> list[str]:
    if not config.names:
        return classes.COCO if count == len(classes.COCO) else [str(i) for i in range(count)]
    names = classes.read(config.names)
    if len(names) != count:
        raise ValueError(
            f"{config.names}: expected {count} names like the classes of {config.weights}, got {len(names)}"
        )
    return names


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
