"""Results of a benchmark: runs of systems on sequences, their scores, and finished runs as plain arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from flatsort.tools.experiments.published import PublishedRow
from flatsort.tracker.io.mot import MotTable
from flatsort.tracker.metrics import Evaluation, Scores, SequenceResult
from flatsort.tracker.metrics.clear import Counts, Timeline
from flatsort.tracker.metrics.hota import Hota
from flatsort.tracker.metrics.scored_frames import FrameSelection
from flatsort.tracker.types import Detections, Float32

Progress: TypeAlias = "Callable[[Iterable[Any], int, str], Iterator[Any]]"
"""Shows the progress of a loop: passes the items on, given their number and a label."""
COLUMNS = ("frames", "ids", "boxes", "scores", "classes", "visibility")
"""Arrays of a `MotTable`."""


@dataclass(frozen=True, eq=False)
class SystemRun:
    """Tracks of one system, with one training seed, on one sequence.

    Attributes
    ----------
    system : str
    seed : int or None
        Of the training of its embedder; None where nothing was learned or only one checkpoint is named.
    sequence : str
    tracks : MotTable
        The result rows.
    association, embedding : float
        Microseconds per frame, of one thread; embedding is 0 where nothing is embedded.
    """

    system: str
    seed: int | None
    sequence: str
    tracks: MotTable
    association: float
    embedding: float


@dataclass(frozen=True, eq=False)
class SystemResult:
    """A system on all sequences.

    Attributes
    ----------
    name : str
    description : str
        Tracker, embedder and overrides, in one line.
    learned : str
        "", "supervised" or "unsupervised": how its embedding was learned.
    evaluations : mapping of int to Evaluation
        By training seed; seed 0 for a system without seeds. Each has all sequences and OVERALL.
    runs : list of Run
    """

    name: str
    description: str
    learned: str
    evaluations: Mapping[int, Evaluation]
    runs: Sequence[SystemRun]

    @property
    def first(self) -> Evaluation:
        """The evaluation of the first seed, which the report's curves and timelines show."""
        return next(iter(self.evaluations.values()))


@dataclass(frozen=True, eq=False)
class BenchmarkSequence:
    """A sequence of a benchmark: its detections and its ground truth.

    Attributes
    ----------
    name : str
    source : str
        What `tracker.io.video.open_source` opens to read its images.
    detections : list of Detections
        One per frame, without those below the minimum score.
    fps : float
    image_size : tuple of int or None
        Width and height in pixels.
    ground_truth : MotTable
    length : int or None
        Frames that ``seqinfo.ini`` announces; None without one.
    class_names : mapping of int to str
        Classes of the detections; empty where their file has none.
    numbers : range
        Frame numbers of the detections; empty: 1, 2, 3, ….
    classes : tuple of str or None
        Classes of the ground truth that are scored; see `tracker.metrics.evaluate`.
    scored : FrameSelection or None
        Frames that are tracked and scored: there are no detections and no ground truth of others. None: all.
    source_numbers : range
        Frame numbers of the source, where these are more than those of the detections; else empty.
    """

    name: str
    source: str
    detections: Sequence[Detections]
    fps: float
    image_size: tuple[int, int] | None
    ground_truth: MotTable
    length: int | None = None
    class_names: Mapping[int, str] = field(default_factory=dict)
    numbers: range = range(0)
    classes: tuple[str, ...] | None = None
    scored: FrameSelection | None = None
    source_numbers: range = range(0)

    @property
    def frames(self) -> range:
        """Frame number of each entry of ``detections``."""
        return self.numbers or range(1, len(self.detections) + 1)

    @property
    def first_scored(self) -> int:
        """The first frame that is scored."""
        return (self.scored and self.scored.first) or 1

    @property
    def of_source(self) -> range:
        """Frame numbers of the source."""
        return self.source_numbers or self.frames

    def within(self, scored: FrameSelection) -> BenchmarkSequence:
        """The part of the sequence in these frames, in which trackers start anew.

        Raises
        ------
        ValueError
            If it has none of them.
        """
        frames = self.frames
        end = max(frames.stop - 1, self.length or 0)
        first, last = scored.first or 1, min(scored.last or end, end)
        places = [place for place, frame in enumerate(frames) if first <= frame <= last]
        if not places:
            raise ValueError(f"{self.name}: expected a range in frames 1 to {end}, got {first}-{scored.last or ''}")
        part = slice(places[0], places[-1] + 1)
        return replace(
            self,
            detections=self.detections[part],
            ground_truth=self.ground_truth.take(
                (self.ground_truth.frames >= first) & (self.ground_truth.frames <= last)
            ),
            length=end,
            numbers=frames[part],
            scored=scored,
            source_numbers=frames,
        )

    def at(self, frame: int) -> int | None:
        """Place of a frame number in ``detections``; None if it is none of theirs."""
        frames = self.frames
        return (frame - frames.start) // frames.step if frame in frames else None


