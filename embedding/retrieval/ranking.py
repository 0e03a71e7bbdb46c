"""Rank-k and mean average precision of nearest neighbours.

References
----------
Zheng et al., Scalable person re-identification: a benchmark, ICCV 2015, section 4 (queries, gallery, what is junk).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from flatsort.embedding.retrieval.separation import Separation
from flatsort.tracker.types import Bool, Float, Int

CHUNK = 1 << 21
"""Distances that are held at a time (some copies of them, 16 MiB each)."""
RANKS = (1, 5, 10)


@dataclass(frozen=True, eq=False)
class Labels:
    """Labels of n samples, each int64 [n]; −1 where unknown."""

    identity: Int
    camera: Int
    sequence: Int
    frame: Int
    role: Int

    @classmethod
    def of(cls, n: int, **columns: Int) -> Labels:
        """Labels of n samples; columns that are not given are unknown, names of others are ignored.

        Raises
        ------
        ValueError
            If a column has not n rows.
        """
        unknown = np.full(n, -1, np.int64)
        made = cls(**{f.name: np.asarray(columns.get(f.name, unknown), np.int64) for f in fields(cls)})
        for name, column in made.columns().items():
            if column.shape != (n,):
                raise ValueError(f"{name}: expected {n} rows like the latents, got {list(column.shape)}")
        return made

    def columns(self) -> Mapping[str, Int]:
        """The columns by name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def take(self, rows: NDArray[np.intp] | Bool) -> Labels:
        """Labels of these rows."""
        return Labels(**{name: column[rows] for name, column in self.columns().items()})

    def __len__(self) -> int:
        return len(self.identity)


@dataclass(frozen=True)
class Protocol:
    """Which samples a query is compared with.

    Attributes
    ----------
    title : str
    gallery : callable
        (labels, query rows [q]) → bool [q n]: the gallery of each query.
    queries : callable
        labels → bool [n]: which samples are queries.
    different : callable
        As ``gallery``: where pairs of different objects are taken from for the ROC.
    """

    title: str
    gallery: Callable[[Labels, Int], Bool]
    queries: Callable[[Labels], Bool] = lambda labels: np.ones(len(labels), bool)
    different: Callable[[Labels, Int], Bool] | None = None


def _equal(column: Int, rows: Int) -> Bool:
    return np.asarray(column[rows, None] == column)


def _other_frames(labels: Labels, rows: Int) -> Bool:
    return _equal(labels.sequence, rows) & ~_equal(labels.frame, rows)


def _across(labels: Labels, rows: Int) -> Bool:
    return ~(_equal(labels.camera, rows) & _equal(labels.identity, rows))


def _others(labels: Labels, rows: Int) -> Bool:
    return np.asarray(rows[:, None] != np.arange(len(labels)))


PROTOCOLS: dict[str, Protocol] = {
    "frames": Protocol("other frames", _other_frames, different=lambda labels, rows: _equal(labels.sequence, rows)),
    "a_to_b": Protocol(
        "camera A to B",
        lambda labels, rows: ~_equal(labels.camera, rows),
        lambda labels: labels.camera == labels.camera.min(initial=np.iinfo(np.int64).max),
    ),
    "across": Protocol("across cameras", _across),
    "within": Protocol("within cameras", lambda labels, rows: _equal(labels.camera, rows) & _others(labels, rows)),
    "all": Protocol("all others", _others),
    "queries": Protocol(
        "query to gallery",
        lambda labels, rows: _across(labels, rows) & (labels.role != 1),
        lambda labels: labels.role == 1,
    ),
}
"""By name.

frames
    The gallery is all samples of other frames of the query's sequence; the ROC takes different objects of any frame.
a_to_b
    Queries of the first camera, a gallery of all other cameras.
across
    Market-1501: all cameras; samples of the query's object in the query's camera are left out.
within
    All other samples of the query's camera.
all
    All other samples.
queries
    As ``across``, with the images of a folder of queries against those of the gallery: Market-1501's own.
"""


@dataclass(frozen=True, eq=False)
class Ranking:
    """Results of all queries.

    Attributes
    ----------
    protocol : str
    ahead : int64 [queries]
        Samples of other objects that are at least as near as the nearest sample of the query's object.
    precision : float64 [queries]
        Average precision.
    unmatched : int
        Queries that were left out because the gallery does not show their object.
    unknown : int
        Samples that were left out because their identity is not known.
    separation : Separation
        Distances of queries to what the gallery shows of the same object and of others.
    """

    protocol: str
    ahead: Int
    precision: Float
    unmatched: int
    unknown: int
    separation: Separation = field(repr=False)

    def rank(self, k: int) -> float | None:
        """Share of the queries whose object is among the k nearest; None without queries."""
        return float((self.ahead < k).mean()) if len(self.ahead) else None

    @property
    def mean_average_precision(self) -> float | None:
        """Mean over the queries; None without queries."""
        return float(self.precision.mean()) if len(self.precision) else None


