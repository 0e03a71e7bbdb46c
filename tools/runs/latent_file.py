"""Latents in a file for ``flatsort embed``: what is embedded, a batch at a time, and what is written."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from flatsort.embedding.data import sample_set
from flatsort.tracker.boxes import valid
from flatsort.tracker.files import replacing
from flatsort.tracker.images import images_of, read_image
from flatsort.tracker.pipeline import Run
from flatsort.tracker.protocols import Embedder
from flatsort.tracker.types import Float, Float32, Image

T = TypeVar("T")
Progress = Callable[[Iterable[Any], "int | None"], Iterator[Any]]
"""Passes items on and shows how far they are, given their number."""

IMAGES = 128
"""Whole images in a call of the embedder."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class EmbedBatch:
    """Images and boxes of one call of the embedder.

    Attributes
    ----------
    images : list of uint8 [h w 3]
    boxes : list of float64 [n 4]
        For each image.
    columns : dict of arrays
        What is known of each box, in the order of images and boxes.
    """

    images: list[Image]
    boxes: list[Float]
    columns: dict[str, NDArray[Any]]


def batches_of_run(
    run: Run, batch: int, progress: Progress, left_out: Counter[str], *, min_score: float | None, frames: int | None
) -> Iterator[EmbedBatch]:
    """The detections of a source, ``batch`` frames at a time; what is left out is counted by reason."""
    least = -np.inf if min_score is None else min_score
    stream = run.detect(progress(run.frames(frames), run.length(frames)))
    while some := list(islice(stream, batch)):
        read = [(frame.index, frame.image, each) for frame, each in some if frame.image is not None]
        left_out["frames not readable"] += len(some) - len(read)
        left_out["bad boxes"] += sum(int(np.count_nonzero(~valid(each.boxes))) for _, _, each in read)
        kept = [each[valid(each.boxes) & (each.scores >= least)] for _, _, each in read]
        columns = {
            "frame": np.repeat(np.array([index for index, _, _ in read], np.int64), [len(k) for k in kept]),
            "boxes": np.concatenate([np.empty((0, 4)), *(k.boxes for k in kept)]),
            "score": np.concatenate([np.empty(0), *(k.scores for k in kept)]),
        }
        yield EmbedBatch([image for _, image, _ in read], [k.boxes for k in kept], columns)


def batches_of_images(folder: Path, progress: Progress, left_out: Counter[str]) -> Iterator[EmbedBatch]:
    """Each image below a folder as a whole.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If no image in it can be read.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder, --whole expects a folder of images")
    paths = images_of(folder.rglob("*"))
    good = 0
    stream = progress(paths, len(paths))
    while some := list(islice(stream, IMAGES)):
        read = [(path, image) for path in some if (image := read_image(path)) is not None]
        left_out["images not readable"] += len(some) - len(read)
        good += len(read)
        names = np.array([path.relative_to(folder).as_posix() for path, _ in read], np.str_)
        yield _whole([image for _, image in read], {"names": names})
    if not good:
        raise ValueError(f"{folder}: expected images, got {len(paths)} files that can be read as none")


def batches_of_set(folder: Path, progress: Progress) -> Iterator[EmbedBatch]:
    """Each sample of a set of images as a whole, with the set's columns.

    Raises
    ------
    ValueError
        If the set holds vectors.
    """
    data = sample_set.open_set(folder)
    if data.samples.ndim != 4:
        raise ValueError(f"{folder}: expected a set of images, got one of vectors {data.shape}")
    for start in progress(range(0, len(data), IMAGES), -(-len(data) // IMAGES)):
        rows = slice(start, start + IMAGES)
        samples = np.array(data.samples[rows])
        colour = samples if samples.shape[3] == 3 else samples.repeat(3, axis=3)
        yield _whole(list(colour), {name: column[rows] for name, column in data.columns.items()})


def _whole(images: list[Image], columns: dict[str, NDArray[Any]]) -> EmbedBatch:
    return EmbedBatch(images, [np.array([[0.0, 0, i.shape[1], i.shape[0]]]) for i in images], columns)


def write_latents(path: Path, embedder: Embedder, batches: Iterable[EmbedBatch], model: str, bits: bool = False) -> int:
    """Embed the batches and write latents, columns and the model's name to an npz file, whole or not at all.

    Parameters
    ----------
    path : Path
    embedder : Embedder
    batches : iterable of EmbedBatch
    model : str
    bits : bool
        Write codes of −1 and 1 as bits, uint8 [n ⌈d/8⌉], and their number ``bits``; see `unpack`.

    Returns
    -------
    int
        Number of latents.

    Raises
    ------
    ValueError
        If latents shall be written as bits and are no codes of −1 and 1.
    """
    if bits and not getattr(embedder, "binary", False):
        raise ValueError(
            f"--bits: expected a model whose latents are −1 or 1, such as an lbae; those of {model} are not"
        )
    parts: dict[str, list[NDArray[Any]]] = {"latents": [np.empty((0, embedder.dim), np.float32)]}
    for batch in batches:
        parts["latents"] += embedder.embed(batch.images, batch.boxes)
        for name, column in batch.columns.items():
            parts.setdefault(name, []).append(column)
    arrays = {name: np.concatenate(each) for name, each in parts.items()}
    finite = np.isfinite(arrays["latents"]).all(axis=1)
    if not finite.all():
        if not finite.any():
            raise ValueError(f"{model}: expected finite latents, got none in {len(finite)}")
        log.warning("%s: %d of %d latents are not finite and left out", model, int((~finite).sum()), len(finite))
        arrays = {name: each[finite] for name, each in arrays.items()}
    if bits:
        arrays["latents"] = np.packbits(arrays["latents"] > 0, axis=1)
        arrays["bits"] = np.array(embedder.dim)
    with replacing(path) as temporary:
        np.savez(temporary, **arrays, model=np.array(model))  # type: ignore[arg-type]  # numpy's stub takes names for options
    return len(arrays["latents"])


def unpack(packed: NDArray[np.uint8], bits: int) -> Float32:
    """Codes −1 and 1 [n bits] of rows [n ⌈bits/8⌉] that `write_latents` packed."""
    codes: Float32 = np.unpackbits(packed, axis=1, count=bits).astype(np.float32) * 2 - 1
    return codes