@dataclass(frozen=True, eq=False)
class Benchmark:
    """All results of a benchmark, from which the tables and the HTML report are written.

    Attributes
    ----------
    systems : mapping of str to SystemResult
        In the order of the config.
    sequences : mapping of str to BenchmarkSequence
    latents : mapping of (system, sequence) to list of float32 [n d]
        Of the first seed, one array per frame; absent where nothing is embedded.
    detections : str
        Name of the detections and their minimum score, in one line.
    notes : list of str
        Remarks below the tables: sources of the published rows, differences in the detections, …
    embedders : mapping of str to list of dict
        Measures of the embedders without a tracker, by system, one entry per seed; see
        `tools.experiments.embedder_traits.TRAITS`.
    published : list of PublishedRow
        Rows from a paper, shown beside the measured ones.
    key : str
        Cache key of everything that the runs were computed from.
    """

    systems: Mapping[str, SystemResult]
    sequences: Mapping[str, BenchmarkSequence]
    latents: Mapping[tuple[str, str], Sequence[Float32]]
    detections: str
    notes: Sequence[str] = field(default_factory=list)
    published: Sequence[PublishedRow] = ()
    key: str = ""
    embedders: Mapping[str, Sequence[Mapping[str, float]]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class FinishedRun:
    """Tracks of one system on one sequence, with their scores.

    Attributes
    ----------
    tracks : MotTable
    association, embedding : float
        Microseconds per frame, of one thread.
    result : SequenceResult
    """

    tracks: MotTable
    association: float
    embedding: float
    result: SequenceResult


def run_to_arrays(finished: FinishedRun) -> dict[str, NDArray[Any]]:
    """A finished run as arrays, which the cache can store."""
    result = finished.result
    plain = {
        "columns": finished.tracks.columns,
        "association": finished.association,
        "embedding": finished.embedding,
        "unusable": result.unusable,
        "ignored": result.ignored,
        "gt_labels": result.gt_labels,
        "pred_labels": result.pred_labels,
        "alphas": result.hota.alphas,
    }
    parts: dict[str, Mapping[str, Any]] = {
        "": plain,
        "tracks.": {name: getattr(finished.tracks, name) for name in COLUMNS},
        "counts.": asdict(result.counts),
        "timeline.": {f.name: getattr(result.timeline, f.name) for f in fields(Timeline)},
        "hota.": result.hota.fields,
    }
    return {prefix + name: np.asarray(value) for prefix, part in parts.items() for name, value in part.items()}


def run_from_arrays(arrays: Mapping[str, NDArray[Any]], name: str) -> FinishedRun:
    """The finished run on sequence ``name`` from the arrays that `run_to_arrays` returned."""

    def part(prefix: str) -> dict[str, Any]:
        items = ((key.removeprefix(prefix), value) for key, value in arrays.items() if key.startswith(prefix))
        return {key: value if value.ndim else value.item() for key, value in items}

    tracks = MotTable(path=Path(f"{name}.txt"), columns=int(arrays["columns"]), **part("tracks."))
    counts, curves = Counts(**part("counts.")), Hota(arrays["alphas"], part("hota."))
    result = SequenceResult(
        name=name,
        scores=Scores(**counts.measures(), **curves.measures()),
        counts=counts,
        hota=curves,
        timeline=Timeline(**part("timeline.")),
        gt_labels=arrays["gt_labels"],
        pred_labels=arrays["pred_labels"],
        unusable=int(arrays["unusable"]),
        ignored=int(arrays["ignored"]),
    )
    return FinishedRun(tracks, float(arrays["association"]), float(arrays["embedding"]), result)


def with_name(table: MotTable, name: str) -> MotTable:
    """The table with the name of its sequence in place of the path of a temporary file."""
    return replace(table, path=Path(f"{name}.txt"))
