"""Evaluation of tracks against ground truth: the MOT16 table and HOTA for each sequence and for all of them pooled."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from flatsort.tracker.metrics.sequence_files import FilePair, find_pairs

if TYPE_CHECKING:  # pandas and scipy are slow to import: the functions that need them do it
    from flatsort.tracker.io.mot import MotTable
    from flatsort.tracker.metrics.clear import Counts, Timeline
    from flatsort.tracker.metrics.hota import Hota
    from flatsort.tracker.metrics.preprocessing import ScoredSequence
    from flatsort.tracker.metrics.scored_frames import FrameSelection
    from flatsort.tracker.metrics.scoring_rules import Benchmark
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
        Ground truth boxes that are not evaluated: flag (column 7) 0, or a class (column 8) that is not scored.
    rules : str
        What is scored, in words.
    notes : tuple of str
        What else users should know of, a sentence each.
    classes : mapping of str to SequenceResult
        The same for each class alone, where the ground truth has classes of its own.
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
    rules: str = ""
    notes: tuple[str, ...] = ()
    classes: Mapping[str, SequenceResult] = field(default_factory=dict)


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
    classes : mapping of str to Evaluation
        The same for each class alone, where the ground truth has classes of its own.
    """

    sequences: Mapping[str, SequenceResult]
    overall: Scores
    hota: Hota
    classes: Mapping[str, Evaluation] = field(default_factory=dict)

    def rows(self) -> dict[str, Scores]:
        """Scores by sequence, in order; ``OVERALL`` is the last."""
        return {**{name: result.scores for name, result in self.sequences.items()}, "OVERALL": self.overall}

    @property
    def class_average(self) -> Scores | None:
        """Mean of the classes' rates and sum of their counts; None where there are no classes."""
        if not self.classes:
            return None
        rows = [each.overall for each in self.classes.values()]
        columns = {f.name: [getattr(row, f.name) for row in rows] for f in fields(Scores)}
        return Scores(**{name: sum(v) if isinstance(v[0], int) else sum(v) / len(v) for name, v in columns.items()})

    @property
    def notes(self) -> list[str]:
        """What is scored, by which rules, and what else users should know of: a sentence each."""
        notes = []
        for rules in dict.fromkeys(result.rules for result in self.sequences.values()):
            results = [result for result in self.sequences.values() if result.rules == rules]
            ignored = sum(result.ignored for result in results)
            left_out = f"; {ignored} ground truth boxes are not scored" if ignored else ""
            notes.append(f"scored: {rules}{left_out}")
        return notes + [f"{name}: {note}" for name, result in self.sequences.items() for note in result.notes]


