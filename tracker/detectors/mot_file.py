"""Detections that a file holds already, in the layout of the MOTChallenge or of DeepSORT."""

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
    """Which file, and how sure its detections must be."""

    name: str = "mot"
    path: str = ""
    """FILE.txt with one detection a line: frame, id, left, top, width, height, score, …; or FILE.npy, DeepSORT's array
    of such rows, where columns from the eleventh on are the detections' latents."""
    min_score: float | None = None
    """Least score in the file's own scale, which need not be 0..1; None keeps all."""


@DETECTORS.register("mot", MotFileConfig)
class MotFileDetector:
    """The detections of a file, by the number of the frame.

    Parameters
    ----------
    config : MotFileConfig

    Attributes
    ----------
    length : int or None
        Last frame that the file names, whatever the score; None if it names none.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If no file is named, or a row of it is no detection.
    """

    class_names: Sequence[str] = ("object",)
    needs_image = False

    def __init__(self, config: MotFileConfig) -> None:
        if not config.path:
            raise ValueError("detector.path: expected the FILE.txt or FILE.npy of the detections, got nothing")
        found = read_detections(Path(config.path))
        self.length: int | None = max(found, default=None)
        if config.min_score is not None:
            found = {index: some[some.scores >= config.min_score] for index, some in found.items()}
        self._found = found

    def detect(self, frame: Frame) -> Detections:
        """Look up the detections of this frame in the order of the file; none if the file does not name the frame."""
        return self._found.get(frame.index, Detections.empty())
