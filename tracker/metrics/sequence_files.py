"""Which prediction file belongs to which ground truth."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import Path

from flatsort.tracker.io.mot import SeqInfo, read_seqinfo


@dataclass(frozen=True, slots=True)
class FilePair:
    """A sequence to evaluate.

    Attributes
    ----------
    name : str
        Of the ground truth's folder or file.
    gt, pred : Path
        Text files in the MOTChallenge format.
    info : SeqInfo or None
        Of the ground truth's folder, where it has a ``seqinfo.ini``.
    """

    name: str
    gt: Path
    pred: Path
    info: SeqInfo | None = None


def find_pairs(gt: str | Path, pred: str | Path, *, allow_missing: bool = False) -> tuple[list[FilePair], list[str]]:
    """Match ground truths and predictions by the names of their sequences.

    Parameters
    ----------
    gt : str or Path
        A text file, a sequence folder (with ``gt/gt.txt``), or a folder of either. Of a sequence folder the name
        counts, and where no prediction has it the one in ``seqinfo.ini``; of a file the name without suffix.
    pred : str or Path
        A text file or a folder of them, ``NAME.txt``; what an interruption left (``NAME.partial.txt``) and folders in
        it are not looked at. A single file, here or there, need not be named like its only counterpart.
    allow_missing : bool
        Leave out ground truths without a prediction.

    Returns
    -------
    pairs : list of Pair
        Sorted by name.
    unpaired : list of str
        Names of predictions without a ground truth, and of ground truths that were left out.

    Raises
    ------
    FileNotFoundError
        If a path does not exist or has no sequences in it.
    ValueError
        If a ground truth has no prediction and ``allow_missing`` is not set, no names agree at all, a prediction is its
        own ground truth, or it is not clear which prediction belongs to which ground truth.
    """
    gt, pred = Path(gt), Path(pred)
    truths, guesses = _truths(gt), _guesses(pred)
    infos = {name: _info(file) for name, file in truths.items()}
    if len(truths) == len(guesses) == 1 and (gt.is_file() or pred.is_file()):
        chosen = dict(zip(truths, guesses, strict=True))
    else:
        chosen = _choose(infos, set(guesses), pred)
    missing = [name for name in truths if name not in chosen]
    if not chosen:
        raise ValueError(f"{pred}: expected predictions of {_listed(truths)}, got those of {_listed(guesses)}")
    if missing and not allow_missing:
        raise ValueError(f"{pred}: no prediction for {_listed(missing)}; expected files such as {missing[0]}.txt")
    pairs = [FilePair(name, truths[name], guesses[chosen[name]], infos[name]) for name in truths if name in chosen]
    for pair in pairs:
        if pair.pred.samefile(pair.gt):
            raise ValueError(f"{pair.pred}: expected tracks, got the ground truth of {pair.name} itself")
    return pairs, missing + [name for name in guesses if name not in chosen.values()]


def _choose(infos: Mapping[str, SeqInfo | None], guesses: Set[str], pred: Path) -> dict[str, str]:
    """Ground truth → prediction, by the folder's name or the one that ``seqinfo.ini`` gives, as results are named.

    Where both names are the same, the prediction of that name is no other's.
    """
    aliases = {name: info.name.replace("/", "_") if info else name for name, info in infos.items()}
    settled = {name: name for name, alias in aliases.items() if name == alias and name in guesses}
    chosen = dict(settled)
    for name, alias in aliases.items():
        found = [each for each in dict.fromkeys((name, alias)) if each in guesses and each not in settled]
        if name in settled or not found:
            continue
        if len(found) > 1:
            raise ValueError(
                f"{pred}: {name}.txt and {alias}.txt could both be of {name}, which seqinfo.ini names {alias}; "
                "expected one of them"
            )
        other = next((key for key, guess in chosen.items() if guess == found[0]), None)
        if other is not None:
            raise ValueError(f"{pred}: {found[0]}.txt could be of {other} or of {name}, by their names in seqinfo.ini")
        chosen[name] = found[0]
    return chosen


def _truths(path: Path) -> dict[str, Path]:
    """Name → ground truth."""
    if not path.is_dir():
        return _file(path)
    if (path / "gt" / "gt.txt").is_file():
        return {path.resolve().name: path / "gt" / "gt.txt"}
    found = {file.parent.parent.name: file for file in sorted(path.glob("*/gt/gt.txt"))} or _texts(path)
    if not found:
        raise FileNotFoundError(f"{path}: no sequences, expected files NAME.txt or folders NAME/gt/gt.txt")
    return found


def _guesses(path: Path) -> dict[str, Path]:
    """Name → tracks."""
    if not path.is_dir():
        return _file(path)
    found = _texts(path)
    if not found:
        raise FileNotFoundError(f"{path}: no tracks, expected files NAME.txt")
    return found


def _file(path: Path) -> dict[str, Path]:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file or folder")
    return {_name(path): path}


def _texts(folder: Path) -> dict[str, Path]:
    """Finished text files; those that are being written have a dot before their names."""
    files = [file for file in sorted(folder.glob("*.txt")) if file.is_file()]
    return {file.stem: file for file in files if not file.name.startswith(".") and not file.stem.endswith(".partial")}


def _name(file: Path) -> str:
    file = file.resolve()
    return file.parent.parent.name if (file.parent.name, file.name) == ("gt", "gt.txt") else file.stem


def _info(gt: Path) -> SeqInfo | None:
    return read_seqinfo(gt.parent.parent) if (gt.parent.name, gt.name) == ("gt", "gt.txt") else None


def _listed(names: list[str] | dict[str, Path], most: int = 8) -> str:
    shown = ", ".join(list(names)[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")
