"""What ``import flatsort`` offers as functions: trackers, videos, embedders."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flatsort.tools.runs.open_run import MOTION_TRACKER, open_embedder, open_run, track_config, with_calibration
from flatsort.tools.runs.track_run import track_run
from flatsort.tracker.io.live import LiveSource
from flatsort.tracker.io.video import open_source
from flatsort.tracker.pipeline import Run
from flatsort.tracker.protocols import Detector, Embedder, FrameSource
from flatsort.tracker.registry import suggest
from flatsort.tracker.sort import SortTracker
from flatsort.tracker.track_config import TrackConfig, load_track_config
from flatsort.tracker.types import Float, Float32, FrameResult, Image

if TYPE_CHECKING:
    from flatsort.embedding.training.config import TrainConfig

log = logging.getLogger(__name__)


def load_tracker(
    tracker: str | Path | TrackConfig = "flatsort",
    overrides: Sequence[str] = (),
    *,
    embedder: str | Embedder | None = None,
    frame_rate: float | None = None,
) -> SortTracker:
    """A tracker with its embedder: a frame in, ids out.

    Parameters
    ----------
    tracker : str, Path or TrackConfig
        A name (``flatsort``, ``flat_vhp_vae_sort``, ``deep_sort``, ``bytetrack``, ``sort``, …), a ``FILE.yaml``, or a
        config.
    overrides : sequence of str
        ``key=value`` texts, as on the command line: ``lifecycle.max_age=2s``.
    embedder : str or Embedder, optional
        In place of the tracker's own: a name or file that `load_embedder` takes, or an object.
    frame_rate : float, optional
        Frames per second of what will be tracked, for lives in seconds and the noise of the filter; 30 by default.

    Returns
    -------
    SortTracker
        Its `update` takes boxes and an image, and gives one id a box; `step` takes `Detections` and gives `Tracks`.
        Tracks are reported as they come: smoothing needs a whole video, see `track`.

    Raises
    ------
    ValueError, OSError, ImportError
        If there is no such tracker, a key or value does not fit, or the embedder cannot be used.

    Examples
    --------
    >>> tracker = flatsort.load_tracker("flatsort")
    >>> for frame in flatsort.frames("street.mp4"):
    ...     ids = tracker.update(boxes, scores, image=frame.image)
    """
    _check_arguments(overrides, None, embedder)
    if isinstance(tracker, TrackConfig):
        config = replace(tracker, **_given(frame_rate=frame_rate))
        if overrides:
            raise ValueError("overrides: expected none beside a config, which has its values already")
    else:
        config = load_track_config(tracker, overrides, _given(frame_rate=frame_rate))
    if isinstance(embedder, str):
        config = replace(config, embedder=embedder)
    if not config.uses_appearance:
        if embedder is not None:
            log.warning("tracker %s does not use appearance: the embedder is left out", tracker)
        return SortTracker(config)
    chosen = embedder if embedder is not None and not isinstance(embedder, str) else open_embedder(config)
    config, note = with_calibration(config, chosen)
    if note:
        log.warning(note)
    components = config.embed.components
    return SortTracker(config, _FirstComponents(chosen, components) if chosen is not None and components else chosen)


def frames(source: str | Path, *, fps: float | None = None, images: bool = True) -> FrameSource:
    """The frames of a video, images, a MOTChallenge sequence, a camera or a stream; iterating twice starts again.

    Parameters
    ----------
    source : str or Path
        See `tracker.io.video.open_source`.
    fps : float, optional
        Frames per second, instead of what the source says.
    images : bool
        Without them nothing is decoded and every ``Frame.image`` is None.

    Raises
    ------
    ValueError, OSError
        If there is no such source or it cannot be read.
    """
    return open_source(str(source), images=images, fps=fps)


def track(
    source: str | Path,
    tracker: str | Path | None = None,
    overrides: Sequence[str] = (),
    *,
    detector: str | Detector | None = None,
    embedder: str | Embedder | None = None,
    smooth: bool | None = None,
    fps: float | None = None,
    frames: int | None = None,
    images: bool | None = None,
    stride: int | None = None,
    check: bool = True,
    **options: Any,
) -> Iterator[FrameResult]:
    """Track a source, as ``flatsort track`` does: each frame with its detections, their latents, and tracks.

    Parameters
    ----------
    source : str or Path
        A video, images, a MOTChallenge sequence, a detection file, a camera or a stream.
    tracker : str or Path, optional
        A name or a ``FILE.yaml``. By default ``flatsort``, and ``sort_long`` where the source has no images.
    overrides : sequence of str
        ``key=value`` texts, as on the command line.
    detector, embedder : str or object, optional
        Names, as on the command line, or objects that follow `Detector` and `Embedder`.
    smooth : bool, optional
        Smooth finished tracks and fill their gaps: the results then come once the source has ended. By default as the
        tracker's config says (``flatsort``: yes, but for live sources).
    fps : float, optional
        Frames per second, instead of what the source says.
    frames : int, optional
        Stop after this many.
    images : bool, optional
        Whether results have their images even where neither detector nor embedder needs them; by default where the
        source has any.
    stride : int, optional
        Work on every n-th frame; by default as the detections of a file come.
    check : bool
        Whether the detections of a file are compared with the source.
    **options
        ``detections``, ``file_format`` (``--format``), ``weights``, ``classes``, ``min_score``, ``camera``,
        ``embed_every``: as on the command line.

    Raises
    ------
    ValueError, OSError, ImportError
        If something cannot be used; before the first frame is read.
    """
    _check_arguments(overrides, detector, embedder, frames, options)
    named = {**_options(detector, embedder), **options}
    name = str(tracker or "flatsort")
    motion = {**named, "embedder": None, "embed_every": None}
    fallback = None if tracker or embedder is not None else partial(track_config, MOTION_TRACKER, overrides, **motion)
    run = open_run(
        str(source),
        track_config(name, overrides, **named),
        fps=fps,
        images=images,
        smooth=smooth,
        detector=None if isinstance(detector, str) else detector,
        embedder=None if isinstance(embedder, str) else embedder,
        fallback=fallback,
        stride=stride,
        check=check,
    )

    for note in run.notes:
        log.warning(note)
    return _results(run, frames, images is not False)


OPTIONS = ("detections", "file_format", "weights", "classes", "min_score", "camera", "embed_every")
"""Further options of `track`."""
OF_NAMED_DETECTORS = ("detections", "file_format", "weights", "classes")


def _check_arguments(
    overrides: Sequence[str],
    detector: object,
    embedder: object,
    frames: int | None = None,
    options: Mapping[str, Any] | None = None,
) -> None:
    """Refuse what would be left out without a word, or fail at the first frame."""
    if isinstance(overrides, str):
        raise ValueError(f"overrides: expected a list of key=value texts, got the text {overrides!r}")
    given = {name: value for name, value in (options or {}).items() if value is not None}
    unknown = [name for name in given if name not in OPTIONS]
    if unknown:
        raise ValueError(f"unknown option {unknown[0]!r}{suggest(unknown[0], OPTIONS)}")
    if frames is not None and (not isinstance(frames, int) or frames < 1):
        raise ValueError(f"frames: expected 1 or more, got {frames!r}")
    for name, part, verbs in (("detector", detector, ("detect",)), ("embedder", embedder, ("dim", "embed"))):
        if part is None or isinstance(part, str):
            continue
        if isinstance(part, type):
            raise ValueError(f"{name}: expected an object, got the class {part.__name__}; write {part.__name__}()")
        missing = [verb for verb in verbs if not hasattr(part, verb)]
        if missing:
            expected = " and ".join(verbs)
            raise ValueError(f"{name} {type(part).__name__}: expected an object with {expected}, has no {missing[0]}")
    if detector is not None and not isinstance(detector, str):
        useless = [name for name in OF_NAMED_DETECTORS if name in given]
        keys = [text for text in overrides if text.startswith(("detector.", "detector="))]
        if useless or keys:
            raise ValueError(f"{(useless + keys)[0]}: expected none beside a detector that is an object")


def load_embedder(embedder: str | Path, device: str = "auto", **settings: Any) -> Embedder:
    """An embedder, whose ``embed(images, boxes)`` gives the latents of all boxes of all images in one batch.

    Parameters
    ----------
    embedder : str or Path
        A shipped name (``flat_vhp_vae``, ``vhp_vae``, ``pixels``), a ``FILE.safetensors``, a ``FILE.onnx``, or the
        folder of a training run.
    device : str
        auto (a GPU where there is one), cpu, cuda, …
    **settings
        Of the embedder's config.

    Raises
    ------
    ValueError, OSError, ImportError
        If there is no such embedder, or it cannot be used.
    """
    from flatsort.embedding.loading import load

    return load(embedder, device, **settings)


def train(
    config: str | Path | TrainConfig,
    data: str | Path | Sequence[str | Path],
    out: str | Path,
    overrides: Sequence[str] = (),
    *,
    resume: bool = False,
    overwrite: bool = False,
    device: str = "auto",
) -> Path:
    """Train an embedder without labels, as ``flatsort train`` does, and give the path of its checkpoint.

    Parameters
    ----------
    config : str, Path or TrainConfig
        Name of a recipe under ``configs/train`` (``flat_vhp_vae``, …), a ``FILE.yaml``, or a config.
    data : str, Path or sequence of them
        Sets of ``flatsort crop``, folders of images, or names of rendered data sets.
    out : str or Path
        Folder of the run.
    overrides : sequence of str
        ``key=value`` texts, as on the command line: ``steps=2000``.
    resume, overwrite : bool
        Go on with the run in ``out``, or delete it.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:NUMBER``.

    Raises
    ------
    ValueError, OSError
        If config, data or ``out`` cannot be used, or a loss is NaN or infinite.
    """
    from flatsort.embedding.data.sources import gather
    from flatsort.embedding.training.config import TrainConfig
    from flatsort.embedding.training.loop import train as train_model
    from flatsort.tracker.config import find, load, override

    chosen = (
        override(config, overrides)
        if isinstance(config, TrainConfig)
        else load(TrainConfig, find("train", config), overrides)
    )
    sources = [str(data)] if isinstance(data, (str, Path)) else [str(each) for each in data]
    samples = gather(sources, chosen.model.shape, Path(out) / "data").data
    return train_model(chosen, samples, out, resume=resume, overwrite=overwrite, device=device)


def export_embedder(model: str | Path, path: str | Path) -> float:
    """Write the embedding of a model as an ONNX file, checked against torch, and give the largest difference.

    Parameters
    ----------
    model : str or Path
        A shipped name, a ``FILE.safetensors``, or the folder of a training run.
    path : str or Path
        The ``FILE.onnx`` to write.

    Raises
    ------
    ValueError, OSError, ImportError
        If it is no model of this project, or the file cannot be written.
    """
    from flatsort.embedding.export import export
    from flatsort.embedding.loading import load_checkpoint_model

    return export(load_checkpoint_model(model), path)


class _FirstComponents:
    """The first components of the latents of another embedder (``embed.components``)."""

    def __init__(self, embedder: Embedder, dim: int) -> None:
        self.dim = dim
        self._embedder = embedder

    def embed(self, images: Sequence[Image], boxes: Sequence[Float]) -> list[Float32]:
        return [latents[:, : self.dim] for latents in self._embedder.embed(images, boxes)]


def _results(run: Run, frames: int | None, images: bool) -> Iterator[FrameResult]:
    """The results of a run; a live source is closed at their end."""
    with closing(run.source) if isinstance(run.source, LiveSource) else nullcontext():
        yield from track_run(run, run.tracker(), frames=frames, images=images)


def _options(detector: str | Detector | None, embedder: str | Embedder | None) -> dict[str, Any]:
    """Parts that are named, not given as objects."""
    return {
        "detector": detector if isinstance(detector, str) else None,
        "embedder": embedder if isinstance(embedder, str) else None,
    }


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
