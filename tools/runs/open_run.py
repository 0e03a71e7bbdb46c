"""Which detector a source gets, and what stands against its tracker before the first frame."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from flatsort.tracker.detectors.background import BackgroundConfig
from flatsort.tracker.detectors.mot_file import MotFileConfig, MotFileDetector
from flatsort.tracker.io.video import TABLES, FileSource
from flatsort.tracker.types import Frame

if TYPE_CHECKING:
    from flatsort.tools.runs.track_run import TrackConfig
    from flatsort.tracker.protocols import Detector, FrameSource
    from flatsort.tracker.registry import PartConfig

AUTO = "auto"
"""Name of no detector: choose one."""
BARE = ("background", "onnx", "torchvision")
"""Detectors whose detections never bring latents."""


def choose_detector(text: str, config: PartConfig) -> tuple[PartConfig, str]:
    """The detector for a source, and what the user should know of the choice.

    Raises
    ------
    ValueError
        If the detector is ``mot`` and the source brings no detections.
    """
    path = Path(text)
    folder = path.parent if path.name == "img1" else path
    own = folder / "det" / "det.txt" if path.is_dir() else path
    found = own.is_file() and own.suffix.lower() in TABLES
    if config.name == AUTO and found:
        return MotFileConfig(path=str(own)), ""
    if config.name == AUTO:
        return BackgroundConfig(), (
            f"{text}: no detections and no --detector given: using background subtraction, which finds whatever moves "
            "before a fixed camera (others: --detector onnx or torchvision)"
        )
    if isinstance(config, MotFileConfig) and not config.path:
        if not found:
            raise ValueError(f"{text}: expected detections in {own} for the detector mot, found no such file")
        config = replace(config, path=str(own))
    return config, ""


def brings_latents(detector: Detector, config: PartConfig) -> bool:
    """Whether the detections may have latents of their own: those of a file do or do not, an unknown detector may."""
    if not isinstance(detector, MotFileDetector):
        return config.name not in BARE
    frames = (Frame(index, None, 0.0) for index in range(1, (detector.length or 0) + 1))
    return all(found.latents is not None for found in map(detector.detect, frames) if len(found))


def lacking_pictures(source: FrameSource) -> str:
    """What is to be said of a source that comes without most of its pictures; else nothing."""
    if not isinstance(source, FileSource) or 2 * source.absent <= (source.length or 0):
        return ""
    return f"{source.absent} of {source.length} frames have no picture"


def note_on_scores(config: TrackConfig) -> str:
    """A word where the detector holds back scores that a stage of the tracker waits for."""
    least = getattr(config.detector, "min_score", None)
    low = min((s.min_score for s in config.stages.values() if s.min_score is not None), default=None)
    if least is None or low is None or least <= low:
        return ""
    return (
        f"the detector drops scores below {least:g}, the tracker looks from {low:g} on: try detector.min_score={low:g}"
    )
