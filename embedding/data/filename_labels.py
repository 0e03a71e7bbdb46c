"""Identity, camera, sequence and frame of person images, from the names of their files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
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
    role : int
        1 for a query, 0 for an image of the gallery, −1 where there is no such choice.
    """

    identity: int = UNKNOWN
    camera: int = UNKNOWN
    frame: int = UNKNOWN
    sequence: str | None = None
    role: int = UNKNOWN


def _cuhk03(match: re.Match[str]) -> Label:
    return Label(int(match[1]), camera=int(int(match[2]) >= 5))


def _cuhk01(match: re.Match[str]) -> Label:
    return Label(int(match[1]), camera=int(int(match[2]) > 2))


def _market1501(match: re.Match[str]) -> Label:
    return Label(int(match[1]), int(match[2]), int(match[4]), f"c{match[2]}s{match[3]}")


def _numbered(match: re.Match[str]) -> Label:
    """Of a pattern with groups of the names id, camera and frame."""
    known = {name: text for name, text in match.groupdict().items() if text is not None}
    camera = known.get("camera", "")
    numbers = {name: int(re.sub(r"\D", "", known.get(name, "")) or UNKNOWN) for name in ("id", "camera", "frame")}
    return Label(numbers["id"], numbers["camera"], numbers["frame"], f"c{camera}" if camera else None)


SHARED = {"market1501", "veri", "duke", "numbered"}
"""Layouts whose identities go on from one folder to the next (queries and gallery); others start anew in each."""
PATTERNS: dict[str, tuple[re.Pattern[str], Callable[[re.Match[str]], Label], str]] = {
    "cuhk03": (re.compile(r"(\d{4})_(\d{2})$"), _cuhk03, "IIII_KK: identity, view; views 00 to 04 are camera 0"),
    "cuhk01": (re.compile(r"(\d{4})(00[1-4])$"), _cuhk01, "IIIIKKK: identity, view; views 001 and 002 are camera 0"),
    "market1501": (
        re.compile(r"(-1|\d{4})_c(\d)s(\d)_(\d+)_(\d+)"),
        _market1501,
        "0001_c1s1_000151_00: identity, camera, sequence, frame, number",
    ),
    "veri": (
        re.compile(r"(?P<id>\d{4,5})_c(?P<camera>\d{3})_(?P<frame>\d{8})_\d+"),
        _numbered,
        "0001_c001_00016450_0: identity, camera, frame, number",
    ),
    "duke": (
        re.compile(r"(?P<id>\d{4})_c(?P<camera>\d+)_f(?P<frame>\d+)"),
        _numbered,
        "0001_c2_f0046182: identity, camera, frame",
    ),
    "numbered": (
        re.compile(
            r"[a-z]*[_-]?(?P<id>\d+)[_-](?:camera|cam|c)[_-]?(?P<camera>\d+)(?:[_-](?:frame|f)?[_-]?(?P<frame>\d+))?",
            re.IGNORECASE,
        ),
        _numbered,
        "person01_cam01_frame010: a word and the identity, camera, frame",
    ),
}
"""Layout → pattern of a file name without its suffix, how a match is read, and a description for messages."""

LAYOUTS = ("auto", "none", "folders", *PATTERNS)
"""``folders``: one folder an identity."""
QUERIES, GALLERIES = {"query", "queries", "probe"}, {"gallery", "bounding_box_test", "image_test"}
"""Names of folders that say whether an image is a query, or of the gallery."""
HINT = "--layout folders: one folder an identity; --layout 'REGEX' with groups (?P<id>…), (?P<camera>…), (?P<frame>…)"


