"""Identity, camera, sequence and frame of person images, from the names of their files."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from flatsort.tracker.registry import suggest

UNKNOWN = -1
IDENTITY_OFFSET = 100_000
"""Between the identities of two folders: more than any layout has."""


@dataclass(frozen=True)
class Label:
    """Labels that a file's name gives.

    Attributes
    ----------
    identity, camera, frame : int
        −1 where unknown.
    sequence : str or None
    """

    identity: int = UNKNOWN
    camera: int = UNKNOWN
    frame: int = UNKNOWN
    sequence: str | None = None


def _cuhk03(match: re.Match[str]) -> Label:
    return Label(int(match[1]), camera=int(int(match[2]) >= 5))


def _cuhk01(match: re.Match[str]) -> Label:
    return Label(int(match[1]), camera=int(int(match[2]) > 2))


def _market1501(match: re.Match[str]) -> Label:
    # 0000 are distractors and -1 is junk: no identity
    identity = max(int(match[1]), 0) or UNKNOWN
    return Label(identity, int(match[2]) - 1, int(match[4]), f"c{match[2]}s{match[3]}")


SHARED = {"market1501"}
"""Layouts whose identities go on from one folder to the next (queries and gallery); others start anew in each."""
PATTERNS: dict[str, tuple[re.Pattern[str], Callable[[re.Match[str]], Label], str]] = {
    "cuhk03": (re.compile(r"(\d{4})_(\d{2})$"), _cuhk03, "IIII_KK: identity, view; views 00 to 04 are camera 0"),
    "cuhk01": (re.compile(r"(\d{4})(00[1-4])$"), _cuhk01, "IIIIKKK: identity, view; views 001 and 002 are camera 0"),
    "market1501": (
        re.compile(r"(-1|\d{4})_c(\d)s(\d)_(\d+)_(\d+)"),
        _market1501,
        "0001_c1s1_000151_00: identity, camera, sequence, frame, number",
    ),
}
"""Layout → pattern of a file name without its suffix, how a match is read, and a description for messages."""

LAYOUTS = ("auto", "none", "folders", *PATTERNS)
"""``folders``: one folder an identity."""


def read_labels(paths: Sequence[Path], root: Path, layout: str = "auto") -> list[Label]:
    """Labels from the names of files, one a file.

    Parameters
    ----------
    paths : sequence of Path
        Inside of ``root``.
    root : Path
    layout : str
        One of `LAYOUTS`. ``auto`` takes, for each folder, the layout that all names in it have; if no folder has one,
        and every file lies in a folder of ``root`` whose name ends in a digit, these folders are identities.

    Raises
    ------
    ValueError
        If the layout is unknown, or no name is of the layout that was asked for.
    """
    if layout not in LAYOUTS:
        raise ValueError(f"unknown layout {layout!r}{suggest(layout, LAYOUTS)}")
    if layout == "none":
        return [Label()] * len(paths)
    if layout == "folders":
        return _folders(paths, root)
    if layout == "auto":
        return _automatic(paths, root)
    if paths and not any(_named(path, layout) for path in paths):
        raise ValueError(f"{root}: expected names like {PATTERNS[layout][2]} ({layout}), got {paths[0].name}")
    return _by_name(paths, dict.fromkeys((path.parent for path in paths), layout))


def _automatic(paths: Sequence[Path], root: Path) -> list[Label]:
    layouts = {folder: _common(inside) for folder, inside in _by_folder(paths).items()}
    if any(layouts.values()):
        return _by_name(paths, layouts)
    if len(layouts) > 1 and all(folder.parent == root and folder.name[-1].isdigit() for folder in layouts):
        return _folders(paths, root)
    return [Label()] * len(paths)


def _by_name(paths: Sequence[Path], layouts: Mapping[Path, str | None]) -> list[Label]:
    """Labels of files whose folders have these layouts; the same number under other rules is another identity."""
    numbers: dict[tuple[str, Path | None], int] = {}
    labels = []
    for path in paths:
        layout = layouts[path.parent]
        label = (layout and _named(path, layout)) or Label()
        if layout and label.identity != UNKNOWN:
            rules = (layout, None if layout in SHARED else path.parent)
            label = replace(label, identity=label.identity + IDENTITY_OFFSET * numbers.setdefault(rules, len(numbers)))
        labels.append(label)
    return labels


def _by_folder(paths: Sequence[Path]) -> dict[Path, list[Path]]:
    folders: dict[Path, list[Path]] = {}
    for path in paths:
        folders.setdefault(path.parent, []).append(path)
    return folders


def _common(paths: Sequence[Path]) -> str | None:
    """The layout that all of these names have."""
    return next((name for name in PATTERNS if all(_named(path, name) for path in paths)), None)


def _named(path: Path, layout: str) -> Label | None:
    pattern, read, _ = PATTERNS[layout]
    match = pattern.match(path.name.partition(".")[0])
    return read(match) if match else None


def _folders(paths: Sequence[Path], root: Path) -> list[Label]:
    inside = [path.relative_to(root).parts for path in paths]
    if any(len(parts) < 2 for parts in inside):
        raise ValueError(f"{root}: expected one folder an identity, got images beside the folders")
    numbers = {name: number for number, name in enumerate(sorted({parts[0] for parts in inside}))}
    return [Label(numbers[parts[0]]) for parts in inside]
