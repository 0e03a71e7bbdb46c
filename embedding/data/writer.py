"""Writer of sample sets whose size is not known beforehand, in bounded memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flatsort.embedding.data.sample_set import COLUMNS, SAMPLES, finish, unfinish
from flatsort.tracker.files import replacing
from flatsort.tracker.temporary_files import only_writer
from flatsort.tracker.types import Float, Int

PER_SOURCE = ("identity", "track")
"""Columns whose numbers mean something within one source only."""


class SetWriter:
    """Appends samples to a set on disk; a context manager.

    Samples go straight to a temporary file; what stays in memory are five numbers a sample. The folder becomes a set
    when the context is left without an error, and an older set in it stays whole until then.

    Parameters
    ----------
    folder : str or Path
        Created if absent.
    note : str
        Where the samples come from, and the terms.

    Raises
    ------
    ValueError
        At the end, if no sample was added.

    Examples
    --------
    >>> with SetWriter("crops") as writer:
    ...     writer.add(np.zeros((2, 64, 32, 3), np.uint8), sequence="street", frame=1, track=[4, 7])
    """

    def __init__(self, folder: str | Path, note: str = "") -> None:
        self.folder = Path(folder)
        self.note = note
        self._stack = ExitStack()
        self._file: IO[bytes] | None = None
        self._first: NDArray[Any] | None = None
        self._columns: dict[str, list[Int]] = {name: [] for name in COLUMNS}
        self._factors: dict[str, list[Float]] = {}
        self._sequences: dict[str, int] = {}
        self._base = dict.fromkeys(PER_SOURCE, 0)
        self._next = dict.fromkeys(PER_SOURCE, 0)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def begin_source(self) -> None:
        """Begin a source: its identities and tracks differ from those so far, even under the same numbers."""
        self._base = dict(self._next)

    def add(
        self,
        samples: NDArray[Any],
        sequence: str | Sequence[str | None] | None = None,
        factors: Mapping[str, Float] | None = None,
        **columns: ArrayLike,
    ) -> None:
        """Append samples.

        Parameters
        ----------
        samples : uint8 [n h w c] or float32 [n d]
            All of one shape in all calls.
        sequence : str or sequence of str, optional
            Name of the sequence that they come from, or one for each; None where unknown.
        factors : mapping of float64 [n], optional
            What caused the samples; the set keeps those that all calls give.
        **columns : int or int64 [n]
            ``frame``, ``camera``, ``identity``, ``track``; −1 where unknown.

        Raises
        ------
        ValueError
            If shape or type differ from those of the first samples, or a column is unknown or of another length.
        """
        if self._file is None:
            raise ValueError("SetWriter: expected to be entered with `with` before samples are added")
        self._check(samples)
        unknown = sorted(set(columns) - set(COLUMNS))
        if unknown:
            raise ValueError(f"unknown column {unknown[0]!r} (known: {', '.join(COLUMNS)})")
        names = [sequence] * len(samples) if sequence is None or isinstance(sequence, str) else sequence
        values = {"sequence": [self._number(name) for name in names], **columns}
        rows = {name: self._column(name, values.get(name, -1), len(samples)) for name in COLUMNS}
        self._file.write(np.ascontiguousarray(samples).data)
        for name, column in rows.items():
            self._columns[name].append(column)
        known = dict(factors or {})
        self._factors = {
            name: [*self._factors.get(name, []), np.asarray(values, np.float64)]
            for name, values in known.items()
            if not self._count or name in self._factors
        }
        for name in PER_SOURCE:
            self._next[name] = max(self._next[name], int(rows[name].max(initial=-1)) + 1)
        self._count += len(samples)

    def __enter__(self) -> SetWriter:
        self._stack.enter_context(only_writer(self.folder))
        temporary = self._stack.enter_context(replacing(self.folder / SAMPLES))
        self._file = self._stack.enter_context(temporary.open("w+b"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._stack.__exit__(kind, error, trace)
            return
        with self._stack:  # leaving it closes the file and gives it its name
            if not self._count:
                raise ValueError(f"{self.folder}: expected at least one sample for the set, got none")
            self._write_header()
            unfinish(self.folder)
        columns = {name: np.concatenate(parts) for name, parts in self._columns.items()}
        factors = {name: np.concatenate(parts) for name, parts in self._factors.items()}
        finish(self.folder, columns, tuple(self._sequences), self.note, factors)

    def _check(self, samples: NDArray[Any]) -> None:
        first = self._first
        if first is None:
            if not (
                (samples.dtype == np.uint8 and samples.ndim == 4) or (samples.dtype == np.float32 and samples.ndim == 2)
            ):
                raise ValueError(
                    f"samples: expected uint8 [n h w c] or float32 [n d], got {samples.dtype} {list(samples.shape)}"
                )
            self._first = samples[:0].copy()
            self._write_header()
        elif samples.shape[1:] != first.shape[1:] or samples.dtype != first.dtype:
            raise ValueError(
                f"samples: expected {first.dtype} [n, {str(list(first.shape[1:]))[1:]} like the first ones, "
                f"got {samples.dtype} {list(samples.shape)}"
            )

    def _number(self, sequence: str | None) -> int:
        return -1 if sequence is None else self._sequences.setdefault(sequence, len(self._sequences))

    def _column(self, name: str, value: ArrayLike, n: int) -> Int:
        given = np.asarray(value, np.int64)
        if given.shape not in ((), (n,)):
            raise ValueError(f"{name}: expected one number or {n} like samples, got {list(given.shape)}")
        column = np.broadcast_to(given, n).copy()
        if name in PER_SOURCE:
            column[column >= 0] += self._base[name]
        return column

    def _write_header(self) -> None:
        """Write the array's header; numpy leaves room in it for the number of rows to grow."""
        assert self._file is not None and self._first is not None  # noqa: PT018  # both set by the first samples
        end = self._file.tell()
        self._file.seek(0)
        shape = (self._count, *self._first.shape[1:])
        header = {"descr": np.lib.format.dtype_to_descr(self._first.dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._file, header)
        self._file.seek(max(end, self._file.tell()))