def protocols_for(labels: Labels) -> list[str]:
    """Names of the protocols that fit the labels; none if no identity is known.

    Cameras count where two of them show one object; frames where every sample's is known.
    """
    known = labels.take(labels.identity >= 0)
    own = ["queries"] if (known.role == 1).any() else []
    identity_cameras = np.unique(np.stack([known.identity, known.camera], axis=1)[known.camera >= 0], axis=0)
    if len(identity_cameras) > len(np.unique(identity_cameras[:, 0])):
        two_cameras = len(np.unique(identity_cameras[:, 1])) == 2 and bool((known.camera >= 0).all())
        return own + (["a_to_b", "across", "within"] if two_cameras else ["across", "within"])
    if len(known) and (known.frame >= 0).all():
        return [*own, "frames"]
    return own or (["all"] if len(known) else [])


def rank(latents: NDArray[np.floating], labels: Labels, protocol: str = "all", chunk: int = CHUNK) -> Ranking:
    """Search every query's object in the gallery by Euclidean distance.

    Of ties, samples of other objects come first: rank-k is the lowest that any order gives, and average precision is
    scikit-learn's. The order of the rows changes nothing.

    Parameters
    ----------
    latents : float [n d]
    labels : Labels
        Samples of an unknown identity are neither queries nor in the gallery.
    protocol : str
        Of `PROTOCOLS`.
    chunk : int
        Distances that are held at a time: bounds the memory, changes no result.

    Raises
    ------
    ValueError
        If the protocol is unknown, or latents and labels do not fit or are not finite.
    """
    if protocol not in PROTOCOLS:
        raise ValueError(f"protocol {protocol!r}: expected one of {', '.join(PROTOCOLS)}")
    chosen = PROTOCOLS[protocol]
    z, labels, unknown = _known(latents, labels)
    queries = np.flatnonzero(chosen.queries(labels))
    ahead, precision, separation = [np.empty(0, np.int64)], [np.empty(0)], Separation()
    for rows in _chunks(queries, max(1, chunk // max(len(z), 1))):
        # every pair by itself, not by a matrix product: equal latents are at distance 0 and no order changes a bit
        distances = cdist(z[rows], z)
        gallery = chosen.gallery(labels, rows)
        equal = _equal(labels.identity, rows)
        same = gallery & equal
        different = gallery if chosen.different is None else chosen.different(labels, rows)
        separation.same.add(distances[same])
        separation.different.add(distances[different & ~equal])
        matched = np.flatnonzero(same.any(axis=1))
        distances, gallery, same = distances[matched], gallery[matched], same[matched]
        nearest = np.where(same, distances, np.inf).min(axis=1, initial=np.inf)
        ahead.append((gallery & ~same & (distances <= nearest[:, None])).sum(axis=1))
        precision.append(_average_precision(distances, gallery, same))
    all_ahead = np.concatenate(ahead)
    return Ranking(protocol, all_ahead, np.concatenate(precision), len(queries) - len(all_ahead), unknown, separation)


def _average_precision(distances: Float, gallery: Bool, same: Bool) -> Float:
    """Average precision [q]: precision at the distance of each match, mean over the matches."""
    values = np.empty(len(distances))
    for row, (d, shown, match) in enumerate(zip(distances, gallery, same, strict=True)):
        matches = np.sort(d[match])
        within = np.searchsorted(np.sort(d[shown]), matches, side="right")
        values[row] = (np.searchsorted(matches, matches, side="right") / within).mean()
    return values


def _known(latents: NDArray[np.floating], labels: Labels) -> tuple[Float, Labels, int]:
    """Latents and labels of known identity, and how many others there were."""
    z = np.asarray(latents, np.float64)
    if z.ndim != 2 or len(z) != len(labels):
        raise ValueError(f"latents: expected [{len(labels)} d] like the labels, got {list(z.shape)}")
    bad = ~np.isfinite(z).all(axis=1)
    if bad.any():
        raise ValueError(f"latents: expected finite numbers, row {int(bad.argmax())} has others ({bad.sum()} rows)")
    known = labels.identity >= 0
    return z[known], labels.take(known), int((~known).sum())


def _chunks(rows: NDArray[np.intp], size: int) -> Iterator[NDArray[np.intp]]:
    return (rows[start : start + size] for start in range(0, len(rows), size))
