"""Classes of objects: their names, the file that gives them, and the choice of some of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from flatsort.tracker.registry import suggest
from flatsort.tracker.types import Int

LABELS = "labels.txt"
"""Names of the classes of a MOTChallenge file, beside it: the first line is class 1 (as CVAT and datumaro write it)."""
ALL = ("", "all", "[]")
"""Spellings of a choice that takes all classes."""

PERSON = "person"
"""Name of the class that detectors keep where none is asked for."""


def parse_classes(text: str | Sequence[str] | int | None) -> tuple[str, ...] | None:
    """A user's choice of classes: names or numbers; no entries: all classes; None: nothing was chosen.

    Raises
    ------
    ValueError
        If it is something else.

    Examples
    --------
    >>> parse_classes("car, traffic light")
    ('car', 'traffic light')
    >>> parse_classes("all")
    ()
    """
    if text is None:
        return None
    if isinstance(text, (list, tuple)) and all(isinstance(entry, (str, int)) for entry in text):
        return tuple(str(entry).strip() for entry in text)
    if not isinstance(text, (str, int)):
        raise ValueError(f"classes: expected names or numbers of classes, got {text!r}")
    text = str(text).strip()
    if text.lower() in ALL:
        return ()
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    return tuple(name for name in (entry.strip().strip("'\"") for entry in text.split(",")) if name)


def choose_classes(names: Mapping[int, str], chosen: Sequence[str]) -> Int:
    """Numbers of the chosen classes, ascending; all of ``names`` if none is chosen.

    Parameters
    ----------
    names : mapping of int to str
        Name of each class number.
    chosen : sequence of str
        Names, upper and lower case alike, or numbers; a name goes before a number.

    Raises
    ------
    ValueError
        If a choice is neither a name nor a number of ``names``; the message lists them.
    """
    if not chosen:
        return np.array(sorted(names), np.int64)
    numbers: set[int] = set()
    for choice in chosen:
        found = numbers_of(names, choice)
        if not found:
            raise unknown_class(choice, names.values())
        numbers |= found
    return np.array(sorted(numbers), np.int64)


def numbers_of(names: Mapping[int, str], choice: str) -> set[int]:
    """Numbers of one choice among ``names``, see `choose_classes`; none if it is unknown."""
    exact = {number for number, name in names.items() if name == choice}
    folded = {number for number, name in names.items() if name.casefold() == choice.casefold()}
    number = int(choice) if choice.isascii() and choice.isdecimal() else -1
    return exact or folded or {number} & names.keys()


def unknown_class(choice: str, names: Iterable[str]) -> ValueError:
    """The error for a choice that is none of these names."""
    hint = suggest(choice, set(names) or {"none"})
    return ValueError(f"classes: unknown class {choice!r}{hint}; all takes all of them")


def choose_detected(names: Mapping[int, str], chosen: Sequence[str] | None) -> Int:
    """As `choose_classes`, for what a network finds: where nothing was asked for, people, or all if it knows none."""
    if chosen is None:
        chosen = [name for name in names.values() if name.casefold() == PERSON][:1]
    return choose_classes(names, chosen)


def read_class_names(path: str | Path) -> list[str]:
    """Read class names from a text file with one name a line; empty lines are skipped.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If it is no text file or has no name.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"names {path}: expected UTF-8 text with one class name a line ({error.reason})") from error
    names = [line.strip() for line in lines if line.strip()]
    if not names:
        raise ValueError(f"names {path}: expected one class name a line, got none")
    return names


def labels_beside(path: str | Path) -> dict[int, str]:
    """Class number, from 1 → name, of the `LABELS` file beside a file; empty where there is no such file.

    Detections in the folder ``det`` of a sequence share the file of its ground truth in ``gt``.

    Raises
    ------
    ValueError
        If the file has no names or is no text.
    """
    folder = Path(path).resolve().parent
    places = [folder, folder.parent / "gt"] if folder.name == "det" else [folder]
    file = next((place / LABELS for place in places if (place / LABELS).is_file()), None)
    return {} if file is None else dict(enumerate(read_class_names(file), 1))
