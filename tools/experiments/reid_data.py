"""Data of person retrieval (re-ID): labelled images, their latents, rankings of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from flatsort.embedding import retrieval
from flatsort.embedding.data import sample_set
from flatsort.embedding.data.filename_labels import HINT, PATTERNS, read_labels
from flatsort.embedding.retrieval import Labels, Ranking, Separation
from flatsort.tools.runs.ground_truth import LabelledBoxes, open_labelled
from flatsort.tracker.images import images_of, read_image
from flatsort.tracker.io.mot import MotTable, read_table
from flatsort.tracker.protocols import Embedder
from flatsort.tracker.types import Float, Float32, Image, Int

FRAMES, CROPS = 8, 128
"""Embedded in one call: frames of a sequence, images of one object each."""
"""Classes of a ground truth: files without the column, and MOTChallenge's pedestrian."""
MEASURES = ("rank-1", "rank-5", "rank-10", "mAP", "AUC", "next-frame AUC")


@dataclass(frozen=True, eq=False)
class LabelledBatch:
    """Some images, the boxes in each, and the labels of all boxes in their order."""

    images: list[Image]
    boxes: list[Float]
    labels: Labels


@dataclass(frozen=True)
class LabelledImages:
    """Images of objects whose identities are known.

    Attributes
    ----------
    name : str
    batches : callable
        Starts reading.
    total : int
        Number of batches, for a progress bar.
    stride : int
        Frames from one query to the next; 1 where there are no frames. The frame after each query is read too.
    boxes : bool
        Whether boxes of successive frames can be associated without labels.
    track : int64 [n] or None
        Tracklets of the samples, where a set has them.
    note : str
        What was left out that users should know of.
    """

    name: str
    batches: Callable[[], Iterator[LabelledBatch]]
    total: int
    stride: int = 1
    boxes: bool = False
    track: Int | None = None
    note: str = ""


@dataclass(frozen=True, eq=False)
class EmbeddedImages:
    """Latents of labelled images by each of several embedders."""

    source: LabelledImages
    labels: Labels
    boxes: Float
    latents: list[Float32] = field(repr=False)


def open_labelled_images(
    text: str,
    *,
    stride: int = 1,
    min_height: float = 0.0,
    layout: str = "auto",
    labelled: LabelledBoxes | None = None,
    check: bool = True,
) -> LabelledImages:
    """The labelled images of ``--data``: a MOTChallenge sequence, a set of samples, or a folder of images.

    Parameters
    ----------
    text : str
        A folder; of a sequence, ``FOLDER@N`` takes every n-th frame.
    stride : int
        Of sequences without ``@N``.
    min_height : float
        Of a sequence's boxes, pixels.
    layout : str
        Of the images' names; see `embedding.data.filename_labels`.
    labelled : LabelledBoxes, optional
        Which boxes of a sequence's ground truth.
    check : bool
        Whether these are compared with the sequence's frames.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such folder, it holds no labelled images, or boxes that can only be wrong there.
    """
    path = Path(text)
    head, mark, tail = text.rpartition("@")
    if mark and tail.isdecimal() and not path.exists():
        path, stride = Path(head), int(tail)
    if stride < 1:
        raise ValueError(f"{text}: expected to take every frame or every n-th, got {stride}")
    if not path.is_dir():
        raise FileNotFoundError(f"{path}: no such folder, expected a sequence, a set of samples or a folder of images")
    name = path.resolve().name
    if (path / "gt" / "gt.txt").is_file():
        return _sequence(path, name, stride, min_height, labelled or LabelledBoxes(), check)
    if (path / sample_set.NAMES).is_file():
        return _set(sample_set.open_set(path), name)
    return _image_folder(path, name, layout)


def embed_images(
    source: LabelledImages,
    embedders: Sequence[Embedder],
    progress: Callable[[LabelledImages], Iterable[LabelledBatch]] = lambda source: source.batches(),
) -> EmbeddedImages:
    """Read the images once and embed them with every embedder.

    Parameters
    ----------
    source : LabelledImages
    embedders : sequence of Embedder
    progress : callable
        Iterates over the batches of a source, with a progress bar.

    Raises
    ------
    ValueError
        If no image that can be read is labelled.
    """
    labels, boxes = [Labels.of(0)], [np.empty((0, 4))]
    latents: list[list[Float32]] = [[] for _ in embedders]
    for batch in progress(source):
        labels.append(batch.labels)
        boxes += batch.boxes
        for of_embedder, embedder in zip(latents, embedders, strict=True):
            of_embedder += [np.asarray(part, np.float32) for part in embedder.embed(batch.images, batch.boxes)]
    columns = {name: np.concatenate([part.columns()[name] for part in labels]) for name in labels[0].columns()}
    joined = Labels(**columns)
    if not (joined.identity >= 0).any():
        raise ValueError(
            f"{source.name}: expected images with identities, none of {len(joined)} that could be read has one"
        )
    return EmbeddedImages(source, joined, np.concatenate(boxes), [np.concatenate(each) for each in latents])


def rank_images(data: EmbeddedImages, index: int) -> tuple[list[Ranking], Separation | None]:
    """Rankings by an embedder in every protocol that the labels allow, and separation of pairs from frame to frame."""
    labels, latents = data.labels, data.latents[index]
    is_query = (labels.frame - 1) % data.source.stride == 0 if data.source.boxes else np.ones(len(labels), bool)
    queries = labels.take(is_query)
    try:
        rankings = [retrieval.rank(latents[is_query], queries, name) for name in retrieval.protocols_for(queries)]
    except ValueError as error:
        raise ValueError(f"{data.source.name}: {error}") from error
    has_frames = labels.frame.min() >= 0
    next_frame = (
        retrieval.between_frames(latents, labels.identity, labels.frame, labels.sequence) if has_frames else None
    )
    return rankings, next_frame if next_frame is not None and next_frame.complete else None


