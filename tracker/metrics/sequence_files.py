"""Pairs of ground truth and prediction files, matched by the names of the sequences."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import Path

from flatsort.tracker.class_names import LABELS
from flatsort.tracker.io.seqinfo import SeqInfo, read_seqinfo

SUFFIXES = (".txt", ".csv", ".json")
"""Names of tracks in a folder end with the first of these that it has; those that lack, with one of the next."""
NO_TRACKS = (".partial", ".explain", ".config")
"""Ends of the names, before the suffix, of files beside results."""
WHOLE, REGIONS = "_gt_whole", "_gt_ignore"
"""Ends of the names of UAVDT's ground truth: objects, and regions in which tracks do not count."""


@dataclass(frozen=True, slots=True)
class FilePair:
    """The files of a sequence to evaluate.

    Attributes
    ----------
    name : str
        Name of the ground truth's folder or file.
    gt, pred : Path
        Text files in the MOTChallenge format.
    info : SeqInfo or None
        Contents of ``seqinfo.ini`` in the ground truth's folder, if there is one.
    regions : Path or None
        File of the regions in which tracks do not count, as UAVDT has it (``NAME_gt_ignore.txt`` beside).
    """

    name: str
    gt: Path
    pred: Path
    info: SeqInfo | None = None
    regions: Path | None = None


def find_pairs(gt: str | Path, pred: str | Path, *, allow_missing: bool = False) -> tuple[list[FilePair], list[str]]:
    """Match ground truth and prediction files by the names of their sequences.

    Parameters
    ----------
    gt : str or Path
        A text file, a sequence folder (with ``gt/gt.txt``), or a folder of either. A sequence has its folder's name,
        or that in ``seqinfo.ini`` where no prediction has the former; or that of the file without suffix.
    pred : str or Path
        A file, or a folder of files ``NAME.txt``, or ``NAME.csv`` or ``NAME.json`` where there is none of the former;
        results of interrupted runs (``NAME.partial.txt``) and subfolders are ignored. If one of ``gt`` and ``pred`` is
        a file and there is only one pair, names need not agree.
    allow_missing : bool
        Leave out ground truth without a prediction.

    Returns
    -------
    pairs : list of FilePair
        Sorted by name.
    unpaired : list of str
        Names of predictions without ground truth, and of ground truth that was left out.

    Raises
    ------
    FileNotFoundError
        If a path does not exist or has no sequences in it.
    ValueError
        If ground truth has no prediction and ``allow_missing`` is not set, no names agree, a prediction is the same
        file as its ground truth, or it is ambiguous which prediction belongs to which ground truth.
    """
    gt, pred = Path(gt), Path(pred)
    ground_truths = _ground_truth_files(gt)
    infos = {name: _info(file) for name, file in ground_truths.items()}
    predictions = _prediction_files(pred, {*infos, *_aliases(infos).values()})
    if len(ground_truths) == len(predictions) == 1 and (gt.is_file() or pred.is_file()):
        chosen = dict(zip(ground_truths, predictions, strict=True))
    else:
        chosen = _choose(infos, set(predictions), pred)
    missing = [name for name in ground_truths if name not in chosen]
    if not chosen:
        raise ValueError(
            f"{pred}: expected predictions of {_listed(ground_truths)}, got those of {_listed(predictions)}"
        )
    if missing and not allow_missing:
        raise ValueError(f"{pred}: no prediction for {_listed(missing)}; expected files such as {missing[0]}.txt")
    pairs = [
        FilePair(name, ground_truths[name], predictions[chosen[name]], infos[name], _regions(ground_truths[name]))
        for name in ground_truths
        if name in chosen
    ]
    for pair in pairs:
        if pair.pred.samefile(pair.gt):
            raise ValueError(f"{pair.pred}: expected tracks, got the ground truth of {pair.name} itself")
    return pairs, missing + [name for name in predictions if name not in chosen.values()]


