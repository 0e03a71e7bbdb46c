"""Which prediction file belongs to which ground truth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tracker.io.mot import SeqInfo, read_seqinfo


@dataclass(frozen=True, slots=True)
class Pair:
    """A sequence to evaluate.

    Attributes
    ----------
    name : str
    gt, pred : Path
        Text files in the MOTChallenge format.
    info : SeqInfo or None
        Of the ground truth's folder, where it has a ``seqinfo.ini``.
    """

    name: str
    gt: Path
    pred: Path
    info: SeqInfo | None = None


def find_pairs(gt: str | Path, pred: str | Path, *, allow_missing: bool = False) -> tuple[list[Pair], list[str]]:
    """Match ground truths and predictions by the names of their sequences.

    Parameters
    ----------
    gt : str or Path
        A text file, a sequence folder (with ``gt/gt.txt``), or a folder of either. Of a sequence folder the name
        counts, of a file the name without suffix.
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
        If a ground truth has no prediction and ``allow_missing`` is not set, no names agree at all, or a prediction is
        its own ground truth.
    """
    gt, pred = Path(gt), Path(pred)
    truths, guesses = _truths(gt), _guesses(pred)
    if len(truths) == len(guesses) == 1 and (gt.is_file() or pred.is_file()):
        guesses = dict(zip(truths, guesses.values(), strict=True))
    common = [name for name in truths if name in guesses]
    missing = [name for name in truths if name not in guesses]
    if not common:
        raise ValueError(f"{pred}: expected predictions of {_listed(truths)}, got those of {_listed(guesses)}")
    if missing and not allow_missing:
        raise ValueError(f"{pred}: no prediction for {_listed(missing)}; expected files such as {missing[0]}.txt")
    pairs = [Pair(name, truths[name], guesses[name], _info(truths[name])) for name in common]
    for pair in pairs:
        if pair.pred.samefile(pair.gt):
            raise ValueError(f"{pair.pred}: expected tracks, got the ground truth of {pair.name} itself")
    return pairs, missing + [name for name in guesses if name not in truths]


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
