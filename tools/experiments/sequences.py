"""The sequences of a benchmark: their detections, ground truth and image files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flatsort.tools.experiments.results import BenchmarkSequence
from flatsort.tracker.images import images_of
from flatsort.tracker.io.mot import read_detection_file, read_table
from flatsort.tracker.io.seqinfo import read_seqinfo
from flatsort.tracker.io.video import open_source
from flatsort.tracker.io.video_file import VIDEOS
from flatsort.tracker.types import Detections

GROUND_TRUTH = Path("gt", "gt.txt")
SUFFIXES = (".txt", ".npy", ".csv", ".json")
"""Of files of detections in a folder."""


@dataclass(frozen=True)
class SequenceImages:
    """The image files of a sequence.

    Attributes
    ----------
    files : list of Path
        Images, or one video; empty where there are none.
    video : bool
    """

    files: list[Path]
    video: bool = False

    def count(self, frames: int) -> int:
        """How many of ``frames`` frames have an image; a video is taken to have all."""
        return frames if self.video else min(len(self.files), frames)


def read_sequences(
    data: Sequence[str], detections: str, min_score: float | None = None, classes: Sequence[str] | None = None
) -> dict[str, BenchmarkSequence]:
    """Read all sequences, by name.

    Parameters
    ----------
    data : sequence of str
        Sequence folders (with ``gt/gt.txt``), folders of them, globs of either.
    detections : str
        Name of a file in ``det/`` of each sequence; a folder of ``NAME.txt``, ``.npy``, ``.csv`` or ``.json``; or a
        file, where there is one sequence only.
    min_score : float, optional
        Detections below this score are left out.
    classes : sequence of str, optional
        Names or numbers of the classes of detections to keep; by default, or if empty, all.

    Raises
    ------
    FileNotFoundError
        If there are no sequences, or one has no detections.
    ValueError
        If a file is malformed, or two sequences have the same name.
    """
    folders = find_sequences(data)
    return {
        name: _read(name, folder, _detections_of(name, folder, detections, len(folders)), min_score, classes)
        for name, folder in folders.items()
    }


def find_sequences(data: Sequence[str]) -> dict[str, Path]:
    """Folders of the sequences in the given paths, by name: in the order of the paths, sorted within each.

    Raises
    ------
    FileNotFoundError
        If there is no sequence in a path.
    ValueError
        If two different folders have the same name, or there are no paths.
    """
    if not data:
        raise ValueError("data: expected at least one sequence folder, got none")
    folders: dict[str, Path] = {}
    for text in data:
        for folder in _folders(text):
            name = folder.resolve().name
            if name in folders and not folder.samefile(folders[name]):
                raise ValueError(f"{folder}: expected different names, {folders[name]} is a sequence {name} too")
            folders.setdefault(name, folder)
    return folders


def image_files_of(source: str | Path) -> SequenceImages:
    """Image files or the video of a sequence folder, the same that `tracker.io.video.open_source` reads."""
    folder = Path(source)
    info = read_seqinfo(folder)
    inside = info.image_dir if info else folder / "img1"
    images = images_of(inside.iterdir()) if inside.is_dir() else []
    if images:
        return SequenceImages(images)
    videos = sorted(path for path in folder.iterdir() if path.suffix.lower() in VIDEOS)
    return SequenceImages(videos, video=True) if len(videos) == 1 else SequenceImages([])


def require_images(sequence: BenchmarkSequence, system: str) -> None:
    """Refuse a sequence without the images that a system needs.

    Raises
    ------
    ValueError
        If it has none, or not for all frames.
    """
    frames = len(sequence.detections)
    count = image_files_of(sequence.source).count(frames)
    if count < frames:
        got = f"those of {count} of {frames} frames" if count else "none"
        raise ValueError(f"{sequence.source}: expected images for system {system}, got {got}")


def _folders(text: str) -> list[Path]:
    path = Path(text)
    if path.is_dir():
        sequences = _within(path)
    elif any(mark in text for mark in "*?["):
        root = Path(path.anchor)
        sequences = [each for match in sorted(root.glob(str(path.relative_to(root)))) for each in _within(match)]
    else:
        raise FileNotFoundError(f"{text}: no such folder, expected a sequence or a folder of sequences")
    if not sequences:
        raise FileNotFoundError(f"{text}: no sequences, expected folders NAME/{GROUND_TRUTH.as_posix()}")
    return sequences


def _within(folder: Path) -> list[Path]:
    """The sequence that a folder is, or the sequences in it."""
    return (
        [folder]
        if (folder / GROUND_TRUTH).is_file()
        else sorted(file.parent.parent for file in folder.glob(f"*/{GROUND_TRUTH}"))
    )


def _detections_of(name: str, folder: Path, detections: str, count: int) -> Path:
    """The file with the detections of a sequence."""
    in_sequence, path = folder / "det" / detections, Path(detections)
    if in_sequence.is_file() and not path.is_absolute():
        return in_sequence
    if path.is_dir():
        there = [file for file in (path / f"{name}{suffix}" for suffix in SUFFIXES) if file.is_file()]
        if len(there) != 1:
            got = " and ".join(file.name for file in there) or "neither"
            raise FileNotFoundError(f"{path}: expected {name}.txt or {name}.npy (or .csv, .json), got {got}")
        return there[0]
    if path.is_file():
        if count > 1:
            raise ValueError(f"{path}: a file has the detections of one sequence, got {count} sequences")
        return path
    raise FileNotFoundError(f"{in_sequence}: no such file, expected the detections of {name}")


def _read(
    name: str, folder: Path, detections: Path, min_score: float | None, classes: Sequence[str] | None
) -> BenchmarkSequence:
    file = read_detection_file(detections)
    by_frame = file.of_classes(classes).frames
    info = read_seqinfo(folder)
    source = open_source(str(folder), images=False, length=max(file.frames, default=None))
    if min_score is not None:
        by_frame = {index: each[each.scores >= min_score] for index, each in by_frame.items()}
    return BenchmarkSequence(
        name=name,
        source=str(folder),
        detections=[by_frame.get(index, Detections.empty()) for index in range(1, (source.length or 0) + 1)],
        fps=source.fps,
        image_size=source.size,
        ground_truth=read_table(folder / GROUND_TRUTH),
        length=info.length if info else None,
        class_names=file.class_names,
    )
