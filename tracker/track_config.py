"""A whole tracking system as one config: a tracker with its detector, its embedder and its smoothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flatsort.tracker.config import find, load, part
from flatsort.tracker.detectors import DETECTORS
from flatsort.tracker.latent_reuse import EmbedConfig
from flatsort.tracker.registry import PartConfig
from flatsort.tracker.smoothing import SmoothConfig
from flatsort.tracker.sort import SortConfig


@dataclass(frozen=True)
class AutoDetectorConfig(PartConfig):
    """A detector that is chosen once the source is known."""

    name: str = "auto"
    """auto: the detections that a source brings, else background subtraction."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Keys of the detector that will be chosen: those given as ``detector.min_score=0.1`` come here."""


@dataclass(frozen=True)
class TrackConfig(SortConfig):
    """A tracker with its detector, embedder and smoothing. ``configs/track`` holds differences from these defaults."""

    detector: PartConfig = part(DETECTORS, AutoDetectorConfig())
    """auto: the detections that a source brings, else background subtraction."""
    embedder: str = ""
    """Appearance: a name (flat_vhp_vae, pixels), FILE.safetensors, FILE.onnx or folder of a training run; "": none."""
    embed: EmbedConfig = EmbedConfig()
    """How often, and how many frames at a time, detections are embedded."""
    offline: bool = False
    """Smooth the finished tracks and fill their gaps at the end of a source; a live source has none."""
    smooth: SmoothConfig = SmoothConfig()
    """How tracks are smoothed."""
    tuned_on: list[str] = field(default_factory=list)
    """Names of the sequences that these parameters were tuned on; no benchmark reports scores on them."""

    @property
    def uses_appearance(self) -> bool:
        """Whether any stage of the association compares latents."""
        return any(stage.uses_latents for stage in self.stages.values())


def load_track_config(
    tracker: str | Path = "flatsort", overrides: Sequence[str] = (), values: Mapping[str, Any] | None = None
) -> TrackConfig:
    """The config of a tracker.

    Parameters
    ----------
    tracker : str or Path
        Name of a file under ``configs/track`` (``flatsort``, ``bytetrack``, …), or a ``FILE.yaml``.
    overrides : sequence of str
        ``key=value`` texts, as on the command line: ``lifecycle.max_age=2s``.
    values : mapping, optional
        Dotted keys and values, which go before ``overrides``.

    Raises
    ------
    ValueError
        If there is no such tracker, or a key or value does not fit.
    """
    return load(TrackConfig, find("track", tracker), overrides, values)
