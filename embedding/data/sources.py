"""Sources of samples that a user names, gathered into one memory-mapped set of a model's shape."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from flatsort.embedding.data.builtin import DATA_SETS, SEEDED, DataSetConfig, RenderedImagesConfig
from flatsort.embedding.data.image_folder import CHUNK, ImageFolder, file_stamp, resize_to_shape, short_name
from flatsort.embedding.data.sample_set import NAMES, ROWS, SAMPLES, SampleSet, is_set, open_set
from flatsort.embedding.data.writer import SetWriter
from flatsort.tracker.config import restore_part, to_mapping
from flatsort.tracker.files import refuse_overwriting, write_text
from flatsort.tracker.registry import suggest
from flatsort.tracker.stored_data import read_arrays, read_json

INDEX = "sources.json"
"""File beside a gathered set: what it was gathered from."""
VERSION = 2
"""Of what `gather` does to samples: sets of another one are gathered anew."""
RENDERED = 5000
"""Samples of a rendered set."""


@dataclass(frozen=True)
class Gathered:
    """The samples of all sources, and what was skipped.

    Attributes
    ----------
    data : SampleSet
        Memory-mapped.
    skipped : list of str
        One sentence for each file that is no sample, and why.
    """

    data: SampleSet
    skipped: list[str]


@dataclass(frozen=True)
class _SampleSource:
    """A source that is a sample set: on disk, or rendered here; ``fingerprint`` changes when it does."""

    name: str
    data: SampleSet
    fingerprint: list[Any]
    on_disk: bool = False

    @property
    def note(self) -> str:
        return self.data.note or self.name

    @property
    def shape(self) -> list[int]:
        return self.data.shape

    def append(self, writer: SetWriter, shape: Sequence[int]) -> list[str]:
        data = self.data
        writer.begin_source()
        for start in range(0, len(data), CHUNK):
            rows = slice(start, start + CHUNK)
            samples = np.asarray(data.samples[rows])
            if data.shape != list(shape):
                samples = np.stack([resize_to_shape(image, shape) for image in samples])
            columns = {name: column[rows] for name, column in data.columns.items()}
            sequence = [data.sequences[i] if i >= 0 else None for i in columns.pop("sequence").tolist()]
            factors = {name: factor[rows] for name, factor in data.factors.items()}
            writer.add(samples, sequence, factors, **columns)
        return []


def gather(sources: Sequence[str | Path], shape: Sequence[int] | None, folder: str | Path) -> Gathered:
    """Samples of all sources at one shape, as one set that is read from disk.

    Images are resized, and turned to grey or back to colour, to have the shape
    (`embedding.data.image_folder.resize_to_shape`). Vectors are taken as they are: scale them, so that a difference of
    1 counts alike in every number. Identities and tracks of different sources are kept apart.

    Parameters
    ----------
    sources : sequence of str or Path
        Each a folder that holds a set (``flatsort crop`` writes one), a folder of images (searched recursively, one
        image a sample), a ``.npz`` file with an array ``poses`` or one array only [n d], the name of a built-in data
        set (`embedding.data.builtin`), or a ``.py`` file that registers a data set. What is rendered has seed 0;
        ``pendulum:1`` has another. What exists as a file comes first.
    shape : sequence of int or None
        Of a sample: channels (1 or 3), height and width in pixels, or the length of a vector. None: that of the
        sources; a folder's is that of its first image.
    folder : str or Path
        Where the set is kept. It is used again while sources and shape stay what they were. A single source that is a
        set of this shape is used where it is. One process at a time may gather into a folder.

    Raises
    ------
    FileNotFoundError
        If a source does not exist.
    ValueError
        If a source is damaged or none of the above, sources do not fit together or the shape, or no sample is left.
    """
    if not sources:
        raise ValueError("data: expected at least one source, got none")
    folder = Path(folder)
    opened = [_open_source(source, shape) for source in sources]
    common_shape = _common_shape(opened, shape)
    first = opened[0]
    if len(opened) == 1 and isinstance(first, _SampleSource) and first.on_disk and first.shape == common_shape:
        return Gathered(first.data, [])
    fingerprint = [VERSION, common_shape, [[source.name, source.fingerprint] for source in opened]]
    index = _read_index(folder)
    if index.get("fingerprint") == fingerprint and is_set(folder):
        return Gathered(open_set(folder), index["skipped"])
    refuse_overwriting([folder / SAMPLES], sources)
    (folder / INDEX).unlink(missing_ok=True)
    with SetWriter(folder, "; ".join(source.note for source in opened)) as writer:
        skipped = [sentence for source in opened for sentence in source.append(writer, common_shape)]
    write_text(folder / INDEX, json.dumps({"fingerprint": fingerprint, "skipped": skipped}))
    return Gathered(open_set(folder), skipped)


def _open_source(source: str | Path, shape: Sequence[int] | None) -> _SampleSource | ImageFolder:
    path = Path(source)
    if path.is_dir():
        return _set(path) if is_set(path) else ImageFolder(path)
    if path.is_file():
        if path.suffix.lower() == ".npz":
            return _vectors(path)
        if path.suffix.lower() == ".py":
            return _built_in(str(path), str(path), 0, shape)
        raise ValueError(f"{path}: expected a folder or a .npz file (of videos, `flatsort crop` cuts the crops)")
    name, _, seed = str(source).partition(":")
    known = DATA_SETS.names()
    if str(source) in known or (name in DATA_SETS.names(SEEDED) and seed.isdecimal()):
        return _built_in(str(source), name, int(seed or 0), shape)
    raise FileNotFoundError(f"data {source}: no such file or folder, or unknown name{suggest(str(source), known)}")


def _set(path: Path) -> _SampleSource:
    stamps = [file_stamp(path / name) for name in (SAMPLES, ROWS, NAMES)]
    return _SampleSource(short_name(path), open_set(path), [str(path.resolve()), stamps], on_disk=True)


def _vectors(path: Path) -> _SampleSource:
    arrays = read_arrays(path)
    if "poses" not in arrays and len(arrays) != 1:
        raise ValueError(f"{path}: expected an array 'poses' or one array only, got {', '.join(arrays)}")
    array = arrays.get("poses", next(iter(arrays.values())))
    if array.ndim != 2 or array.dtype.kind not in "fiu" or not array.size:
        raise ValueError(f"{path}: expected numbers [n d], got {array.dtype} {list(array.shape)}")
    with np.errstate(over="ignore"):
        values = array.astype(np.float32)
    bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(bad):
        raise ValueError(f"{path}: expected finite numbers, row {bad[0]} (from 0) has others")
    return _SampleSource(path.stem, SampleSet(values, note=f"{path.name}: {len(values)} vectors"), [file_stamp(path)])


def _built_in(source: str, name: str, seed: int, shape: Sequence[int] | None) -> _SampleSource:
    """Samples of a data set that is registered under a name, or by a file of the user's own."""
    cls = DATA_SETS.config(name)
    settings: dict[str, Any] = {"name": name}
    if issubclass(cls, DataSetConfig):
        settings |= {"samples": RENDERED, "seed": seed}
    if issubclass(cls, RenderedImagesConfig) and shape is not None and len(shape) == 3 and shape[1] == shape[2]:
        settings["size"] = shape[1]
    config = restore_part(DATA_SETS, settings)
    fingerprint: list[Any] = [to_mapping(config)]
    if Path(name).is_file():
        fingerprint.append(file_stamp(Path(name)))
    return _SampleSource(source, DATA_SETS.build(config), fingerprint)


def _common_shape(opened: Sequence[_SampleSource | ImageFolder], shape: Sequence[int] | None) -> list[int]:
    shapes = [source.shape for source in opened]
    common_shape = list(shapes[0] if shape is None else shape)
    for source, each in zip(opened, shapes, strict=True):
        if len(each) != len(shapes[0]):
            raise ValueError(f"data: expected images only or vectors only, got {opened[0].name} and {source.name}")
        if shape is None and each != common_shape:
            raise ValueError(
                f"data: expected samples of one shape, {opened[0].name} has {common_shape}, {source.name} {each}"
            )
        if len(each) != len(common_shape) or (len(each) == 1 and each != common_shape):
            raise ValueError(f"data: {source.name} has samples {each}, the model takes {common_shape}")
    if len(common_shape) == 3 and common_shape[0] not in (1, 3):
        raise ValueError(f"data: images have 1 or 3 channels, the model takes {common_shape}")
    return common_shape


def _read_index(folder: Path) -> dict[str, Any]:
    """What a set was gathered from; empty if unknown."""
    try:
        index = read_json(folder / INDEX)
    except (OSError, ValueError):
        return {}
    return index if isinstance(index, dict) and isinstance(index.get("skipped"), list) else {}
