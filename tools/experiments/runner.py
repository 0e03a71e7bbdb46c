"""One run: a sequence's detections through the same embedder and tracker as in ``flatsort track``, timed and scored."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flatsort.tools.experiments import result_cache
from flatsort.tools.experiments.finished_run import Finished, named, pack, unpack
from flatsort.tools.experiments.result_cache import Cache
from flatsort.tools.experiments.results import SequenceInput
from flatsort.tools.experiments.sequences import pictures_of
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
"""Kinds of entries in the cache."""


@dataclass(frozen=True, eq=False)
class Looks:
    """What the pictures of a sequence gave.

    Attributes
    ----------
    latents : list of float32 [n d]
        One array a frame; without rows where the picture could not be read.
    times : float64 [f]
        Seconds of each frame.
    size : tuple of int or None
        Width and height of the pictures.
    embedding : float
        Microseconds a frame.
    """

    latents: Sequence[Float32]
    times: Float
    size: tuple[int, int] | None
    embedding: float


@dataclass(frozen=True, eq=False)
class Task:
    """A tracker on a sequence.

    Attributes
    ----------
    config : TrackConfig
    sequence : SequenceInput
    latents, run : str
        Keys in the cache; that of the latents is empty where nothing is embedded.
    """

    config: TrackConfig
    sequence: SequenceInput
    latents: str
    run: str


def plan(config: TrackConfig, sequence: SequenceInput) -> Task:
    """The task of a tracker on a sequence, with the keys of what it makes.

    Raises
    ------
    ValueError, FileNotFoundError
        If there is no such embedder, or the tracker looks at latents and nothing gives any.
    """
    found = result_cache.of_detections(sequence.detections)
    latents = _latents_key(config, sequence, found) if config.embedder else ""
    if any(len(row) and row.latents is None for row in sequence.detections):
        require_latents(config, sequence.name)
    moving, cut = config.camera.method != "none", EmbedConfig(components=config.embed.components)
    run = result_cache.digest(
        sequence.name,
        to_mapping(replace(config, detector=AutoDetectorConfig(), embedder="", embed=cut)),
        latents,
        found,
        result_cache.of_files(pictures_of(sequence.source).files) if moving else None,
        sequence.fps,
        sequence.picture,
        result_cache.of_truth(sequence),
        result_cache.of_code(result_cache.TRACKING),
    )
    return Task(config, sequence, latents, run)


def see(task: Task, cache: Cache) -> Looks:
    """The latents of a task's detections, from the cache or computed with one thread."""
    stored = cache.load(LATENTS, task.latents)
    if stored is None:
        stored = _embedded(task)
        cache.store(LATENTS, task.latents, stored)
    ends = np.cumsum(stored["counts"]).tolist()
    width, height = stored["size"].tolist()
    return Looks(
        latents=[stored["latents"][start:end] for start, end in pairwise([0, *ends])],
        times=stored["times"],
        size=(width, height) if width else None,
        embedding=float(stored["embedding"]),
    )


def finished(task: Task, cache: Cache) -> Finished | None:
    """The task's run from the cache, None if it is to be done."""
    stored = cache.load(RUNS, task.run)
    try:
        return None if stored is None else unpack(stored, task.sequence.name)
    except KeyError:
        return None


def run(task: Task, cache: Cache) -> Finished:
    """Track and score the sequence of a task, or take the run from the cache.

    The result rows are those that ``flatsort track`` writes, down to their digits.

    Raises
    ------
    ValueError, OSError
        If a picture, the embedder or the truth cannot be used.
    """
    done = finished(task, cache)
    if done is not None:
        return done
    sequence = task.sequence
    looks = see(task, cache) if task.latents else None
    opened = _open(task, looks)
    for note in opened.notes:
        LOG.warning("%s: %s", sequence.name, note)
    stopwatch = Stopwatch(time.thread_time)
    with one_thread(), TemporaryDirectory(prefix="flatsort-") as folder:
        with MotSink(Path(folder) / "tracks.txt") as sink:
            stream = stopwatch.watch(opened.detect(opened.frames()), "reading")
            results = list(stopwatch.watch(opened.track(stream, opened.tracker()), "association"))
            for result in opened.smooth(results) if opened.smooths else results:
                sink.write(result)
        tracks = named(read_table(sink.path), sequence.name)
    done = Finished(
        tracks=tracks,
        association=1e6 * stopwatch.seconds["association"] / max(len(results), 1),
        embedding=looks.embedding if looks else 0.0,
        result=evaluate_tables(sequence.name, sequence.truth, tracks, None, sequence.length),
    )
    cache.store(RUNS, task.run, pack(done))
    return done


