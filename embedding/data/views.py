"""Other views of the same object: samples of one motion-only tracklet."""

from __future__ import annotations

import numpy as np

from flatsort.embedding.data.sample_set import SampleSet
from flatsort.embedding.random_generator import RandomGenerator
from flatsort.tracker.types import Int


class Views:
    """Finds, for a sample, another one of its tracklet.

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
        # the samples of a tracklet lie side by side in _order: those without one are not in it at all
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
        chance = generator.uniform(len(rows)).double().cpu().numpy()
        place = self._place[rows]
        known = place >= 0
        start, count = self._start[place[known]], self._count[place[known]]
        step = 1 + np.minimum((chance[known] * (count - 1)).astype(np.int64), np.maximum(count - 2, 0))
        out = rows.copy()
        out[known] = self._order[start + (place[known] - start + step) % count]
        return out