def _choose(infos: Mapping[str, SeqInfo | None], predictions: Set[str], pred: Path) -> dict[str, str]:
    """Name of the ground truth → name of the prediction, by the folder's name or that in ``seqinfo.ini``.

    Where both names are the same, the prediction of that name belongs to no other ground truth.
    """
    aliases = _aliases(infos)
    settled = {name: name for name, alias in aliases.items() if name == alias and name in predictions}
    chosen = dict(settled)
    for name, alias in aliases.items():
        candidates = [each for each in dict.fromkeys((name, alias)) if each in predictions and each not in settled]
        if name in settled or not candidates:
            continue
        if len(candidates) > 1:
            raise ValueError(
                f"{pred}: {name}.txt and {alias}.txt could both be of {name}, which seqinfo.ini names {alias}; "
                "expected one of them"
            )
        other = next((key for key, prediction in chosen.items() if prediction == candidates[0]), None)
        if other is not None:
            raise ValueError(
                f"{pred}: {candidates[0]}.txt could be of {other} or of {name}, by their names in seqinfo.ini"
            )
        chosen[name] = candidates[0]
    return chosen


def _aliases(infos: Mapping[str, SeqInfo | None]) -> dict[str, str]:
    """Name of the ground truth → name in ``seqinfo.ini``."""
    return {name: info.name.replace("/", "_") if info else name for name, info in infos.items()}


def _ground_truth_files(path: Path) -> dict[str, Path]:
    """Name → ground truth file."""
    if not path.is_dir():
        return _file(path)
    if (path / "gt" / "gt.txt").is_file():
        return {path.resolve().name: path / "gt" / "gt.txt"}
    files = {file.parent.parent.name: file for file in sorted(path.glob("*/gt/gt.txt"))} or _texts(path)
    if not files:
        raise FileNotFoundError(f"{path}: no sequences, expected files NAME.txt or folders NAME/gt/gt.txt")
    return files


def _prediction_files(path: Path, wanted: Set[str]) -> dict[str, Path]:
    """Name → prediction file; of other suffixes than the first that there is only files of wanted names."""
    if not path.is_dir():
        return _file(path)
    by_suffix = [_complete(path, suffix) for suffix in SUFFIXES]
    files = next(filter(None, by_suffix), {})
    if not files:
        raise FileNotFoundError(f"{path}: no tracks, expected files NAME.txt, NAME.csv or NAME.json")
    for others in by_suffix:
        files |= {name: file for name, file in others.items() if name in wanted and name not in files}
    return files


def _file(path: Path) -> dict[str, Path]:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file or folder")
    return {_name(path): path}


def _texts(folder: Path) -> dict[str, Path]:
    """Files of the first kind that there is; of UAVDT's three files of a sequence that with all objects."""
    files = next(filter(None, (_complete(folder, suffix) for suffix in SUFFIXES)), {})
    whole = {name.removesuffix(WHOLE): file for name, file in files.items() if name.endswith(WHOLE)}
    return whole or files


def _regions(gt: Path) -> Path | None:
    """The file of regions beside UAVDT's ground truth."""
    stem = gt.stem.removesuffix("_whole")
    file = gt.with_name(stem.removesuffix("_gt") + REGIONS + gt.suffix)
    return file if stem.endswith("_gt") and file.is_file() else None


def _complete(folder: Path, suffix: str) -> dict[str, Path]:
    """Files that are complete; the names of those that are being written begin with a dot."""
    files = [file for file in sorted(folder.glob(f"*{suffix}")) if file.is_file() and file.name != LABELS]
    return {f.stem: f for f in files if not f.name.startswith(".") and not f.stem.endswith(NO_TRACKS)}


def _name(file: Path) -> str:
    file = file.resolve()
    if (file.parent.name, file.name) == ("gt", "gt.txt"):
        return file.parent.parent.name
    return file.stem.removesuffix(WHOLE)


def _info(gt: Path) -> SeqInfo | None:
    return read_seqinfo(gt.parent.parent) if (gt.parent.name, gt.name) == ("gt", "gt.txt") else None


def _listed(names: list[str] | dict[str, Path], most: int = 8) -> str:
    shown = ", ".join(list(names)[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")
