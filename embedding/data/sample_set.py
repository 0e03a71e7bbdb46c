"""Sample sets on disk, memory-mapped, so that they may be larger than memory."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from flatsort.tracker.files import replacing, write_text
from flatsort.tracker.stored_data import map_array, read_arrays, read_json
from flatsort.tracker.types import Float, Int

SAMPLES, ROWS, NAMES = "samples.npy", "rows.npz", "set.json"
COLUMNS = ("sequence", "frame", "camera", "identity", "track")
FACTOR = "factor "
"""Before the name of a factor, in the file of the columns."""


@dataclass(frozen=True, eq=False)
class SampleSet:
    """Samples and the metadata of each.

    Attributes
    ----------
    samples : uint8 [n h w c] or float32 [n d]
        Images or vectors, usually memory-mapped.
    columns : dict of int64 [n]
        ``sequence`` (index into ``sequences``), ``frame``, ``camera``, ``identity``, ``track`` (of a motion-only
        tracklet, unique in the set); −1 where unknown. Identities are for evaluation: training never reads them.
    sequences : tuple of str
    note : str
        Where the samples come from, and the terms.
    factors : dict of float64 [n]
        What caused each sample, where it is known: angle, area, position, attributes. For evaluation, and as the
        input of a regression.
    """

    samples: NDArray[Any]
    columns: dict[str, Int] = field(default_factory=dict)
    sequences: tuple[str, ...] = ()
    note: str = ""
    factors: dict[str, Float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in COLUMNS:
            if name not in self.columns:
                self.columns[name] = np.full(len(self.samples), -1, np.int64)
        for name, column in {**self.columns, **self.factors}.items():
            if len(column) != len(self.samples):
                raise ValueError(f"{name}: expected {len(self.samples)} rows like samples, got {len(column)}")

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def shape(self) -> list[int]:
        """Of one sample as a model takes it: [channels, height, width] or [length]."""
        if self.samples.ndim == 2:
            return [self.samples.shape[1]]
        height, width, channels = self.samples.shape[1:]
        return [channels, height, width]

    def tensor(self, rows: Int | slice) -> Tensor:
        """Samples of these rows as a model takes them, float32 [n *shape]; images in 0..1."""
        chosen = torch.from_numpy(np.array(self.samples[rows]))
        if chosen.ndim == 2:
            return chosen.float()
        return chosen.permute(0, 3, 1, 2).float().div_(255)

    def take(self, rows: Int) -> SampleSet:
        """The samples of these rows, copied into memory."""
        columns = {name: column[rows] for name, column in self.columns.items()}
        factors = {name: factor[rows] for name, factor in self.factors.items()}
        return SampleSet(np.array(self.samples[rows]), columns, self.sequences, self.note, factors)


def save(data: SampleSet, folder: str | Path) -> None:
    """Write a set that is in memory as a folder; of unknown size: `embedding.data.writer.SetWriter`."""
    folder = Path(folder)
    with replacing(folder / SAMPLES) as temporary:
        np.save(temporary, data.samples)
        unfinish(folder)
    finish(folder, data.columns, data.sequences, data.note, data.factors)


def unfinish(folder: Path) -> None:
    """Take away what makes a folder a set, before its parts are replaced one after the other."""
    (folder / NAMES).unlink(missing_ok=True)


def finish(
    folder: Path, columns: dict[str, Int], sequences: tuple[str, ...], note: str, factors: dict[str, Float]
) -> None:
    """Write what belongs to the samples of a folder; what makes the folder a set appears last."""
    with replacing(folder / ROWS) as temporary:
        np.savez(temporary, **columns, **{FACTOR + name: values for name, values in factors.items()})  # type: ignore[arg-type]  # numpy's stub takes the names for options
    write_text(folder / NAMES, json.dumps({"sequences": sequences, "note": note}))


def is_set(folder: str | Path) -> bool:
    """Whether a folder holds a finished set."""
    return (Path(folder) / NAMES).is_file()


def open_set(folder: str | Path) -> SampleSet:
    """The set in a folder, memory-mapped.

    Raises
    ------
    ValueError
        If the folder holds no set, or one that was not finished or is damaged.
    """
    folder = Path(folder)
    if not is_set(folder):
        raise ValueError(f"{folder}: not a set of samples (no {NAMES})")
    try:
        names, rows, samples = read_json(folder / NAMES), read_arrays(folder / ROWS), map_array(folder / SAMPLES)
        columns = {name: rows[name] for name in COLUMNS}
        factors = {name.removeprefix(FACTOR): rows[name] for name in rows if name.startswith(FACTOR)}
        sequences, note = names["sequences"], names["note"]
        _check_kinds(samples, columns, factors, sequences, note)
        return SampleSet(samples, columns, tuple(sequences), note, factors)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{folder}: damaged set of samples ({type(error).__name__}: {error})") from error


def _check_kinds(
    samples: NDArray[Any], columns: dict[str, Int], factors: dict[str, Float], sequences: object, note: object
) -> None:
    """Refuse parts of a set that are of another kind than `SampleSet` says."""
    images, vectors = samples.ndim == 4 and samples.dtype == np.uint8, samples.ndim == 2 and samples.dtype.kind == "f"
    if not (images or vectors):
        raise ValueError(f"expected images uint8 [n h w c] or vectors [n d], got {samples.dtype} {list(samples.shape)}")
    for name, column in {**columns, **factors}.items():
        if column.ndim != 1 or column.dtype.kind not in ("i" if name in COLUMNS else "iuf"):
            raise ValueError(f"{name}: expected numbers [n], got {column.dtype} {list(column.shape)}")
    if not isinstance(note, str) or not isinstance(sequences, list) or not all(isinstance(s, str) for s in sequences):
        raise ValueError(f"{NAMES}: expected names of sequences and a note")
    if len(samples) and int(columns["sequence"].max(initial=-1)) >= len(sequences):
        raise ValueError(f"sequence: expected numbers below {len(sequences)}")
