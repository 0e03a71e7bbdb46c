"""Samples that belong together in time: other views of an object in its tracklet, and windows of a sequence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from flatsort.embedding.data.sample_set import SampleSet
from flatsort.embedding.random_generator import RandomGenerator
from flatsort.tracker.types import Float, Float32, Int

TIME = "time"
"""Name of the position that is a sample's frame; others are names of factors."""
UNIT_WINDOWS = 4096
"""At most this many windows are measured for the unit of positions."""


class TrackletViews:
    """Picks, for a sample, another one of its motion-only tracklet.

    Parameters
    ----------
    data : SampleSet
        Its column ``track`` says which samples show one object; no label is read.

    Attributes
    ----------
    paired : int
        Samples that have at least one other view.
    """

    def __init__(self, data: SampleSet) -> None:
        track = np.asarray(data.columns["track"])
        # _order has the samples of a tracklet side by side, and none without a tracklet
        known = np.flatnonzero(track >= 0)
        self._order = known[np.argsort(track[known], kind="stable")]
        _, start, count = np.unique(track[self._order], return_index=True, return_counts=True)
        self._place = np.full(len(data), -1)
        self._place[self._order] = np.arange(len(known))
        self._start, self._count = np.repeat(start, count), np.repeat(count, count)
        self.paired = int((self._count > 1).sum())

    def partner(self, rows: Int, generator: RandomGenerator) -> Int:
        """Another view of each of these samples, [n]; the sample itself where there is none.

        Each of the other views is as likely as the next.
        """
        rows = np.asarray(rows, np.int64)
        uniform = generator.uniform(len(rows)).double().cpu().numpy()
        place = self._place[rows]
        known = place >= 0
        start, count = self._start[place[known]], self._count[place[known]]
        step = 1 + np.minimum((uniform[known] * (count - 1)).astype(np.int64), np.maximum(count - 2, 0))
        out = rows.copy()
        out[known] = self._order[start + (place[known] - start + step) % count]
        return out


class SequenceWindows:
    """Every window of the training rows.

    A sample's sequence is its tracklet, where the data have tracklets, else its sequence.

    Parameters
    ----------
    data : SampleSet
        With ``frame`` and ``track`` or ``sequence``.
    rows : int64 [n]
        Those to train on; a window passes over the others.
    length : int
        Samples in a window.
    stride : int
        A window has every ``stride``-th sample of the sequence.
    position : sequence of str
        `TIME` or names of factors.

    Raises
    ------
    ValueError
        If samples have no sequence and frame, two have the same, a factor is unknown, or no sequence is long enough.
    """

    def __init__(self, data: SampleSet, rows: Int, length: int, stride: int, position: Sequence[str]) -> None:
        values = positions_of(data, position)
        self._ordered, starts = rows_by_sequence(data, rows)
        reach = (length - 1) * stride + 1
        ends = np.append(starts[1:], len(self._ordered))
        first = [np.arange(start, end - reach + 1) for start, end in zip(starts, ends, strict=True)]
        self._first = np.concatenate(first) if first else np.empty(0, np.int64)
        if not len(self._first):
            longest = int((ends - starts).max(initial=0))
            raise ValueError(
                f"window: expected a sequence of {reach} samples or more to train on, the longest has {longest}"
            )
        self._steps = np.arange(length) * stride
        some = self.rows(np.arange(0, len(self), -(-len(self) // UNIT_WINDOWS))).reshape(-1, length)
        within = values[some] - values[some].mean(axis=1, keepdims=True)
        unit = np.sqrt(np.square(within).mean(axis=(0, 1)))
        self._values = values / np.where(unit > 0, unit, 1.0)

    def __len__(self) -> int:
        return len(self._first)

    def rows(self, chosen: Int) -> Int:
        """Rows of the data [m·length] of windows ``chosen`` [m], one window after the other."""
        rows: Int = self._ordered[(self._first[chosen][:, None] + self._steps).ravel()]
        return rows

    def positions(self, rows: Int) -> Float32:
        """Positions float32 [m·length k] of these rows, whole windows.

        Each is relative to its window's mean, in units of the deviation within windows, which is one number for all
        data: what a kernel of unit length is meant for.
        """
        values = self._values[rows].reshape(-1, len(self._steps), self._values.shape[1])
        relative = values - values.mean(axis=1, keepdims=True)
        flat: Float32 = relative.reshape(len(rows), -1).astype(np.float32)
        return flat


def rows_by_sequence(data: SampleSet, rows: Int) -> tuple[Int, Int]:
    """These rows by sequence, then frame [n], and where in that each sequence starts; see `SequenceWindows`."""
    track, sequence, frame = (data.columns[name][rows] for name in ("track", "sequence", "frame"))
    series = track if (track >= 0).any() else sequence
    known = (series >= 0) & (frame >= 0)
    if not known.any():
        raise ValueError("data: expected samples with a sequence and a frame, to follow each other in time, got none")
    rows, series, frame = rows[known], series[known], frame[known]
    order = np.lexsort((frame, series))
    rows, series, frame = rows[order], series[order], frame[order]
    new = np.diff(series) != 0
    twice = np.flatnonzero(~new & (np.diff(frame) == 0))
    if len(twice):
        raise ValueError(
            f"data: expected one sample a frame of a sequence, got two of frame {frame[twice[0]]} "
            "(flatsort crop --views tracklets links the crops of one object from frame to frame)"
        )
    return rows, np.concatenate([[0], np.flatnonzero(new) + 1])


def positions_of(data: SampleSet, position: Sequence[str]) -> Float:
    """Positions [n k] of all samples as they are: frames, or known factors.

    Raises
    ------
    ValueError
        If a factor is unknown.
    """
    columns = {TIME: data.columns["frame"].astype(np.float64), **data.factors}
    for name in position:
        if name not in columns:
            raise ValueError(f"position: expected {' or '.join(columns)}, got {name!r}")
    return np.stack([np.asarray(columns[name], np.float64) for name in position], axis=1)
