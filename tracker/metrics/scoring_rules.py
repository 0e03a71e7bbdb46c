"""Which boxes of a ground truth are scored, and against which tracks: the rules of a benchmark, or the file's classes.

Only the ground truth of a benchmark is scored by a benchmark's rules (pedestrians, distractors, ignored regions). Any
other file has classes of its own: each is scored, and all of them together.

References
----------
Milan et al., MOT16: A benchmark for multi-object tracking, 2016, section 4.1; in the form of TrackEval's
``MotChallenge2DBox``, which the benchmark's server runs.
VisDrone2018-MOT-toolkit, ``dropObjects``: tracks that lie for more than half in ignored regions are taken out first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from flatsort.tracker.class_names import numbers_of, unknown_class
from flatsort.tracker.io.layouts import IGNORED, MOT_CLASSES
from flatsort.tracker.io.mot import MotTable
from flatsort.tracker.types import Bool, Int

Benchmark = Literal["mot15", "mot16", "mot17", "mot20"]

PEDESTRIAN = 1
UNKNOWN = -1
DISTRACTORS = {"mot16": (2, 7, 8, 12), "mot17": (2, 7, 8, 12), "mot20": (2, 6, 7, 8, 12)}
"""Person on vehicle, static person, distractor, reflection; for MOT20 vehicle without motor as well."""


@dataclass(frozen=True, eq=False)
class Roles:
    """What the boxes of ground truth [n] and tracks [m] are there for.

    Attributes
    ----------
    scored : bool [n]
        Objects that are to be found.
    distractor : bool [n]
        Objects that may be found: a track's box that is matched with one is taken out.
    region : bool [n]
        Regions in which nothing counts.
    tracks : bool [m]
        The boxes of tracks that take part.
    track_classes : int64 [m] or None
        Class of each box of a track, in the ground truth's numbers; None where boxes of all classes may match.
    """

    scored: Bool
    distractor: Bool
    region: Bool
    tracks: Bool
    track_classes: Int | None = None


@dataclass(frozen=True)
class Rules:
    """How a ground truth is scored.

    Attributes
    ----------
    sentence : str
        The rules in words.
    benchmark : str or None
        Of which benchmark; None: classes of the file's own.
    classes : mapping of int to str
        The classes of its own that are scored.
    track_classes : mapping of int to int or None
        Class of the tracks → class of the ground truth; None: tracks have no classes, or of another numbering.
    """

    sentence: str
    benchmark: Benchmark | None = None
    classes: Mapping[int, str] = field(default_factory=dict)
    track_classes: Mapping[int, int] | None = None

    def roles(self, gt: MotTable, pred: MotTable, only: int | None = None) -> Roles:
        """The roles of all boxes; of the objects of one class alone where ``only`` is given."""
        considered, none = gt.scores != 0, np.zeros(len(gt), bool)
        everything = np.ones(len(pred), bool)
        if self.benchmark == "mot15":
            return Roles(considered, none, none, everything)
        if self.benchmark is not None:
            scored = considered & np.isin(gt.classes, (PEDESTRIAN, UNKNOWN))
            return Roles(scored, np.isin(gt.classes, DISTRACTORS[self.benchmark]), none, everything)
        no_object = np.isin(gt.classes, IGNORED.get(gt.layout, ()))
        region = no_object | ~considered if gt.layout in IGNORED else none
        chosen = list(self.classes) if only is None else [only]
        scored = considered & ~region & np.isin(gt.classes, chosen)
        if self.track_classes is None:
            return Roles(scored, ~scored & ~region, region, everything)
        classes = np.array([self.track_classes.get(number, UNKNOWN) for number in pred.classes.tolist()], np.int64)
        return Roles(scored, ~considered & ~region, region, np.isin(classes, chosen), classes)


def benchmark_of(gt: MotTable, name: str = "") -> Benchmark:
    """Recognise the benchmark by the columns of its ground truth: MOT15 without classes, MOT17 with them.

    MOT20 has the columns of MOT17 and is recognised by the name of the sequence (``MOT20-01``).
    """
    if gt.columns not in (8, 9):
        return "mot15"
    return "mot20" if name.upper().startswith("MOT20") else "mot17"


def rules_for(
    name: str,
    gt: MotTable,
    pred: MotTable,
    benchmark: Benchmark | None = None,
    classes: Sequence[str] | None = None,
) -> Rules:
    """The rules for a ground truth: the benchmark's that is asked for or recognised, or the file's own classes.

    Parameters
    ----------
    name : str
        Of the sequence.
    gt, pred : MotTable
    benchmark : optional
        Whose rules are asked for.
    classes : sequence of str, optional
        Names or numbers of classes, none for all: these are scored as classes of the file's own; one that this ground
        truth does not know has no boxes (see `require_classes`).

    Raises
    ------
    ValueError
        If classes and a benchmark are asked for, or classes of a ground truth without any.
    """
    if benchmark is not None and classes is not None:
        raise ValueError(
            f"{name}: expected classes or the rules of {benchmark}, which knows pedestrians only, got both"
        )
    if benchmark is None and (classes is not None or _has_own_classes(gt)):
        return _own_classes(gt, pred, classes)
    benchmark = benchmark or benchmark_of(gt, name)
    if benchmark == "mot15":
        return Rules("every box of the ground truth whose flag is not 0 (as in MOT15)", benchmark)
    how = f"as in {benchmark.upper()}; --classes all scores every class"
    return Rules(f"pedestrians only, tracks on distractors do not count ({how})", benchmark)


def with_regions(gt: MotTable, regions: MotTable) -> MotTable:
    """The ground truth with the boxes of a file of regions in which tracks do not count, as UAVDT has it."""
    n, k = len(gt), len(regions)
    classes = gt.classes if (gt.classes > 0).any() else np.ones(n, np.int64)
    return replace(
        gt,
        frames=np.concatenate([gt.frames, regions.frames]),
        ids=np.concatenate([gt.ids, gt.ids.min(initial=0) - 1 - np.arange(k)]),  # theirs are of no object
        boxes=np.concatenate([gt.boxes, regions.boxes]),
        scores=np.ones(n + k),
        classes=np.concatenate([classes, np.zeros(k, np.int64)]),
        visibility=np.ones(n + k),
        layout="uavdt",
        class_names=gt.class_names or {1: "object"},
        lines=None,
    )


def require_classes(ground_truths: Iterable[MotTable], chosen: Sequence[str]) -> None:
    """Refuse a choice of classes that is in none of some ground truths; not all need to have it.

    Raises
    ------
    ValueError
        If a class is in none of them; the message lists those that are.
    """
    every = [_class_names(gt) for gt in ground_truths]
    for choice in chosen:
        if not any(numbers_of(names, choice) for names in every):
            raise unknown_class(choice, (name for names in every for name in names.values()))


def _has_own_classes(gt: MotTable) -> bool:
    """Whether the classes of a ground truth are not those of MOT16 to MOT20."""
    known = {k: name.casefold() for k, name in gt.class_names.items()}
    if known:
        of_benchmark = len(known) > 1 and known.items() <= MOT_CLASSES.items()
        return not of_benchmark and (not len(gt) or bool((gt.classes >= 0).any()))
    return gt.layout != "mot15" and bool((~np.isin(gt.classes, (UNKNOWN, *MOT_CLASSES))).any())


def _objects(gt: MotTable) -> set[int]:
    """The classes that occur and are objects."""
    return set(gt.classes[gt.classes >= 0].tolist()) - set(IGNORED.get(gt.layout, ()))


def _class_names(gt: MotTable) -> dict[int, str]:
    """Names of the classes that a ground truth knows or has: their numbers where they have none."""
    numbers = _objects(gt)
    fits = gt.layout == "mot" and numbers <= MOT_CLASSES.keys()
    known = gt.class_names or (MOT_CLASSES if fits and numbers else {})
    names = {number: str(number) for number in numbers} | dict(known)
    return {number: names[number] for number in sorted(names) if number not in IGNORED.get(gt.layout, ())}


def _own_classes(gt: MotTable, pred: MotTable, chosen: Sequence[str] | None) -> Rules:
    if len(gt) and (gt.classes < 0).all():
        raise ValueError(f"{gt.path}: expected a class in column 8 to choose classes, got none")
    names, occurring = _class_names(gt), _objects(gt)
    track_classes = _common_numbers(names, occurring, pred)
    if chosen:
        numbers = {number for choice in chosen for number in numbers_of(names, choice)}
    else:
        numbers = occurring | set((track_classes or {}).values())
    scored = {number: names[number] for number in sorted(numbers)}
    if track_classes is None:
        has_some = bool((pred.classes >= 0).any())
        how = f"tracks have {'other' if has_some else 'no'} classes, they are matched with objects of any"
    else:
        others = set(pred.classes.tolist()) - {own for own, number in track_classes.items() if number in scored}
        listed = ", ".join(pred.class_names.get(number, str(number)) for number in sorted(others))
        how = "tracks are matched within their class" + f"; those of {listed} do not count" * bool(others)
    sentence = f"classes of the ground truth's own: {', '.join(scored.values()) or 'none'}; {how}"
    if gt.layout in IGNORED:
        benchmark = {"visdrone": "VisDrone", "kitti": "KITTI", "uavdt": "UAVDT"}[gt.layout]
        sentence += f"; tracks in ignored regions do not count (as in {benchmark})"
    return Rules(sentence, None, scored, track_classes)


def _common_numbers(names: Mapping[int, str], occurring: Set[int], pred: MotTable) -> dict[int, int] | None:
    """Class of the tracks → class of the ground truth, by name where both have names; None if they do not agree."""
    numbers = set(pred.classes[pred.classes >= 0].tolist())
    if not numbers or (pred.classes < 0).any():
        return None
    if pred.class_names:
        by_name = {name.casefold(): number for number, name in names.items()}
        pairs = {number: by_name.get(pred.class_names.get(number, "").casefold()) for number in numbers}
        agreed = {number: partner for number, partner in pairs.items() if partner is not None}
        return agreed or None
    agree = numbers <= names.keys() and (not occurring or numbers & occurring)
    return {number: number for number in numbers} if agree else None
