"""Evaluation of tracks against ground truth: the MOT16 table and HOTA for each sequence and for all of them pooled."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from flatsort.tracker.metrics.sequence_files import FilePair, find_pairs

if TYPE_CHECKING:  # pandas and scipy are slow to import: the functions that need them do it
    from flatsort.tracker.io.mot import MotTable
    from flatsort.tracker.metrics.clear import Counts, Timeline
    from flatsort.tracker.metrics.hota import Hota
    from flatsort.tracker.metrics.preprocessing import Benchmark
    from flatsort.tracker.types import Int

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Scores:
    """One row of the MOT16 table with HOTA, in percent where the table has percent; FAR is per frame."""

    idf1: float
    idp: float
    idr: float
    recall: float
    precision: float
    far: float
    gt: int
    mt: int
    pt: int
    ml: int
    fp: int
    fn: int
    ids: int
    fm: int
    mota: float
    motp: float
    motal: float
    hota: float
    deta: float
    assa: float
    loca: float


@dataclass(frozen=True, slots=True, eq=False)
class SequenceResult:
    """Scores of one sequence, with the data they are computed from.

    Attributes
    ----------
    name : str
    scores : Scores
    counts, hota : Counts, Hota
        The counts and curves of the scores.
    timeline : Timeline
        The prediction that is matched with each ground truth box.
    gt_labels, pred_labels : int64
        Ids as in the files, by the positions in ``timeline``.
    unusable : int
        Predictions that are not finite or have no area; they count as false positives.
    ignored : int
        Ground truth boxes that are not evaluated: flag (column 7) 0, or a class (column 8) other than pedestrian.
    """

    name: str
    scores: Scores
    counts: Counts
    hota: Hota
    timeline: Timeline
    gt_labels: Int
    pred_labels: Int
    unusable: int
    ignored: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Scores of several sequences.

    Attributes
    ----------
    sequences : mapping of str to SequenceResult
    overall : Scores
        Scores of the summed counts, not the mean of the rows.
    hota : Hota
        Pooled HOTA over the localisation threshold.
    """

    sequences: Mapping[str, SequenceResult]
    overall: Scores
    hota: Hota

    def rows(self) -> dict[str, Scores]:
        """Scores by sequence, in order; ``OVERALL`` is the last."""
        return {**{name: result.scores for name, result in self.sequences.items()}, "OVERALL": self.overall}


def evaluate(
    gt: str | Path,
    pred: str | Path,
    *,
    benchmark: Benchmark | None = None,
    allow_missing: bool = False,
    jobs: int = 1,
    progress: Callable[[Iterator[SequenceResult], int], Iterable[SequenceResult]] | None = None,
) -> Evaluation:
    """Score prediction files against ground truth files.

    Parameters
    ----------
    gt, pred : str or Path
        See `find_pairs`.
    benchmark : optional
        Format of the ground truth; by default recognised by its columns.
    allow_missing : bool
        Score only the sequences that have a prediction.
    jobs : int
        Number of processes.
    progress : callable, optional
        Called with the iterator of results and their number; yields the results, for example with a progress bar.

    Raises
    ------
    FileNotFoundError, ValueError
        If a file is missing or malformed; the message names file and line.

    Examples
    --------
    >>> evaluate("MOT17/train", "runs/sort").overall.idf1
    """
    pairs, unpaired = find_pairs(gt, pred, allow_missing=allow_missing)
    if unpaired:
        logger.warning("not scored, as ground truth or prediction is missing: %s", ", ".join(unpaired))
    results = _map(partial(evaluate_pair, benchmark=benchmark), pairs, jobs)
    return pool(progress(results, len(pairs)) if progress else results)


def evaluate_pair(pair: FilePair, benchmark: Benchmark | None = None) -> SequenceResult:
    """Score one sequence from its files."""
    from flatsort.tracker.io.mot import read_table

    length = pair.info.length if pair.info else None
    return evaluate_tables(pair.name, read_table(pair.gt), read_table(pair.pred), benchmark, length)


def evaluate_tables(
    name: str, gt: MotTable, pred: MotTable, benchmark: Benchmark | None = None, length: int | None = None
) -> SequenceResult:
    """Score one sequence from its rows; ``length`` in frames, by default up to the last row."""
    from flatsort.tracker.metrics.clear import clear
    from flatsort.tracker.metrics.hota import hota
    from flatsort.tracker.metrics.preprocessing import prepare

    sequence = prepare(name, gt, pred, benchmark, length)
    counts, timeline = clear(sequence)
    curves = hota(sequence)
    return SequenceResult(
        name=name,
        scores=_scores(counts, curves),
        counts=counts,
        hota=curves,
        timeline=timeline,
        gt_labels=sequence.gt_labels,
        pred_labels=sequence.pred_labels,
        unusable=sequence.unusable,
        ignored=sequence.ignored,
    )


def pool(results: Iterable[SequenceResult]) -> Evaluation:
    """Combine the results of sequences.

    Raises
    ------
    ValueError
        If there are none.
    """
    from flatsort.tracker.metrics.clear import Counts
    from flatsort.tracker.metrics.hota import pooled

    sequences = {result.name: result for result in results}
    if not sequences:
        raise ValueError("expected at least one sequence to evaluate, got none")
    for result in sequences.values():
        _warn(result)
    hota = pooled({name: result.hota for name, result in sequences.items()})
    counts = sum((result.counts for result in sequences.values()), Counts())
    return Evaluation(sequences, _scores(counts, hota), hota)


def _warn(result: SequenceResult) -> None:
    if result.ignored and not len(result.gt_labels):
        logger.warning(
            "%s: none of the %d ground truth boxes is evaluated; expected 1 in column 7, "
            "and in column 8, if it is a class, 1 (pedestrian) or -1",
            result.name,
            result.ignored,
        )
    if result.unusable:
        logger.warning(
            "%s: %d predictions are not finite or have no area; they count as false positives",
            result.name,
            result.unusable,
        )


def _scores(counts: Counts, hota: Hota) -> Scores:
    return Scores(**counts.measures(), **hota.measures())


def _map(score: Callable[[FilePair], SequenceResult], pairs: list[FilePair], jobs: int) -> Iterator[SequenceResult]:
    """Yield the results in order, computed by up to ``jobs`` processes."""
    jobs = min(jobs, len(pairs))
    if jobs <= 1:
        yield from map(score, pairs)
        return
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    # spawned, not forked: a notebook has threads
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from pool.map(score, pairs)