def _latents_key(config: TrackConfig, sequence: SequenceInput, detections: str) -> str:
    from flatsort.embedding.loading import find

    kind, weights = find(config.embedder)
    return result_cache.digest(
        result_cache.of_content(weights) if weights else [kind, version("flatsort")],
        result_cache.of_code(result_cache.EMBEDDING),
        detections,
        result_cache.of_files(pictures_of(sequence.source).files),
        [config.embed.batch, config.embed.max_reuse(sequence.fps)],
        # whether there is a GPU, told without the seconds that torch takes to start
        [shutil.which("nvidia-smi") is not None, os.environ.get("CUDA_VISIBLE_DEVICES")],
    )


def _embedder(name: str) -> Embedder:
    from flatsort import embedding
    from flatsort.embedding.loading import find

    # threads of onnxruntime's own would not be counted
    settings: dict[str, Any] = {"threads": 1} if find(name)[0] == "onnx" else {}
    return embedding.load(name, **settings)


def _embedded(task: Task) -> dict[str, NDArray[Any]]:
    """Whole latents of all detections, computed with one thread; see `see`."""
    sequence, config = task.sequence, task.config
    source = open_source(sequence.source, images=True, length=len(sequence.detections))
    embedder = _embedder(config.embedder)
    whole = replace(config, embed=replace(config.embed, components=0))
    opened = resolve(source, _SequenceDetector(sequence), whole, embedder)
    # images that are decoded beside do not count, where the embedder runs on the CPU; a GPU is waited for
    device = getattr(embedder, "device", None)
    stopwatch = Stopwatch(time.thread_time if getattr(device, "type", "cpu") == "cpu" else time.perf_counter)
    latents, times = [np.empty((0, embedder.dim), np.float32)], []
    with one_thread(torch=True):
        stream = stopwatch.watch(opened.detect(opened.frames()), "reading")
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


def _open(task: Task, looks: Looks | None) -> Run:
    """The run of a task, with the latents that are known; images only where the camera's motion is asked for."""
    sequence, config = task.sequence, task.config
    moving = config.camera.method != "none"
    source: FrameSource
    if looks is not None and not moving:
        source = _TimedFrames(sequence.name, sequence.fps, looks.size, looks.times)
    else:
        source = open_source(sequence.source, images=moving, length=len(sequence.detections))
    detector = _SequenceDetector(sequence, config, looks)
    return resolve(source, detector, config, _embedder(config.embedder) if looks else None)


@dataclass(frozen=True, eq=False)
class _TimedFrames:
    """Frames without images, whose times are known."""

    name: str
    fps: float
    size: tuple[int, int] | None
    times: Float

    @property
    def length(self) -> int:
        return len(self.times)

    def __iter__(self) -> Iterator[Frame]:
        return (Frame(index, None, float(time)) for index, time in enumerate(self.times, 1))


class _SequenceDetector:
    """The detections of a sequence, with the latents that are known: those of ``looks``, else their own if needed."""

    class_names: Sequence[str] = ("object",)
    needs_image = False

    def __init__(self, sequence: SequenceInput, config: TrackConfig | None = None, looks: Looks | None = None) -> None:
        self._sequence, self._config, self._looks = sequence, config, looks

    def detect(self, frame: Frame) -> Detections:
        known = frame.index <= len(self._sequence.detections)
        detections = self._sequence.detections[frame.index - 1] if known else Detections.empty()
        if self._config is None:
            return detections
        if self._looks is not None:
            latents = self._looks.latents[frame.index - 1]
            latents = latents[:, : self._config.embed.dim(latents.shape[1])]
            return replace(detections if len(latents) else Detections.empty(), latents=latents)
        if not self._config.uses_appearance and detections.latents is not None:
            return replace(detections, latents=None)  # the features of a file would only cost time
        return detections
