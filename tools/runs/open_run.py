"""One source with everything that it passes through: opened and resolved once, for every verb and for Python."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from flatsort.tools.runs.open_input import SourceOptions, check_detections, notes_on_input, open_input
from flatsort.tracker.class_names import parse_classes
from flatsort.tracker.config import restore_part
from flatsort.tracker.detectors import DETECTORS
from flatsort.tracker.detectors.mot_file import MotFileConfig, MotFileDetector
from flatsort.tracker.images import ValueRange
from flatsort.tracker.io.addresses import shown
from flatsort.tracker.io.live import LiveSource
from flatsort.tracker.io.video import TABLES
from flatsort.tracker.lifecycle import LifecycleConfig
from flatsort.tracker.pipeline import Run
from flatsort.tracker.protocols import Detector, Embedder, FrameSource
from flatsort.tracker.registry import PartConfig
from flatsort.tracker.track_config import AutoDetectorConfig, TrackConfig, load_track_config

MOTION_TRACKER = "sort_long"
"""Tracker of sources without images, where none is named."""
WITHOUT_LATENTS = ("background", "onnx", "torchvision")
"""Detectors whose detections never come with latents."""


def open_run(
    text: str,
    config: TrackConfig,
    *,
    fps: float | None = None,
    images: bool | None = False,
    smooth: bool | None = None,
    detector: Detector | None = None,
    embedder: Embedder | None = None,
    fallback: Callable[[], TrackConfig] | None = None,
    values: ValueRange | None = None,
    stride: int | None = None,
    check: bool = True,
) -> Run:
    """Open a source and whatever its frames pass through.

    Where the config names no detector, that is the detections which the source brings, or background subtraction.

    Parameters
    ----------
    text : str
        What `tracker.io.video.open_source` opens.
    config : TrackConfig
    fps : float, optional
        Frames per second, instead of what the source says.
    images : bool
        Whether images are needed even where neither detector nor embedder asks for them; None: where there are any.
    smooth : bool, optional
        In place of ``config.offline``.
    detector, embedder : Detector, Embedder, optional
        Objects in place of those that the config names.
    fallback : callable, optional
        Gives the config for a source without images, where the tracker compares appearance. None: that is refused.
    values : ValueRange, optional
        Of pictures with more than 256 levels, what is black and white.
    stride : int, optional
        Every how many frames; by default as the detections of a file come, else every one.
    check : bool
        Whether detections of a file are compared with the source; see `tracker.input_check`.

    Raises
    ------
    ValueError, OSError
        If the source, its detections or the weights cannot be used, the detections do not fit the source, or a live
        source shall be smoothed.
    """
    notes = []
    if detector is None:
        chosen, note = choose_detector(text, config.detector)
        config, detector = replace(config, detector=chosen), DETECTORS.build(chosen)
        notes.append(note)
    _require_detector(detector)
    if config.per_class and isinstance(detector, MotFileDetector) and not detector.has_classes:
        raise ValueError(f"{shown(text)}: per_class=true: expected a class in each detection, but the file has none")
    if (config.embedder or embedder is not None) and not config.uses_appearance:
        name = config.embedder or type(embedder).__name__
        notes.append(f"the tracker does not use appearance: {name} is left out")
        config, embedder = replace(config, embedder=""), None
    notes.append(_note_on_threshold(config))
    images = True if detector.needs_image or config.camera.method != "none" else images
    needs_embedder = bool(config.embedder) or embedder is not None
    options = SourceOptions(images, needs_embedder, fallback is not None, fps, values, stride)
    source, lack = open_input(text, detector, options)
    if smooth and isinstance(source, LiveSource):
        raise ValueError(f"{source.name}: --smooth needs a source that ends, got a live one")
    if lack and needs_embedder:
        if fallback is None:
            raise ValueError(f"{shown(text)}: expected images for the embedder {config.embedder}, but {lack}")
        notes.append(f"{shown(text)}: {lack}, so tracked by motion alone (--tracker {MOTION_TRACKER})")
        try:
            config, embedder = replace(fallback(), detector=config.detector), None
        except ValueError as error:  # keys of the other tracker
            raise ValueError(f"{notes[-1]}, but {error}") from error
    if embedder is None and not brings_latents(detector, config.detector):
        require_latents(config, text)
    notes += getattr(detector, "notes", ())
    notes += [_note_on_scores(config), *notes_on_input(text, detector, source, options)]
    if check:
        notes += check_detections(text, detector, source, config)
    if smooth is not None:
        config = replace(config, offline=smooth)
    return resolve(source, detector, config, embedder, notes)


def _require_detector(detector: object) -> None:
    """Refuse an object that lacks a part of the protocol, before its first frame."""
    missing = [name for name in ("class_names", "needs_image", "detect") if not hasattr(detector, name)]
    if missing:
        raise ValueError(
            f"detector {type(detector).__name__}: expected class_names, needs_image and detect, has no {missing[0]}"
        )


def resolve(
    source: FrameSource,
    detector: Detector,
    config: TrackConfig,
    embedder: Embedder | None = None,
    notes: Iterable[str] = (),
) -> Run:
    """A run of parts that are open already; the embedder is opened where the config names one."""
    if isinstance(config.detector, AutoDetectorConfig) and config.detector.settings:
        keys = ", ".join(f"detector.{key}" for key in config.detector.settings)
        raise ValueError(f"{source.name}: {keys}: expected no keys of a detector, since none is chosen")
    notes = list(notes)
    if embedder is None:
        embedder = open_embedder(config)
    config, note = with_calibration(config, embedder)
    if config.frame_rate is None:
        config = replace(config, frame_rate=source.fps)
    lag = getattr(source, "lag", 1)
    if lag > 1:
        config = replace(config, lifecycle=of_every_nth(config.lifecycle, lag))
    return Run(source, detector, config, embedder, tuple(filter(None, (*notes, note))))


def of_every_nth(lifecycle: LifecycleConfig, step: int) -> LifecycleConfig:
    """A lifecycle whose ``min_hits`` are frames of the source, of which every n-th is worked on.

    With three hits in every fifth frame, flatsort's IDF1 on PETS09-S2L1, TUD-Campus and ADL-Rundle-6 is 40.2, 42.6 and
    64.4, with one hit 42.2, 63.8 and 69.2. Lives stay numbers of frames worked on: shorter ones gain nothing.
    """
    return replace(lifecycle, min_hits=-(-lifecycle.min_hits // step))


def track_config(
    tracker: str = "flatsort",
    overrides: Sequence[str] = (),
    *,
    detections: str | None = None,
    file_format: str | None = None,
    detector: str | None = None,
    weights: str | None = None,
    classes: str | Sequence[str] | None = None,
    min_score: float | None = None,
    camera: str | None = None,
    embedder: str | None = None,
    embed_every: str | int | None = None,
    values: Mapping[str, Any] | None = None,
) -> TrackConfig:
    """The config of a tracker with what the options of ``flatsort track`` say; ``overrides`` go before them.

    Raises
    ------
    ValueError
        If there is no such tracker, options contradict each other, or a key or value does not fit.
    """
    if detections and detector not in (None, "mot"):
        raise ValueError(f"expected detections or the detector {detector}, got both")
    chosen = parse_classes(classes)
    named = detections or detector or any(o.startswith(("detector=", "detector.name=")) for o in overrides)
    if weights and not named:
        raise ValueError("weights: expected a detector that takes them (onnx, torchvision)")
    options = {
        "detector": "mot" if detections else detector,
        "detector.path": detections,
        "detector.weights": weights,
        "detector.format": file_format,
        "detector.classes": None if chosen is None else list(chosen),
        "min_score": min_score,
        "camera.method": camera,
        "embedder": embedder,
        "embed.every": int(embed_every) if isinstance(embed_every, str) and embed_every.isdecimal() else embed_every,
    }
    given = {**(values or {}), **{key: value for key, value in options.items() if value is not None}}
    config = load_track_config(tracker, overrides, given)
    if min_score is None or any(o.startswith("detector.min_score=") for o in overrides):
        return config
    part = config.detector
    if hasattr(part, "min_score"):
        return replace(config, detector=replace(part, min_score=min_score))  # type: ignore[call-arg]
    return config


def choose_detector(text: str, config: PartConfig) -> tuple[PartConfig, str]:
    """The detector of a source, and what the user should know of the choice.

    Raises
    ------
    ValueError
        If the detector is ``mot`` and the source brings no detections, or a setting is none of the chosen detector's.
    """
    path = Path(text)
    folder = path.parent if path.name == "img1" else path
    own = folder / "det" / "det.txt" if path.is_dir() else path
    exists = own.is_file() and own.suffix.lower() in TABLES
    if isinstance(config, AutoDetectorConfig):
        name = "mot" if exists else "background"
        note = (
            f"{shown(text)}: no detections and no --detector given: using background subtraction, which finds whatever "
            "moves before a fixed camera (others: --detector onnx or torchvision)"
        )
        try:
            config = restore_part(DETECTORS, {"name": name, **config.settings})
        except ValueError as error:
            raise ValueError(f"{shown(text)}: the detector is {name}, {error}") from error
        if not isinstance(config, MotFileConfig):
            return config, note
    if isinstance(config, MotFileConfig) and not config.path:
        if not exists:
            raise ValueError(f"{shown(text)}: expected detections in {own} for the detector mot, got no such file")
        config = replace(config, path=str(own))
    return config, ""


def brings_latents(detector: Detector, config: PartConfig) -> bool:
    """Whether the detections may have latents of their own: those of a file do or do not, an unknown detector may."""
    return detector.has_latents if isinstance(detector, MotFileDetector) else config.name not in WITHOUT_LATENTS


def require_latents(config: TrackConfig, where: str) -> None:
    """Refuse a tracker that compares appearance where neither an embedder nor the detections of ``where`` give latents.

    Raises
    ------
    ValueError
        If it does. The detections are taken to have none: ask only where that is so.
    """
    if config.uses_appearance and not config.embedder:
        raise ValueError(
            f"{where}: expected an embedder or detections with features, got neither; "
            "name one, such as embedder=flat_vhp_vae or embedder=FILE.onnx"
        )


def open_embedder(config: TrackConfig) -> Embedder | None:
    """The embedder that ``config.embedder`` names; None where it names none. Raises as `embedding.load`."""
    if not config.embedder:
        return None
    from flatsort import embedding

    return embedding.load(config.embedder)


def with_calibration(config: TrackConfig, embedder: Embedder | None) -> tuple[TrackConfig, str]:
    """The config with what is known of the embedder's latents, where it does not say so itself, and a note.

    That is the threshold to begin with, from the distances that the checkpoint holds: they were measured without
    labels on what the model was trained on, with whole latents. And it is whether latents are codes of −1 and 1, which
    are then kept as bits, unless the gallery keeps a mean of them.
    """
    appearance, note = config.appearance, ""
    if getattr(embedder, "binary", False) and config.gallery.supports_bits:
        appearance = replace(appearance, bits=True)
    card = getattr(embedder, "card", None)
    automatic = appearance.prior is None and appearance.threshold == "auto"
    if card is not None and embedder is not None and automatic:
        kept = config.embed.dim(embedder.dim)
        threshold = 0.0
        if kept < embedder.dim:
            note = f"embed.components={kept}: the checkpoint's calibration is of {embedder.dim} numbers and is not used"
        elif card.calibration is None:
            note = f"{config.embedder or 'the embedder'}: the checkpoint has no calibration of its distances"
        else:
            threshold = card.calibration.threshold(appearance.false_match_rate)
            note = "" if threshold else "the checkpoint's calibration gives a threshold of 0, which is not used"
        note = note and f"{note}; the appearance threshold starts with the first frame's pairs"
        appearance = replace(appearance, prior=threshold or None)
    return (config if appearance == config.appearance else replace(config, appearance=appearance)), note


def _note_on_threshold(config: TrackConfig) -> str:
    """A note where a fixed threshold meets an embedder whose distances it cannot know."""
    fixed = config.appearance.threshold
    if not config.embedder or isinstance(fixed, str) or Path(config.embedder).suffix == ".onnx":
        return ""
    return (
        f"appearance.threshold={fixed:g} is fixed: for the distances of {config.embedder} try appearance.threshold=auto"
    )


def _note_on_scores(config: TrackConfig) -> str:
    """A note where the detector drops scores that a stage of the tracker waits for."""
    least = getattr(config.detector, "min_score", None)
    low = min((s.min_score for s in config.stages.values() if s.min_score is not None), default=None)
    if least is None or low is None or least <= low:
        return ""
    return (
        f"the detector drops scores below {least:g}, the tracker uses those from {low:g} on: "
        f"try detector.min_score={low:g}"
    )
