"""Detection networks in ONNX files, run by onnxruntime; `layouts` knows what the families of them take and give."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from flatsort.tracker import class_names
from flatsort.tracker.boxes import valid
from flatsort.tracker.detectors import DETECTORS
from flatsort.tracker.detectors.duplicates import drop_copies, join, suppress
from flatsort.tracker.detectors.layouts import Candidates, Layout, Probe, recognise
from flatsort.tracker.detectors.onnx_network import baked_score, class_list, look
from flatsort.tracker.detectors.pictures import PictureForm, Window, uncut, windows
from flatsort.tracker.onnx_session import AT_ONCE, DEVICES, open_session
from flatsort.tracker.registry import PartConfig, require
from flatsort.tracker.types import Detections, Float, Float32, Frame, Image, Int

log = logging.getLogger(__name__)

TOLERANCE = 0.05
"""Scores may leave 0..1 by this much: those of 8-bit networks do by less."""


@dataclass(frozen=True)
class OnnxDetectorConfig(PartConfig):
    """The ONNX file of a detection network, and which of its detections are used."""

    name: str = "onnx"
    weights: str = ""
    """FILE.onnx of YOLOX, YOLOv5 to YOLO26, RT-DETR, D-FINE, RF-DETR, DETR, torchvision, NanoDet or MMDeploy."""
    layout: str = "auto"
    """What the network takes and gives: auto (this is recognised), or the name of a layout, or a FILE.py with one."""
    classes: Any = None
    """Names or numbers of the classes to keep (car, "car, 2", [car, 2]), all or [] for all; null: person, or all where
    the network knows no person. A tuple of texts, or None, once it is read."""
    names: str = ""
    """Text file with one class name a line; without it the names in the file, else COCO's, else "0", "1", …"""
    min_score: float = 0.5
    """Minimum score (of YOLOX and YOLOv5: objectness · class probability), 0..1."""
    max_overlap: float = 0.5
    """Non-maximum suppression, where the network needs it or there are tiles: of two boxes of a class with a higher
    IoU, the one with the lower score is dropped."""
    tiles: tuple[int, int] = (1, 1)
    """Columns and rows of tiles that are processed besides the whole image, to detect smaller objects."""
    tile_overlap: float = 0.2
    """Share of a tile's side that overlaps its neighbour, 0..0.9."""
    size: int | None = None
    """Side of the input in pixels where the network takes any, a multiple of 32; null: as the file says, else 640."""
    scale: float | None = None
    """First, divisor of the values 0..255; this and the next three: null for those of the layout."""
    mean: tuple[float, float, float] | None = None
    """Then subtracted from each channel."""
    deviation: tuple[float, float, float] | None = None
    """Then the divisor of each channel."""
    channels: str | None = None
    """rgb or bgr."""
    device: str = "auto"
    """auto (a GPU where onnxruntime can use one), cpu, cuda, tensorrt, openvino, coreml or directml."""
    threads: int = 0
    """Threads per operation on the CPU; 0: onnxruntime's default."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", class_names.parse_classes(self.classes))
        require(
            self,
            "detector",
            ("min_score", 0 < self.min_score < 1, "between 0 and 1"),
            ("max_overlap", 0 < self.max_overlap <= 1, "above 0, at most 1"),
            ("tiles", min(self.tiles) >= 1, "columns and rows of at least 1"),
            ("tile_overlap", 0 <= self.tile_overlap <= 0.9, "0 to 0.9"),
            (
                "size",
                self.size is None or self.size in range(32, 8193, 32),
                "a multiple of 32, at most 8192",
            ),
            ("scale", self.scale is None or self.scale > 0, "a number above 0"),
            ("deviation", self.deviation is None or min(self.deviation) > 0, "numbers above 0"),
            ("channels", self.channels in (None, "rgb", "bgr"), "rgb or bgr"),
            ("device", self.device in DEVICES, f"one of {', '.join(DEVICES)}"),
            ("threads", self.threads >= 0, "0 or more"),
        )


@DETECTORS.register("onnx", OnnxDetectorConfig)
class OnnxDetector:
    """Boxes of a detection network.

    Parameters
    ----------
    config : OnnxDetectorConfig

    Attributes
    ----------
    class_names : sequence of str
        By the number of the class.
    chosen_classes : int [k]
        Numbers of the classes that are kept.
    notes : tuple of str
        What a user should know of the network.

    Raises
    ------
    ImportError
        If onnxruntime is not installed.
    OSError
        If the file of the weights or of the names cannot be read.
    ValueError
        If the weights are no detection network of a known layout, or a class or a device is unknown.
    """

    needs_image = True

    def __init__(self, config: OnnxDetectorConfig) -> None:
        self._config = config
        self._session = open_session(
            config.weights,
            "detection network",
            part="detector",
            device=config.device,
            threads=config.threads,
            plain=False,
        )
        probe = look(self._session, config.names, config.size)
        self._size = probe.size
        self.layout = recognise(probe, config.layout)
        self._form = _form(self.layout.form, config)
        names = class_list(self.layout, probe, config.names)
        self.chosen_classes = class_names.choose_detected(names, config.classes)
        self.class_names: Sequence[str] = [names.get(i, str(i)) for i in range(max(names) + 1)]
        self.notes = tuple(_notes(self.layout, self.chosen_classes, probe, config))
        self._left_out = 0

    def detect(self, frame: Frame) -> Detections:
        """Detect the objects of one frame, best first; none where the image is missing.

        Raises
        ------
        ValueError
            If the network fails, or what it gives cannot be meant in this layout.
        """
        if frame.image is None:
            return Detections.empty()
        height, width = frame.image.shape[:2]
        places = windows(width, height, self._config.tiles, self._config.tile_overlap)
        before, parts = self._left_out, []
        for start in range(0, len(places), AT_ONCE):
            parts += self._detect_in(frame.image, places[start : start + AT_ONCE])
        if self._left_out and not before:
            log.warning(
                "frame %d: %s gave %d boxes or scores that are none (NaN, infinite, no area); "
                "they are left out, later ones too",
                *(frame.index, self._config.weights, self._left_out),
            )
        if self.layout.finished:
            return drop_copies(join(parts) if len(parts) == 1 else suppress(parts, self._config.max_overlap))
        return suppress(parts, self._config.max_overlap)

    def _detect_in(self, image: Image, places: Sequence[Window]) -> list[Detections]:
        """Detections in each window of an image."""
        height, width = image.shape[:2]
        views = [self._form.place(image[y0:y1, x0:x1], self._size) for x0, y0, x1, y1 in places]
        results = self._session.run_each(self._form.values([canvas for canvas, _, _ in views]))
        parts = []
        for outputs, (_, scale, shift), window in zip(results, views, places, strict=True):
            with np.errstate(invalid="ignore", over="ignore"):  # numbers that are none are left out and counted
                boxes, scores, labels = self._read(self.layout.read(outputs))
            boxes = (boxes - shift) / scale + np.tile(window[:2], 2)
            whole = valid(boxes)
            self._left_out += len(whole) - int(whole.sum())
            parts.append(Detections(boxes, scores, labels)[whole & uncut(boxes, window, width, height)])
        return parts

    def _read(self, found: Candidates) -> tuple[Float, Float, Int]:
        """Boxes [n 4], scores [n] and classes [n] of the chosen classes, from the least score on."""
        if found.labels is None:
            table = found.scores[:, self.chosen_classes]
            table = table if found.objectness is None else found.objectness * table
            best = table.argmax(axis=1)
            scores, labels = table[np.arange(len(table)), best], self.chosen_classes[best]
            chosen = np.ones(len(scores), bool)
        else:
            scores, labels = found.scores, found.labels
            chosen = np.isin(labels, self.chosen_classes)
        finite = np.isfinite(scores)
        self._left_out += len(finite) - int(finite.sum())
        self._require_plausible(scores[finite & (labels >= 0)], labels)
        rows = np.flatnonzero(chosen & finite & (scores >= self._config.min_score))
        return found.boxes[rows].astype(np.float64), scores[rows].astype(np.float64).clip(max=1.0), labels[rows]

    def _require_plausible(self, scores: Float32, labels: Int) -> None:
        """Refuse scores that are no probabilities, and classes beyond the known ones."""
        low, high = scores.min(initial=0.0), scores.max(initial=0.0)
        if low < -TOLERANCE or high > 1 + TOLERANCE:
            raise ValueError(
                f"{self._config.weights}: expected scores of 0 to 1 in the layout {self.layout.name}, got {low:.3g} to "
                f"{high:.3g}: is it another layout (detector.layout), or are these logits?"
            )
        if labels.max(initial=-1) >= len(self.class_names):
            raise ValueError(
                f"{self._config.weights}: expected classes 0 to {len(self.class_names) - 1}, got {labels.max()}: "
                "name the classes of this network in detector.names=FILE.txt"
            )


def _form(form: PictureForm, config: OnnxDetectorConfig) -> PictureForm:
    """How pictures are prepared: as the layout says, but for what the user says."""
    asked = {key: getattr(config, key) for key in ("scale", "mean", "deviation")}
    form = replace(form, **{key: value for key, value in asked.items() if value is not None})
    return form if config.channels is None else replace(form, bgr=config.channels == "bgr")


def _notes(layout: Layout, chosen: Int, probe: Probe, config: OnnxDetectorConfig) -> Iterator[str]:
    if layout.count is None and probe.classes is None:
        yield f"{config.weights} does not name its classes: taken as COCO's (others: detector.names=FILE.txt)"
    if config.classes is None and len(chosen) > 1:
        yield f"{config.weights} knows no class {class_names.PERSON}: all of its {len(chosen)} classes are kept"
    least = baked_score(probe)
    if config.min_score < least:
        yield (
            f"{config.weights} leaves out scores below {least:g} itself (it was exported with nms=True): "
            f"detector.min_score={config.min_score:g} finds no more"
        )
    if config.size is not None and config.size not in probe.size:
        width, height = probe.size
        yield f"detector.size={config.size}: {config.weights} takes pictures of {width}x{height} only"
