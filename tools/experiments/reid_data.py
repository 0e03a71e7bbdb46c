"""What ``flatsort retrieval`` reads and computes: labelled pictures, their latents, and a row for each comparison."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from flatsort.embedding import retrieval
from flatsort.embedding.data import sample_set
from flatsort.embedding.data.filename_labels import read_labels
from flatsort.embedding.retrieval import Labels, Ranking, Separation
from flatsort.tracker.images import images_of, read_image
from flatsort.tracker.io.mot import MotTable, read_table
from flatsort.tracker.io.video import open_source
from flatsort.tracker.protocols import Embedder
from flatsort.tracker.types import Float, Float32, Image, Int

FRAMES, PICTURES = 8, 128
"""Embedded in one call: frames of a sequence, pictures of one object each."""
PEDESTRIANS = (-1, 1)
"""Classes of a ground truth: files without the column, and MOTChallenge's pedestrian."""
MEASURES = ("rank-1", "rank-5", "rank-10", "mAP", "AUC", "next-frame AUC")


@dataclass(frozen=True, eq=False)
class Piece:
    """Some images, the boxes in each, and what is known of all boxes in their order."""

    images: list[Image]
    boxes: list[Float]
    labels: Labels


@dataclass(frozen=True)
class Labelled:
    """Pictures whose objects are known.

    Attributes
    ----------
    name : str
    pieces : callable
        Starts reading.
    total : int
        Pieces, about, for a progress bar.
    stride : int
        Every how many frames a query is taken; 1 where there are no frames. The frame after each is read too.
    boxes : bool
        Whether the boxes can tell which of successive frames are one object.
    track : int64 [n] or None
        Tracklets of the samples, where a set has them.
    """

    name: str
    pieces: Callable[[], Iterator[Piece]]
    total: int
    stride: int = 1
    boxes: bool = False
    track: Int | None = None


@dataclass(frozen=True, eq=False)
class Embedded:
    """Latents of labelled pictures by each of some embedders."""

    source: Labelled
    labels: Labels
    boxes: Float
    latents: list[Float32] = field(repr=False)


def open_labelled(text: str, *, stride: int = 1, min_height: float = 0.0, layout: str = "auto") -> Labelled:
    """What ``--data`` names: a MOTChallenge sequence, a set of samples, or a folder of pictures.

    Parameters
    ----------
    text : str
        A folder; of a sequence, ``FOLDER@N`` takes every n-th frame.
    stride : int
        Of sequences without ``@N``.
    min_height : float
        Of a sequence's boxes, pixels.
    layout : str
        Of the pictures' names; see `embedding.data.filename_labels`.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such folder, or it holds nothing that is labelled.
    """
    path = Path(text)
    head, mark, tail = text.rpartition("@")
    if mark and tail.isdecimal() and not path.exists():
        path, stride = Path(head), int(tail)
    if stride < 1:
        raise ValueError(f"{text}: expected to take every frame or every n-th, got {stride}")
    if not path.is_dir():
        raise FileNotFoundError(
            f"{path}: no such folder, expected a sequence, a set of samples or a folder of pictures"
        )
    name = path.resolve().name
    if (path / "gt" / "gt.txt").is_file():
        return _sequence(path, name, stride, min_height)
    if (path / sample_set.NAMES).is_file():
        return _set(sample_set.open_set(path), name)
    return _pictures(path, name, layout)


def embed(
    source: Labelled,
    embedders: Sequence[Embedder],
    shown: Callable[[Labelled], Iterable[Piece]] = lambda source: source.pieces(),
) -> Embedded:
    """Read the pictures once and embed them with every embedder.

    Raises
    ------
    ValueError
        If no picture that can be read is labelled.
    """
    labels, boxes = [Labels.of(0)], [np.empty((0, 4))]
    latents: list[list[Float32]] = [[] for _ in embedders]
    for piece in shown(source):
        labels.append(piece.labels)
        boxes += piece.boxes
        for found, embedder in zip(latents, embedders, strict=True):
            found += [np.asarray(part, np.float32) for part in embedder.embed(piece.images, piece.boxes)]
    columns = {name: np.concatenate([part.columns()[name] for part in labels]) for name in labels[0].columns()}
    joined = Labels(**columns)
    if not (joined.identity >= 0).any():
        raise ValueError(
            f"{source.name}: expected pictures with identities, none of {len(joined)} that could be read has one"
        )
    return Embedded(source, joined, np.concatenate(boxes), [np.concatenate(found) for found in latents])


def compare_one(data: Embedded, index: int) -> tuple[list[Ranking], Separation | None]:
    """Rankings of an embedder by every protocol that the labels allow, and distances from one frame to the next."""
    labels, latents = data.labels, data.latents[index]
    queried = (labels.frame - 1) % data.source.stride == 0 if data.source.boxes else np.ones(len(labels), bool)
    chosen = labels.take(queried)
    try:
        rankings = [retrieval.rank(latents[queried], chosen, name) for name in retrieval.protocols_for(chosen)]
    except ValueError as error:
        raise ValueError(f"{data.source.name}: {error}") from error
    timed = labels.frame.min() >= 0
    following = retrieval.between_frames(latents, labels.identity, labels.frame, labels.sequence) if timed else None
    return rankings, following if following is not None and following.complete else None


