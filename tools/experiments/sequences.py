"""The sequences of a benchmark: their detections, truth and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flatsort.tools.experiments.results import SequenceInput
from flatsort.tracker.images import images_of
from flatsort.tracker.io.mot import read_detections, read_seqinfo, read_table
from flatsort.tracker.io.video import VIDEOS, open_source
from flatsort.tracker.types import Detections

TRUTH = Path("gt", "gt.txt")


@dataclass(frozen=True)
class Pictures:
    """Where the pictures of a sequence are.

    Attributes
    ----------
    files : list of Path
        Images, or one video; empty where there are none.
    video : bool
    """

    files: list[Path]
    video: bool = False

    def count(self, frames: int) -> int:
        """How many of ``frames`` frames have a picture; a video counts as whole."""
        return frames if self.video else min(len(self.files), frames)


def read_inputs(data: Sequence[str], detections: str, min_score: float | None = None) -> dict[str, SequenceInput]:
    """Read all sequences, by name.

    Parameters
    ----------
    data : sequence of str
        Sequence folders (with ``gt/gt.txt``), folders of them, globs of either.
    detections : str
        Name of a file in ``det/`` of each sequence; a folder of ``NAME.txt`` or ``NAME.npy``; or a file, where there
        is one sequence only.
    min_score : float, optional
        Detections below are left out.

    Raises
    ------
    FileNotFoundError
        If there are no sequences, or one has no detections.
    ValueError
        If a file is malformed, or two sequences have one name.
    """
    folders = find_sequences(data)
    return {
        name: _read(name, folder, _detections_of(name, folder, detections, len(folders)), min_score)
        for name, folder in folders.items()
    }


def find_sequences(data: Sequence[str]) -> dict[str, Path]:
    """Folders of the sequences that the paths mean, by name: in the order of the paths, sorted within each.

    Raises
    ------
    FileNotFoundError
        If a path means no sequence.
    ValueError
        If two different folders have one name, or there are no paths.
    """
    if not data:
        raise ValueError("data: expected at least one sequence folder, got none")
    found: dict[str, Path] = {}
    for text in data:
        for folder in _folders(text):
            name = folder.resolve().name
            if name in found and not folder.samefile(found[name]):
                raise ValueError(f"{folder}: expected different names, {found[name]} is a sequence {name} too")
            found.setdefault(name, folder)
    return found


def pictures_of(source: str | Path) -> Pictures:
    """Files of a sequence folder's pictures, as `tracker.io.video.open_source` finds them."""
    folder = Path(source)
    info = read_seqinfo(folder)
    inside = info.image_dir if info else folder / "img1"
    images = images_of(inside.iterdir()) if inside.is_dir() else []
    if images:
        return Pictures(images)
    videos = sorted(path for path in folder.iterdir() if path.suffix.lower() in VIDEOS)
    return Pictures(videos, video=True) if len(videos) == 1 else Pictures([])


def check_pictures(sequence: SequenceInput, system: str) -> None:
    """Refuse a sequence that does not have the pictures that a system needs.

    Raises
    ------
    ValueError
        If it has none, or not for all frames.
    """
    frames = len(sequence.detections)
    count = pictures_of(sequence.source).count(frames)
    if count < frames:
        got = f"those of {count} of {frames} frames" if count else "none"
        raise ValueError(f"{sequence.source}: system {system} needs the pictures, found {got}")


def _folders(text: str) -> list[Path]:
    path = Path(text)
    if path.is_dir():
        found = _within(path)
    elif any(mark in text for mark in "*?["):
        root = Path(path.anchor)
        found = [each for match in sorted(root.glob(str(path.relative_to(root)))) for each in _within(match)]
    else:
        raise FileNotFoundError(f"{text}: no such folder, expected a sequence or a folder of sequences")
    if not found:
        raise FileNotFoundError(f"{text}: no sequences, expected folders NAME/{TRUTH.as_posix()}")
    return found


def _within(folder: Path) -> list[Path]:
    """The sequence that a folder is, or the sequences in it."""
    return [folder] if (folder / TRUTH).is_file() else sorted(file.parent.parent for file in folder.glob(f"*/{TRUTH}"))


def _detections_of(name: str, folder: Path, detections: str, count: int) -> Path:
    """The file with the detections of a sequence."""
    own, given = folder / "det" / detections, Path(detections)
    if own.is_file() and not given.is_absolute():
        return own
    if given.is_dir():
        files = [given / f"{name}{suffix}" for suffix in (".txt", ".npy")]
        there = [file for file in files if file.is_file()]
        if len(there) != 1:
            got = "both" if there else "neither"
            raise FileNotFoundError(f"{given}: expected {files[0].name} or {files[1].name}, found {got}")
        return there[0]
    if given.is_file():
        if count > 1:
            raise ValueError(f"{given}: a file has the detections of one sequence, got {count} sequences")
        return given
    raise FileNotFoundError(f"{own}: no such file, expected the detections of {name}")


def _read(name: str, folder: Path, detections: Path, min_score: float | None) -> SequenceInput:
    found = read_detections(detections)
    info = read_seqinfo(folder)
    source = open_source(str(folder), images=False, length=max(found, default=None))
    if min_score is not None:
        found = {index: some[some.scores >= min_score] for index, some in found.items()}
    return SequenceInput(
        name=name,
        source=str(folder),
        detections=[found.get(index, Detections.empty()) for index in range(1, (source.length or 0) + 1)],
        fps=source.fps,
        picture=source.size,
        truth=read_table(folder / TRUTH),
        length=info.length if info else None,
    )