def unlabelled_pairs(data: EmbeddedImages, index: int) -> tuple[Float, Float]:
    """Distances of pairs that, by their motion, show one object, and two; none without boxes and tracks."""
    labels, latents = data.labels, data.latents[index]
    if data.source.boxes:
        return retrieval.pairs_from_boxes(labels.frame, data.boxes, latents)
    if data.source.track is not None:
        return retrieval.pairs_from_tracks(labels.sequence, labels.frame, data.source.track, latents)
    return np.empty(0), np.empty(0)


def measures_of(ranking: Ranking, next_frame: Separation | None) -> dict[str, float | None]:
    """The measures of a table, by the names in `MEASURES`."""
    values = [ranking.rank(1), ranking.rank(5), ranking.rank(10), ranking.mean_average_precision]
    values += [ranking.separation.auc, next_frame.auc if next_frame else None]
    return dict(zip(MEASURES, values, strict=True))


def _sequence(
    folder: Path, name: str, stride: int, min_height: float, labelled: LabelledBoxes, check: bool
) -> LabelledImages:
    table = read_table(folder / "gt" / "gt.txt")
    tall = table.boxes[:, 3] - table.boxes[:, 1] >= min_height
    chosen, note = labelled.rows(table)
    source, notes = open_labelled(str(folder), table, chosen, check=check)
    # annotated frames count from 1, so that successive ones are neighbours where every n-th is annotated
    places, between = np.divmod(table.frames - source.first, source.step)
    table = replace(table, frames=places + 1)
    kept = (places >= 0) & (between == 0) & (places % stride <= 1) & tall & chosen
    if not kept.any():
        raise ValueError(f"{table.path}: expected boxes to recognise, {min_height:g} px high or more; got none")

    def batches() -> Iterator[LabelledBatch]:
        frames = (((f.index - source.first) // source.step + 1, f.image) for f in source)
        used = ((index, image) for index, image in frames if image is not None and (index - 1) % stride <= 1)
        while batch := list(islice(used, FRAMES)):
            yield _frames(table, kept, batch)

    periods, rest = divmod(source.length or 0, stride)
    read = periods * min(stride, 2) + min(rest, 2)  # each frame of queries, and the one after it
    note = "; ".join(filter(None, [note, *notes]))
    return LabelledImages(name, batches, -(-read // FRAMES), stride, boxes=True, note=note)


def _frames(table: MotTable, kept: Any, batch: list[tuple[int, Image]]) -> LabelledBatch:
    rows = [np.flatnonzero(kept & (table.frames == index)) for index, _ in batch]
    joined = np.concatenate(rows)
    labels = Labels.of(
        len(joined),
        identity=table.ids[joined],
        frame=table.frames[joined],
        sequence=np.zeros(len(joined), np.int64),
    )
    return LabelledBatch([image for _, image in batch], [table.boxes[r] for r in rows], labels)


def _set(data: sample_set.SampleSet, name: str) -> LabelledImages:
    if data.samples.ndim != 4:
        raise ValueError(f"{name}: expected a set of images, got one of vectors {data.shape}")
    labels = Labels.of(len(data), **data.columns)

    def batches() -> Iterator[LabelledBatch]:
        for start in range(0, len(data), CROPS):
            rows = np.arange(start, min(start + CROPS, len(data)))
            colour = [np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image for image in data.samples[rows]]
            yield _whole_images([np.array(image) for image in colour], labels.take(rows))

    track = data.columns["track"]
    total = -(-len(data) // CROPS)
    return LabelledImages(name, batches, total, track=track if (track >= 0).any() else None)


def _image_folder(folder: Path, name: str, layout: str) -> LabelledImages:
    paths = images_of(folder.rglob("*"))
    if not paths:
        raise ValueError(f"{folder}: expected gt/gt.txt, a set of samples or images, got none of them")
    names = read_labels(paths, folder, layout)
    sequences = {text: number for number, text in enumerate(sorted({x.sequence for x in names if x.sequence}))}
    labels = Labels.of(
        len(paths),
        identity=np.array([x.identity for x in names]),
        camera=np.array([x.camera for x in names]),
        sequence=np.array([sequences.get(x.sequence or "", -1) for x in names]),
        frame=np.array([x.frame for x in names]),
        role=np.array([x.role for x in names]),
    )
    if not (labels.identity >= 0).any():
        known = "; ".join(f"{name}: {description}" for name, (_, _, description) in PATTERNS.items())
        raise ValueError(
            f"{folder}: expected images with identities, none of {len(paths)} has one, such as {paths[0].name}; "
            f"known names are {known}; {HINT}"
        )
    unnamed = int((labels.identity < 0).sum())
    note = f"{name}: {unnamed} of {len(paths)} images have no identity (distractors, junk, other names)"

    def batches() -> Iterator[LabelledBatch]:
        for start in range(0, len(paths), CROPS):
            images = [(row, read_image(paths[row])) for row in range(start, min(start + CROPS, len(paths)))]
            rows = np.array([row for row, image in images if image is not None], np.int64)
            yield _whole_images([image for _, image in images if image is not None], labels.take(rows))

    return LabelledImages(name, batches, -(-len(paths) // CROPS), note=note if unnamed else "")


def _whole_images(images: list[Image], labels: Labels) -> LabelledBatch:
    """A batch of images that show one object each."""
    boxes = [np.array([[0.0, 0.0, image.shape[1], image.shape[0]]]) for image in images]
    return LabelledBatch(images, boxes, labels)