def unlabelled_pairs(data: Embedded, index: int) -> tuple[Float, Float]:
    """Distances of pairs that motion tells to be one object, and two; none where there are neither boxes nor tracks."""
    labels, latents = data.labels, data.latents[index]
    if data.source.boxes:
        return retrieval.pairs_from_boxes(labels.frame, data.boxes, latents)
    if data.source.track is not None:
        return retrieval.pairs_from_tracks(labels.sequence, labels.frame, data.source.track, latents)
    return np.empty(0), np.empty(0)


def measures(ranking: Ranking, following: Separation | None) -> dict[str, float | None]:
    """The row of a table, by the names in `MEASURES`."""
    values = [ranking.rank(1), ranking.rank(5), ranking.rank(10), ranking.mean_average_precision]
    values += [ranking.separation.auc, following.auc if following else None]
    return dict(zip(MEASURES, values, strict=True))


def spread(runs: Sequence[dict[str, float | None]]) -> dict[str, tuple[float, float] | None]:
    """Mean and standard deviation (of the sample; 0 of a single run) of each measure; None where a run has none."""
    found: dict[str, tuple[float, float] | None] = {}
    for name in MEASURES:
        values = [run[name] for run in runs]
        known = [v for v in values if v is not None]
        deviation = statistics.stdev(known) if len(known) > 1 else 0.0
        found[name] = (statistics.fmean(known), deviation) if known and len(known) == len(values) else None
    return found


def _sequence(folder: Path, name: str, stride: int, min_height: float) -> Labelled:
    table = read_table(folder / "gt" / "gt.txt")
    place = (table.frames - 1) % stride
    tall = table.boxes[:, 3] - table.boxes[:, 1] >= min_height
    kept = (place <= 1) & tall & (table.scores > 0) & np.isin(table.classes, PEDESTRIANS)
    if not kept.any():
        raise ValueError(f"{table.path}: expected boxes of pedestrians, {min_height:g} px high or more; got none")
    source = open_source(str(folder))

    def pieces() -> Iterator[Piece]:
        frames = ((f.index, f.image) for f in source)
        shown = ((index, image) for index, image in frames if image is not None and (index - 1) % stride <= 1)
        while batch := list(islice(shown, FRAMES)):
            yield _frames(table, kept, batch)

    periods, rest = divmod(source.length or 0, stride)
    read = periods * min(stride, 2) + min(rest, 2)  # each frame that is asked, and the one after it
    return Labelled(name, pieces, -(-read // FRAMES), stride, boxes=True)


def _frames(table: MotTable, kept: Any, batch: list[tuple[int, Image]]) -> Piece:
    rows = [np.flatnonzero(kept & (table.frames == index)) for index, _ in batch]
    joined = np.concatenate(rows)
    labels = Labels.of(
        len(joined),
        identity=table.ids[joined],
        frame=table.frames[joined],
        sequence=np.zeros(len(joined), np.int64),
    )
    return Piece([image for _, image in batch], [table.boxes[r] for r in rows], labels)


def _set(data: sample_set.SampleSet, name: str) -> Labelled:
    if data.samples.ndim != 4:
        raise ValueError(f"{name}: expected a set of images, got one of vectors {data.shape}")
    labels = Labels.of(len(data), **data.columns)

    def pieces() -> Iterator[Piece]:
        for start in range(0, len(data), PICTURES):
            rows = np.arange(start, min(start + PICTURES, len(data)))
            colour = [np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image for image in data.samples[rows]]
            yield _whole([np.array(image) for image in colour], labels.take(rows))

    track = data.columns["track"]
    total = -(-len(data) // PICTURES)
    return Labelled(name, pieces, total, track=track if (track >= 0).any() else None)


def _pictures(folder: Path, name: str, layout: str) -> Labelled:
    paths = images_of(folder.rglob("*"))
    if not paths:
        raise ValueError(f"{folder}: expected gt/gt.txt, a set of samples or pictures, found none of them")
    found = read_labels(paths, folder, layout)
    sequences = {text: number for number, text in enumerate(sorted({x.sequence for x in found if x.sequence}))}
    labels = Labels.of(
        len(paths),
        identity=np.array([x.identity for x in found]),
        camera=np.array([x.camera for x in found]),
        sequence=np.array([sequences.get(x.sequence or "", -1) for x in found]),
        frame=np.array([x.frame for x in found]),
    )

    def pieces() -> Iterator[Piece]:
        for start in range(0, len(paths), PICTURES):
            images = [(row, read_image(paths[row])) for row in range(start, min(start + PICTURES, len(paths)))]
            rows = np.array([row for row, image in images if image is not None], np.int64)
            yield _whole([image for _, image in images if image is not None], labels.take(rows))

    return Labelled(name, pieces, -(-len(paths) // PICTURES))


def _whole(images: list[Image], labels: Labels) -> Piece:
    """A piece of pictures that show one object each."""
    boxes = [np.array([[0.0, 0.0, image.shape[1], image.shape[0]]]) for image in images]
    return Piece(images, boxes, labels)
