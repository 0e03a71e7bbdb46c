"""Detections from a file: MOTChallenge rows, a table with a header, our JSON, DeepSORT's array, YOLO's labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flatsort.tracker.class_names import parse_classes
from flatsort.tracker.detectors import DETECTORS
from flatsort.tracker.io.box_files import FORMATS
from flatsort.tracker.io.mot import DetectionFile, read_detection_file
from flatsort.tracker.io.yolo_labels import YoloLabels, in_pixels, read_yolo_labels
from flatsort.tracker.registry import PartConfig, require
from flatsort.tracker.types import Detections, Frame


@dataclass(frozen=True)
class MotFileConfig(PartConfig):
    """The file, and which of its detections are used."""

    name: str = "mot"
    path: str = ""
    """FILE.txt with one detection a line: frame, id, left, top, width, height, score, class; FILE.csv with a header
    that names the columns; FILE.json of tracks; FILE.npy, DeepSORT's array of rows, where columns from the eleventh on
    are the detections' latents; or a folder of YOLO's labels."""
    format: str = "auto"
    """auto (by name and content), mot (rows without a header), csv (with one), json or npy."""
    classes: Any = None
    """Names or numbers of the classes to keep (car, "car, 2", [car, 2]); none: all. A tuple of texts, or None, once it
    is read."""
    min_score: float | None = None
    """Minimum score, on the scale of the file, which need not be 0..1; None: all detections are used."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", parse_classes(self.classes))
        require(self, "detector", ("format", self.format in FORMATS, f"one of {', '.join(FORMATS)}"))


@DETECTORS.register("mot", MotFileConfig)
class MotFileDetector:
    """Detections of a file, by frame number.

    Parameters
    ----------
    config : MotFileConfig

    Attributes
    ----------
    class_names : sequence of str
        By the number of the class in the file: its name, or the number itself; one entry where the file has no classes.
    has_classes, has_latents : bool
        Whether the file has them.
    needs_image : bool
        Whether boxes are shares of the picture, of which the size then must be known.
    file : DetectionFile
        All detections; those of YOLO's labels after `follow`.
    length : int or None
        Last frame with a detection of any score and class; None if there is none, and for YOLO's labels until `follow`.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If no file is named, a row is no detection, or a class is asked for that the file does not have.
    """

    def __init__(self, config: MotFileConfig) -> None:
        if not config.path:
            raise ValueError("detector.path: expected the FILE.txt, .csv, .json or .npy of the detections, got nothing")
        self._config = config
        self._labels: YoloLabels | None = None
        path = Path(config.path)
        if config.format == "auto" and path.is_dir():
            self._labels = read_yolo_labels(path)
            file = DetectionFile(path, {}, self._labels.class_names)
            self.length: int | None = None
        else:
            file = read_detection_file(path, config.format)  # type: ignore[arg-type]  # was checked
            self.length = max(file.frames, default=None)
        self.file = file
        self.needs_image = self._labels is not None
        self.has_classes = bool(file.class_names)
        names = [file.class_names.get(number, str(number)) for number in range(max(file.class_names, default=-1) + 1)]
        self.class_names: Sequence[str] = names or ("object",)
        self._detections = self._chosen(file)
        self.has_latents = not self.needs_image and all(z.latents is not None for z in self._detections.values())

    def follow(self, pictures: Sequence[str | None]) -> None:
        """Take the frames of YOLO's labels from the names of the pictures, None for a frame without one; once.

        Raises
        ------
        ValueError
            If they are of other names, without a number of a frame.
        """
        if self._labels is not None:
            file = self._labels.by_frame(pictures)
            self.file, self.length = file, max(file.frames, default=None)
            self._detections = self._chosen(file)

    def _chosen(self, file: DetectionFile) -> dict[int, Detections]:
        frames, least = file.of_classes(self._config.classes).frames, self._config.min_score
        return frames if least is None else {index: rows[rows.scores >= least] for index, rows in frames.items()}

    def detect(self, frame: Frame) -> Detections:
        """The detections of this frame, in the order of the file."""
        detections = self._detections.get(frame.index, Detections.empty())
        if not self.needs_image:
            return detections
        if frame.image is None:
            return Detections.empty()
        height, width = frame.image.shape[:2]
        return in_pixels(detections, width, height)
