"""One run: a sequence's detections through the same embedder and tracker as in ``flatsort track``, timed and scored."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
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
from flatsort.tools.experiments.timing import TimedEmbedder, TimedTracker, one_thread
from flatsort.tools.runs import appearance
from flatsort.tools.runs.track_run import AUTO, TrackConfig
from flatsort.tracker.config import to_mapping
from flatsort.tracker.io.mot import read_table
from flatsort.tracker.io.results import MotSink
from flatsort.tracker.io.video import open_source
from flatsort.tracker.latent_reuse import EmbedConfig
from flatsort.tracker.metrics import evaluate_tables
from flatsort.tracker.pipeline import at_rate, embed, smoothed, track
from flatsort.tracker.protocols import Embedder
from flatsort.tracker.types import Detections, Float, Float32, Frame

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
        appearance.require_latents(config, sequence.name)
    moving = config.camera.method != "none"
    run = result_cache.digest(
        sequence.name,
        to_mapping(replace(config, detector=AUTO, embedder="", embed=EmbedConfig(components=config.embed.components))),
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
    config = appearance.with_prior(task.config, _embedder(task.config.embedder) if looks else None)
    tracker = TimedTracker(at_rate(config, sequence.fps))
    size = looks.size if looks else sequence.picture
    with one_thread(), TemporaryDirectory(prefix="flatsort-") as folder:
        with MotSink(Path(folder) / "tracks.txt") as sink:
            results = list(track(_seen(task, looks), tracker, size))
            for result in smoothed(results, config.smooth) if config.offline else results:
                sink.write(result)
        tracks = named(read_table(sink.path), sequence.name)
    done = Finished(
        tracks=tracks,
        association=1e6 * tracker.seconds / max(len(results), 1),
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
        [config.embed.batch, config.embed.longest(sequence.fps)],
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
    sequence, chosen = task.sequence, task.config.embed
    source = open_source(sequence.source, images=True, length=len(sequence.detections))
    seen = ((frame, _detections(sequence, frame)) for frame in source)
    embedder = TimedEmbedder(_embedder(task.config.embedder))
    latents, times = [np.empty((0, embedder.dim), np.float32)], []
    with one_thread(torch=True):
        for frame, each in embed(seen, embedder, batch=chosen.batch, longest=chosen.longest(sequence.fps)):
            assert each.latents is not None
            latents.append(each.latents)
            times.append(frame.time)
    return {
        "latents": np.concatenate(latents),
        "counts": np.array([len(each) for each in latents[1:]], np.int64),
        "times": np.array(times),
        "size": np.array(source.size or (0, 0)),
        "embedding": np.array(1e6 * embedder.seconds / max(len(times), 1)),
    }


def _seen(task: Task, looks: Looks | None) -> Iterator[tuple[Frame, Detections]]:
    """Each frame with its detections; pictures only where the camera's motion is asked for."""
    sequence = task.sequence
    images = task.config.camera.method != "none"
    motion_only = not appearance.needs_latents(task.config)
    if looks is not None and not images:
        frames: Iterable[Frame] = (Frame(index, None, float(time)) for index, time in enumerate(looks.times, 1))
    else:
        frames = open_source(sequence.source, images=images, length=len(sequence.detections))
    for frame in frames:
        found = _detections(sequence, frame)
        if looks is not None:
            latents = looks.latents[frame.index - 1]
            latents = latents[:, : task.config.embed.dim(latents.shape[1])]
            found = replace(found if len(latents) else Detections.empty(), latents=latents)
        elif motion_only and found.latents is not None:  # the features of a file would only cost time
            found = replace(found, latents=None)
        yield frame, found


def _detections(sequence: SequenceInput, frame: Frame) -> Detections:
    known = frame.index <= len(sequence.detections)
    return sequence.detections[frame.index - 1] if known else Detections.empty()
