"""What ``flatsort embed`` reads, piece by piece, and the file that it writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from flatsort.embedding.data import sample_set
from flatsort.tools.runs.track_run import Job
from flatsort.tracker.boxes import valid
from flatsort.tracker.files import replacing
from flatsort.tracker.images import images_of, read_image
from flatsort.tracker.pipeline import detect
from flatsort.tracker.protocols import Embedder
from flatsort.tracker.types import Float, Float32, Image

T = TypeVar("T")
Shown = Callable[[Iterable[Any], "int | None"], Iterator[Any]]
"""Passes items on and shows how far they are, given how many there are."""

PICTURES = 128
"""Whole pictures in a call of the embedder."""


@dataclass(frozen=True, eq=False)
class Piece:
    """What goes into one call of the embedder.

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


def of_frames(
    job: Job, batch: int, shown: Shown, left_out: Counter[str], *, min_score: float | None, frames: int | None
) -> Iterator[Piece]:
    """The detections of a source, ``batch`` frames a piece; what is left out is counted by reason."""
    total = job.source.length if frames is None else min(frames, job.source.length or frames)
    least = -np.inf if min_score is None else min_score
    stream = detect(shown(islice(job.source, frames), total), job.detector)
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
        yield Piece([image for _, image, _ in read], [k.boxes for k in kept], columns)


def of_pictures(folder: Path, shown: Shown, left_out: Counter[str]) -> Iterator[Piece]:
    """Each image below a folder as a whole.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If no image in it can be read.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder, --whole expects a folder of pictures")
    paths = images_of(folder.rglob("*"))
    good = 0
    stream = shown(paths, len(paths))
    while some := list(islice(stream, PICTURES)):
        read = [(path, image) for path in some if (image := read_image(path)) is not None]
        left_out["pictures not readable"] += len(some) - len(read)
        good += len(read)
        names = np.array([path.relative_to(folder).as_posix() for path, _ in read], np.str_)
        yield _whole([image for _, image in read], {"names": names})
    if not good:
        raise ValueError(f"{folder}: expected pictures, got {len(paths)} files that can be read as none")


def of_set(folder: Path, shown: Shown) -> Iterator[Piece]:
    """Each sample of a set of pictures as a whole, with the set's columns.

    Raises
    ------
    ValueError
        If the set holds vectors.
    """
    data = sample_set.open_set(folder)
    if data.samples.ndim != 4:
        raise ValueError(f"{folder}: expected a set of pictures, got one of vectors {data.shape}")
    for start in shown(range(0, len(data), PICTURES), -(-len(data) // PICTURES)):
        rows = slice(start, start + PICTURES)
        samples = np.array(data.samples[rows])
        colour = samples if samples.shape[3] == 3 else samples.repeat(3, axis=3)
        yield _whole(list(colour), {name: column[rows] for name, column in data.columns.items()})


def _whole(images: list[Image], columns: dict[str, NDArray[Any]]) -> Piece:
    return Piece(images, [np.array([[0.0, 0, i.shape[1], i.shape[0]]]) for i in images], columns)


def write(path: Path, embedder: Embedder, pieces: Iterable[Piece], model: str, bits: bool = False) -> int:
    """Embed the pieces and write latents, columns and the model's name to an npz file, whole or not at all.

    Parameters
    ----------
    path : Path
    embedder : Embedder
    pieces : iterable of Piece
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
    found: dict[str, list[NDArray[Any]]] = {"latents": [np.empty((0, embedder.dim), np.float32)]}
    for piece in pieces:
        found["latents"] += embedder.embed(piece.images, piece.boxes)
        for name, column in piece.columns.items():
            found.setdefault(name, []).append(column)
    arrays = {name: np.concatenate(parts) for name, parts in found.items()}
    if bits:
        arrays["latents"] = np.packbits(arrays["latents"] > 0, axis=1)
        arrays["bits"] = np.array(embedder.dim)
    with replacing(path) as temporary:
        np.savez(temporary, **arrays, model=np.array(model))  # type: ignore[arg-type]  # numpy's stub takes names for options
    return len(arrays["latents"])


def unpack(packed: NDArray[np.uint8], bits: int) -> Float32:
    """Codes −1 and 1 [n bits] of rows [n ⌈bits/8⌉] that `write` packed."""
    codes: Float32 = np.unpackbits(packed, axis=1, count=bits).astype(np.float32) * 2 - 1
    return codes
