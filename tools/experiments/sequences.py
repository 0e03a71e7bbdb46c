"""The sequences of a benchmark: their detections, ground truth and image files."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from flatsort.tools.experiments.results import BenchmarkSequence
from flatsort.tools.runs.open_input import picture_size
from flatsort.tracker.images import images_of
from flatsort.tracker.input_check import InputBoxes, check_input, stride_note
from flatsort.tracker.io.file_source import FileSource
from flatsort.tracker.io.mot import DetectionFile, MotTable, read_detection_file, read_table
from flatsort.tracker.io.seqinfo import read_seqinfo
from flatsort.tracker.io.video import open_source
from flatsort.tracker.io.video_file import VIDEOS
from flatsort.tracker.metrics.scored_frames import FrameSelection
from flatsort.tracker.metrics.scoring_rules import require_classes
from flatsort.tracker.types import Detections

GROUND_TRUTH = Path("gt", "gt.txt")
SUFFIXES = (".txt", ".npy", ".csv", ".json")
"""Of files of detections in a folder."""

log = logging.getLogger(__name__)


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
    data: Sequence[str],
    detections: str,
    min_score: float | None = None,
    classes: Sequence[str] | None = None,
    *,
    thresholds: Mapping[str, float] | None = None,
    check: bool = True,
    scored: FrameSelection | None = None,
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
        Names or numbers of the classes of detections and of ground truth to keep; by default, or if empty, all.
    thresholds : mapping of str to float, optional
        Those of scores that trackers use.
    check : bool
        Whether detections and ground truth are compared with the sequence; what users should know of it is logged.
    scored : FrameSelection, optional
        Frames to keep.

    Raises
    ------
    FileNotFoundError
        If there are no sequences, or one has no detections.
    ValueError
        If a file is malformed, two sequences have the same name, or boxes can only be wrong in their sequence.
    """
    folders = find_sequences(data)
    used = {**(thresholds or {}), **({} if min_score is None else {"min_score": min_score})}
    sequences = {}
    for name, folder in folders.items():
        path = _detections_of(name, folder, detections, len(folders))
        file, table = read_detection_file(path), read_table(folder / GROUND_TRUTH)
        source = _open(folder, file)
        for note in filter(None, _check(folder, source, file, table, used) if check else ()):
            log.warning(note)
        kept = file if not file.class_names else file.of_classes(classes)
        sequence = _sequence(name, folder, source, kept, table, min_score)
        sequence = replace(sequence, classes=None if classes is None else tuple(classes))
        sequences[name] = sequence if scored is None else sequence.within(scored)
    require_classes((each.ground_truth for each in sequences.values()), classes or ())
    return sequences


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


def _open(folder: Path, file: DetectionFile) -> FileSource:
    """The frames of a sequence, without images, that its detections are of."""
    frames = np.array(list(file.frames), np.int64)
    source = open_source(str(folder), images=False, length=frames.max(initial=0) or None, frames=frames, stride=None)
    assert isinstance(source, FileSource)  # of a folder
    return source


def _check(
    folder: Path, source: FileSource, file: DetectionFile, table: MotTable, thresholds: Mapping[str, float]
) -> list[str]:
    """What users should know of detections and ground truth in a sequence."""
    size = picture_size(str(folder), source)
    truth = InputBoxes(table.path, table.frames, table.boxes, table.scores, "boxes")
    notes = check_input(InputBoxes.of(file.path, file.frames), source, size, thresholds)
    return [stride_note(file.path, "detections", source), *notes, *check_input(truth, source, size)]


def _sequence(
    name: str, folder: Path, source: FileSource, file: DetectionFile, table: MotTable, min_score: float | None
) -> BenchmarkSequence:
    info, by_frame = read_seqinfo(folder), file.frames
    if min_score is not None:
        by_frame = {index: each[each.scores >= min_score] for index, each in by_frame.items()}
    numbers = range(source.first, source.first + source.step * (source.length or 0), source.step)
    return BenchmarkSequence(
        name=name,
        source=str(folder),
        detections=[by_frame.get(index, Detections.empty()) for index in numbers],
        fps=source.fps,
        image_size=source.size,
        ground_truth=table,
        length=info.length if info else None,
        class_names=file.class_names,
        numbers=numbers if numbers != range(1, len(numbers) + 1) else range(0),
    )