def read_labels(paths: Sequence[Path], root: Path, layout: str = "auto") -> list[Label]:
    """Labels from the names of files, one a file.

    Parameters
    ----------
    paths : sequence of Path
        Inside of ``root``.
    root : Path
    layout : str
        One of `LAYOUTS`, or a regular expression with the group ``id``, and perhaps ``camera`` and ``frame``, with
        which names begin. ``auto`` takes, for each folder, the layout that all names in it have; if no folder has one,
        and every file lies in a folder of ``root`` whose name ends in a digit, these folders are identities.

    Raises
    ------
    ValueError
        If the layout is unknown, or no name is of the layout that was asked for.
    """
    if "(?P<" in layout:
        labels = _by_pattern(paths, root, layout)
    elif layout not in LAYOUTS:
        raise ValueError(f"unknown layout {layout!r}{suggest(layout, LAYOUTS)}; {HINT}")
    elif layout == "none":
        return [Label()] * len(paths)
    elif layout == "folders":
        labels = _folders(paths, root)
    elif layout == "auto":
        labels = _automatic(paths, root)
    elif paths and not any(_named(path, layout) for path in paths):
        raise ValueError(f"{root}: expected names like {PATTERNS[layout][2]} ({layout}), got {paths[0].name}; {HINT}")
    else:
        labels = _by_name(paths, dict.fromkeys((path.parent for path in paths), layout))
    return _with_roles(labels, paths, root)


def _by_pattern(paths: Sequence[Path], root: Path, text: str) -> list[Label]:
    """Labels by a user's own pattern."""
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise ValueError(f"layout {text!r}: expected a regular expression ({error})") from error
    if "id" not in pattern.groupindex:
        raise ValueError(f"layout {text!r}: expected a group (?P<id>…), got {', '.join(pattern.groupindex) or 'none'}")
    matches = [pattern.match(path.name) for path in paths]
    if paths and not any(matches):
        raise ValueError(f"{root}: expected names that begin with {text!r}, got {paths[0].name}")
    numbers = {name: _numbers([m.groupdict().get(name) for m in matches if m]) for name in ("id", "camera", "frame")}
    labels = []
    for match in matches:
        found = match.groupdict() if match else {}
        identity, camera, frame = (numbers[name][found.get(name)] for name in numbers)
        labels.append(Label(identity, camera, frame, f"c{found['camera']}" if camera != UNKNOWN else None))
    return labels


def _numbers(texts: Iterable[str | None]) -> dict[str | None, int]:
    """Text → its number, or its place among all texts where one of them is none; None → unknown."""
    names = sorted({text for text in texts if text is not None})
    numeric = all(name.isdecimal() for name in names)
    return {name: int(name) if numeric else place for place, name in enumerate(names)} | {None: UNKNOWN}


def _with_roles(labels: Sequence[Label], paths: Sequence[Path], root: Path) -> list[Label]:
    """The labels with the roles that folders of queries and of a gallery give, where there are both."""
    roles = []
    for path in paths:
        folders = {part.lower() for part in path.relative_to(root).parts[:-1]}
        roles.append(1 if folders & QUERIES else 0 if folders & GALLERIES else UNKNOWN)
    if not {0, 1} <= set(roles):
        return list(labels)
    return [replace(label, role=role) for label, role in zip(labels, roles, strict=True)]


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
    distractors = _has_distractors(paths, layouts)
    for path in paths:
        layout = layouts[path.parent]
        label = (layout and _named(path, layout)) or Label()
        if layout in distractors and label.identity == 0:
            label = replace(label, identity=UNKNOWN)
        if layout and label.identity != UNKNOWN:
            rules = (layout, None if layout in SHARED else path.parent)
            label = replace(label, identity=label.identity + IDENTITY_OFFSET * numbers.setdefault(rules, len(numbers)))
        labels.append(label)
    return _from_zero(labels, [layouts[path.parent] for path in paths])


def _from_zero(labels: Sequence[Label], layouts: Sequence[str | None]) -> list[Label]:
    """Cameras counted from 0, where names count them from 1; a set that has a camera 0 keeps its numbers."""
    counted = [layout in SHARED for layout in layouts]
    cameras = [label.camera for label, chosen in zip(labels, counted, strict=True) if chosen and label.camera >= 0]
    shift = 1 if min(cameras, default=0) >= 1 else 0
    return [
        replace(label, camera=label.camera - shift) if chosen and label.camera >= 0 else label
        for label, chosen in zip(labels, counted, strict=True)
    ]


def _has_distractors(paths: Sequence[Path], layouts: Mapping[Path, str | None]) -> set[str | None]:
    """Layouts in which 0000 is no identity: Market-1501's, if it is the set itself, by its junk (-1) or folders."""
    market = [path for path in paths if layouts[path.parent] == "market1501"]
    junk = any(path.name.startswith("-1_") for path in market)
    folders = any(path.parent.name.lower().startswith("bounding_box_") for path in market)
    return {"market1501"} if junk or folders else set()


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
