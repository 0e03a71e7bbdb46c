"""Detections from a file, in the format of the MOTChallenge or of DeepSORT."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flatsort.tracker.detectors import DETECTORS
from flatsort.tracker.io.mot import read_detections
from flatsort.tracker.registry import PartConfig
from flatsort.tracker.types import Detections, Frame


@dataclass(frozen=True)
class MotFileConfig(PartConfig):
    """The file, and the minimum score of its detections."""

    name: str = "mot"
    path: str = ""
    """FILE.txt with one detection a line: frame, id, left, top, width, height, score, …; or FILE.npy, DeepSORT's array
    of such rows, where columns from the eleventh on are the detections' latents."""
    min_score: float | None = None
    """Minimum score, on the scale of the file, which need not be 0..1; None: all detections are used."""


@DETECTORS.register("mot", MotFileConfig)
class MotFileDetector:
    """Detections of a file, by frame number.

    Parameters
    ----------
    config : MotFileConfig

    Attributes
    ----------
    length : int or None
        Last frame with a detection of any score; None if there is none.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If no file is named, or a row is no detection.
    """

    class_names: Sequence[str] = ("object",)
    needs_image = False

    def __init__(self, config: MotFileConfig) -> None:
        if not config.path:
            raise ValueError("detector.path: expected the FILE.txt or FILE.npy of the detections, got nothing")
        detections = read_detections(Path(config.path))
        self.length: int | None = max(detections, default=None)
        if config.min_score is not None:
            detections = {index: rows[rows.scores >= config.min_score] for index, rows in detections.items()}
        self._detections = detections

    def detect(self, frame: Frame) -> Detections:
        """The detections of this frame, in the order of the file."""
        return self._detections.get(frame.index, Detections.empty())
