"""A run of one tracker on one sequence, as ``flatsort track`` does it, from given detections; timed and scored."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from itertools import count, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flatsort.tools.experiments import result_cache
from flatsort.tools.experiments.result_cache import Cache
from flatsort.tools.experiments.results import BenchmarkSequence, FinishedRun, run_from_arrays, run_to_arrays, with_name
from flatsort.tools.experiments.sequences import image_files_of
from flatsort.tools.runs.open_run import require_latents, resolve
from flatsort.tools.runs.timing import Stopwatch, one_thread
from flatsort.tracker.config import to_mapping
from flatsort.tracker.io.mot import read_table
from flatsort.tracker.io.results import MotSink
from flatsort.tracker.io.video import open_source
from flatsort.tracker.latent_reuse import EmbedConfig
from flatsort.tracker.metrics import evaluate_tables
from flatsort.tracker.pipeline import Run
from flatsort.tracker.protocols import Embedder, FrameSource
from flatsort.tracker.track_config import AutoDetectorConfig, TrackConfig
from flatsort.tracker.types import Detections, Float, Float32, Frame

LOG = logging.getLogger(__name__)
LATENTS, RUNS = "latents", "runs"
"""Folders of the cache."""


@dataclass(frozen=True, eq=False)
class SequenceLatents:
    """Latents of the detections of a sequence.

    Attributes
    ----------
    latents : list of float32 [n d]
        One array per frame; without rows where the image could not be read.
    times : float64 [f]
        Time of each frame in seconds.
    size : tuple of int or None
        Width and height of the images.
    embedding : float
        Microseconds per frame.
    """

    latents: Sequence[Float32]
    times: Float
    size: tuple[int, int] | None
    embedding: float


@dataclass(frozen=True, eq=False)
class TrackingTask:
    """One tracker to be run on one sequence.

    Attributes
    ----------
    config : TrackConfig
    sequence : BenchmarkSequence
    latents, run : str
        Keys in the cache; ``latents`` is empty where nothing is embedded.
    """

    config: TrackConfig
    sequence: BenchmarkSequence
    latents: str
    run: str


def plan(config: TrackConfig, sequence: BenchmarkSequence) -> TrackingTask:
    """The task of running a tracker on a sequence, with the cache keys of its results.

    Raises
    ------
    ValueError, FileNotFoundError
        If there is no such embedder, or the tracker compares latents or classes and there are none.
    """
    if config.per_class and not sequence.class_names:
        raise ValueError(f"{sequence.name}: per_class=true: expected a class in each detection, but the file has none")
    detections = result_cache.key_of_detections(sequence.detections)
    latents = _latents_key(config, sequence, detections) if config.embedder else ""
    if any(len(each) and each.latents is None for each in sequence.detections):
        require_latents(config, sequence.name)
    needs_images, components = config.camera.method != "none", EmbedConfig(components=config.embed.components)
    run = result_cache.digest(
        sequence.name,
        to_mapping(replace(config, detector=AutoDetectorConfig(), embedder="", embed=components, tuned_on=[])),
        latents,
        detections,
        result_cache.key_of_files(image_files_of(sequence.source).files) if needs_images else None,
        sequence.fps,
        sequence.image_size,
        result_cache.key_of_ground_truth(sequence),
        *([sequence.classes, repr(sequence.scored)] if sequence.classes is not None or sequence.scored else []),
        *([str(sequence.numbers)] if sequence.numbers else []),
        result_cache.key_of_code(result_cache.RUNS_CODE),
    )
    return TrackingTask(config, sequence, latents, run)


def latents_of(task: TrackingTask, cache: Cache) -> SequenceLatents:
    """The latents of a task's detections, from the cache or computed with one thread."""
    stored = cache.load(LATENTS, task.latents)
    if stored is None:
        stored = _embed(task)
        cache.store(LATENTS, task.latents, stored)
    ends = np.cumsum(stored["counts"]).tolist()
    width, height = stored["size"].tolist()
    return SequenceLatents(
        latents=[stored["latents"][start:end] for start, end in pairwise([0, *ends])],
        times=stored["times"],
        size=(width, height) if width else None,
        embedding=float(stored["embedding"]),
    )


def cached_run(task: TrackingTask, cache: Cache) -> FinishedRun | None:
    """The task's finished run from the cache; None if it is not there."""
    stored = cache.load(RUNS, task.run)
    return None if stored is None else run_from_arrays(stored, task.sequence.name)


def run(task: TrackingTask, cache: Cache) -> FinishedRun:
    """Track and score the sequence of a task, or take the run from the cache.

    The result rows are those that ``flatsort track`` writes, down to their digits.

    Raises
    ------
    ValueError, OSError
        If an image, the embedder or the ground truth cannot be used.
    """
    done = cached_run(task, cache)
    if done is not None:
        return done
    sequence = task.sequence
    embedded = latents_of(task, cache) if task.latents else None
    opened = _open(task, embedded)
    for note in opened.notes:
        LOG.warning("%s: %s", sequence.name, note)
    stopwatch = Stopwatch(time.thread_time)
    with one_thread(), TemporaryDirectory(prefix="flatsort-") as folder:
        with MotSink(Path(folder) / "tracks.txt") as sink:
            stream = stopwatch.watch(opened.detect(_frames(opened, sequence)), "reading")
            results = list(stopwatch.watch(opened.track(stream, opened.tracker()), "association"))
            for result in opened.smooth(results) if opened.smooths else results:
                sink.write(result)
        tracks = with_name(read_table(sink.path), sequence.name)
    done = FinishedRun(
        tracks=tracks,
        association=1e6 * stopwatch.seconds["association"] / max(len(results), 1),
        embedding=embedded.embedding if embedded else 0.0,
        result=evaluate_tables(
            sequence.name,
            sequence.ground_truth,
            tracks,
            None,
            sequence.length,
            classes=sequence.classes,
            frames=sequence.scored,
        ),
    )
    cache.store(RUNS, task.run, run_to_arrays(done))
    return done