def evaluate(
    gt: str | Path,
    pred: str | Path,
    *,
    benchmark: Benchmark | None = None,
    classes: str | Sequence[str] | None = None,
    frames: FrameSelection | str | Sequence[int | None] | None = None,
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
        Whose rules hold; by default they follow from the ground truth.
    classes : str or sequence of str, optional
        Names or numbers of classes of the ground truth's own, none for all: each is scored, and all together.
    frames : FrameSelection, str or pair of int, optional
        Frames to score: the first and the last of them, as a pair or as ``A-B``; by default those that have ground
        truth, where it has every n-th frame only.
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
    >>> evaluate("MOT17/train", "runs/sort", frames=(301, None)).overall.idf1
    """
    from flatsort.tracker.class_names import parse_classes
    from flatsort.tracker.io.mot import read_table
    from flatsort.tracker.metrics.scored_frames import FrameSelection
    from flatsort.tracker.metrics.scoring_rules import require_classes

    chosen = parse_classes(classes)
    if isinstance(frames, str):
        frames = FrameSelection.parse(frames)
    elif frames is not None and not isinstance(frames, FrameSelection):
        frames = FrameSelection(*frames)
    pairs, unpaired = find_pairs(gt, pred, allow_missing=allow_missing)
    if unpaired:
        logger.warning("not scored, as ground truth or prediction is missing: %s", ", ".join(unpaired))
    if chosen:
        require_classes((read_table(pair.gt) for pair in pairs), chosen)
    results = _map(partial(evaluate_pair, benchmark=benchmark, classes=chosen, frames=frames), pairs, jobs)
    return pool(progress(results, len(pairs)) if progress else results)


def evaluate_pair(
    pair: FilePair,
    benchmark: Benchmark | None = None,
    classes: Sequence[str] | None = None,
    frames: FrameSelection | None = None,
) -> SequenceResult:
    """Score one sequence from its files; see `evaluate`."""
    from flatsort.tracker.io.mot import read_table
    from flatsort.tracker.metrics.scored_frames import FrameSelection
    from flatsort.tracker.metrics.scoring_rules import with_regions

    length = pair.info.length if pair.info else None
    gt, pred = read_table(pair.gt), read_table(pair.pred)
    if pair.regions:
        gt = with_regions(gt, read_table(pair.regions))
    return evaluate_tables(pair.name, gt, pred, benchmark, length, classes=classes, frames=frames or FrameSelection())


def evaluate_tables(
    name: str,
    gt: MotTable,
    pred: MotTable,
    benchmark: Benchmark | None = None,
    length: int | None = None,
    *,
    classes: Sequence[str] | None = None,
    frames: FrameSelection | None = None,
) -> SequenceResult:
    """Score one sequence from its rows; ``length`` in frames, by default up to the last row; all frames by default."""
    from flatsort.tracker.metrics.preprocessing import check_frames, prepare
    from flatsort.tracker.metrics.scoring_rules import rules_for

    check_frames(gt, pred, length)
    notes: list[str] = []
    if frames is not None:
        gt, pred, length, notes = frames.apply(gt, pred, length)
    rules = rules_for(name, gt, pred, benchmark, classes)

    def scored(only: int | None = None) -> SequenceResult:
        sequence = prepare(name, gt, pred, rules=rules, only=only)
        return _score(sequence if length is None else replace(sequence, length=length), rules.sentence)

    result = scored()
    if not len(result.gt_labels):
        notes.append("the ground truth has no box to score")
    of_classes = {label: scored(number) for number, label in rules.classes.items()}
    return replace(result, notes=tuple(notes), classes=of_classes)


def _score(sequence: ScoredSequence, rules: str) -> SequenceResult:
    from flatsort.tracker.metrics.clear import clear
    from flatsort.tracker.metrics.hota import hota

    counts, timeline = clear(sequence)
    curves = hota(sequence)
    return SequenceResult(
        name=sequence.name,
        scores=_scores(counts, curves),
        counts=counts,
        hota=curves,
        timeline=timeline,
        gt_labels=sequence.gt_labels,
        pred_labels=sequence.pred_labels,
        unusable=sequence.unusable,
        ignored=sequence.ignored,
        rules=rules,
    )


def pool(results: Iterable[SequenceResult]) -> Evaluation:
    """Combine the results of sequences.

    Raises
    ------
    ValueError
        If there are none.
    """
    sequences = {result.name: result for result in results}
    if not sequences:
        raise ValueError("expected at least one sequence to evaluate, got none")
    for result in sequences.values():
        _warn(result)
    names = dict.fromkeys(label for result in sequences.values() for label in result.classes)
    of_classes = {
        label: _pooled({name: r.classes[label] for name, r in sequences.items() if label in r.classes})
        for label in names
    }
    return replace(_pooled(sequences), classes=of_classes)


def _pooled(sequences: Mapping[str, SequenceResult]) -> Evaluation:
    from flatsort.tracker.metrics.clear import Counts
    from flatsort.tracker.metrics.hota import pooled

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
    from flatsort.tracker.processes import worker_processes

    with worker_processes(jobs) as pool:
        yield from pool.map(score, pairs)