def _latents_key(config: TrackConfig, sequence: BenchmarkSequence, detections: str) -> str:
    from flatsort.embedding.loading import resolve_embedder

    kind, weights = resolve_embedder(config.embedder)
    return result_cache.digest(
        result_cache.key_of_content(weights) if weights else [kind, version("flatsort")],
        result_cache.key_of_code(result_cache.LATENTS_CODE, result_cache.LATENTS_TEXT),
        detections,
        result_cache.key_of_files(image_files_of(sequence.source).files),
        [config.embed.batch, config.embed.max_reuse(sequence.fps)],
        *([str(sequence.numbers)] if sequence.numbers else []),
        # whether there is a GPU, without importing torch, which takes seconds
        [shutil.which("nvidia-smi") is not None, os.environ.get("CUDA_VISIBLE_DEVICES")],
    )


def _embedder(name: str) -> Embedder:
    from flatsort import embedding
    from flatsort.embedding.loading import resolve_embedder

    # the clock would not count onnxruntime's own threads
    options: dict[str, Any] = {"threads": 1} if resolve_embedder(name)[0] == "onnx" else {}
    return embedding.load(name, **options)


def _embed(task: TrackingTask) -> dict[str, NDArray[Any]]:
    """Arrays of `SequenceLatents` with all numbers of each latent, computed with one thread."""
    sequence, config = task.sequence, task.config
    source = _open_frames(sequence, images=True)
    embedder = _embedder(config.embedder)
    all_components = replace(config, embed=replace(config.embed, components=0))
    opened = resolve(source, _SequenceDetector(sequence), all_components, embedder)
    # on the CPU, the time of other threads that decode images does not count; for a GPU, waiting counts
    device = getattr(embedder, "device", None)
    stopwatch = Stopwatch(time.thread_time if getattr(device, "type", "cpu") == "cpu" else time.perf_counter)
    latents, times = [np.empty((0, embedder.dim), np.float32)], []
    with one_thread(torch=True):
        stream = stopwatch.watch(opened.detect(_frames(opened, sequence)), "reading")
        for frame, each in stopwatch.watch(opened.embed(stream), "embedding"):
            assert each.latents is not None
            latents.append(each.latents)
            times.append(frame.time)
    return {
        "latents": np.concatenate(latents),
        "counts": np.array([len(each) for each in latents[1:]], np.int64),
        "times": np.array(times),
        "size": np.array(source.size or (0, 0)),
        "embedding": np.array(1e6 * stopwatch.seconds["embedding"] / max(len(times), 1)),
    }


def _open_frames(sequence: BenchmarkSequence, *, images: bool) -> FrameSource:
    """The frames of a sequence, numbered as its detections are."""
    frames = np.array(sequence.of_source, np.int64)
    return open_source(sequence.source, images=images, length=frames.max(initial=0) or None, frames=frames, stride=None)


def _frames(opened: Run, sequence: BenchmarkSequence) -> Iterator[Frame]:
    """The frames that the detections of a sequence are of."""
    frames = opened.frames()
    return (frame for frame in frames if frame.index in sequence.frames) if sequence.source_numbers else frames


def _open(task: TrackingTask, embedded: SequenceLatents | None) -> Run:
    """The run of a task with its known latents; images are read for the camera's motion only."""
    sequence, config = task.sequence, task.config
    needs_images = config.camera.method != "none"
    source: FrameSource
    if embedded is not None and not needs_images:
        source = _TimedFrames(sequence.name, sequence.fps, embedded.size, embedded.times, sequence.frames)
    else:
        source = _open_frames(sequence, images=needs_images)
    detector = _SequenceDetector(sequence, config, embedded)
    return resolve(source, detector, config, _embedder(config.embedder) if embedded else None)


@dataclass(frozen=True, eq=False)
class _TimedFrames:
    """Frames without images, whose times are known."""

    name: str
    fps: float
    size: tuple[int, int] | None
    times: Float
    numbers: range

    @property
    def length(self) -> int:
        return len(self.times)

    @property
    def lag(self) -> int:
        # single frames of a video may well be far apart
        every_one = self.numbers.step == 1 or len(self.times) < 2
        return 1 if every_one else max(1, round((self.times[1] - self.times[0]) * self.fps))

    def __iter__(self) -> Iterator[Frame]:
        numbers = count(self.numbers.start, self.numbers.step)
        return (Frame(index, None, float(time)) for index, time in zip(numbers, self.times, strict=False))


class _SequenceDetector:
    """The detections of a sequence with their latents: those of ``embedded``, else of the file where they are used."""

    class_names: Sequence[str] = ("object",)
    needs_image = False

    def __init__(
        self, sequence: BenchmarkSequence, config: TrackConfig | None = None, embedded: SequenceLatents | None = None
    ) -> None:
        self._sequence, self._config, self._embedded = sequence, config, embedded

    def detect(self, frame: Frame) -> Detections:
        place = self._sequence.at(frame.index)
        detections = Detections.empty() if place is None else self._sequence.detections[place]
        if self._config is None:
            return detections
        if self._embedded is not None:
            start, step = self._sequence.frames.start, self._sequence.frames.step
            latents = self._embedded.latents[(frame.index - start) // step]
            latents = latents[:, : self._config.embed.dim(latents.shape[1])]
            return replace(detections if len(latents) else Detections.empty(), latents=latents)
        if not self._config.uses_appearance and detections.latents is not None:
            return replace(detections, latents=None)  # comparing the features of the file would only take time
        return detections
