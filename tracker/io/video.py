"""Frame sources: videos, images, MOTChallenge sequences, detection files; `open_source` also opens live sources."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from flatsort.tracker.images import SUFFIXES, ValueRange, images_of, read_image, value_range
from flatsort.tracker.io.addresses import URL, shown, stream_name
from flatsort.tracker.io.file_source import FPS, FileSource, TimedImage
from flatsort.tracker.io.frame_numbers import FARTHEST, count_from_1, number_pictures, stride_of
from flatsort.tracker.io.live import LiveSource, open_live
from flatsort.tracker.io.mot import read_detections, read_table
from flatsort.tracker.io.seqinfo import SeqInfo, read_seqinfo
from flatsort.tracker.io.video_file import VIDEOS, open_video
from flatsort.tracker.protocols import FrameSource
from flatsort.tracker.types import Int

TABLES = {".csv", ".json", ".npy", ".tsv", ".txt", ".xml"}


@dataclass(frozen=True, eq=False)
class _Wanted:
    """The parameters of `open_source`."""

    images: bool
    fps: float | None
    length: int | None
    values: ValueRange | None
    frames: Int | None
    stride: int | None
    pictured: bool

    def strided(self, source: FileSource) -> FileSource:
        """Every n-th of the frames of a source."""
        return source.every(*stride_of(range(1, (source.length or 0) + 1), self.frames, self.stride))

    def without_images(self, name: str, fps: float | None, info: SeqInfo | None, length: int) -> FileSource:
        """Frames of which no image is known."""
        size = info.size if info else None
        numbers = range(1, length + 1)
        return self.strided(FileSource(name, fps or FPS, size, length, absent=length, numbers=numbers))


def open_source(
    source: str,
    *,
    images: bool = True,
    fps: float | None = None,
    length: int | None = None,
    values: ValueRange | None = None,
    frames: Int | None = None,
    stride: int | None = 1,
    pictured: bool = False,
) -> FrameSource:
    """Open a frame source.

    Parameters
    ----------
    source : str
        A video; an image; a folder or glob of images, in natural order (``img2`` before ``img10``); a MOTChallenge
        sequence folder with images or one video, where frame n is the image with number n, or has no image if there is
        none; a detection file (only without images); a camera index; an ``rtsp://`` or ``http://`` URL. An existing
        file takes precedence over a camera index.
    images : bool
        Without them nothing is decoded and every ``Frame.image`` is None.
    fps : float, optional
        Frames per second, in place of the source's own; the timestamps of a video are scaled to it.
    length : int, optional
        Number of frames, where neither ``seqinfo.ini`` nor the header of a video specifies it. If there are more
        images, all are used. If there are fewer, the other frames have no image, provided that the images are numbered
        by frame or nothing is decoded.
    values : ValueRange, optional
        Of pictures with more than 256 levels (thermal cameras), what is black and white; by default the range that the
        first one uses. It is the same for all pictures.
    frames : int64 [n], optional
        Frame numbers of the boxes that belong to the source. They tell whether images are numbered by their names or in
        order, see `tracker.io.frame_numbers`; by default those of a sequence's own ground truth or detections do.
    stride : int or None
        Every how many frames; None: as ``frames`` come. Frames keep their numbers and times.
    pictured : bool
        Whether frames without an image are of no use: where every n-th frame has one, these are all frames.

    Raises
    ------
    FileNotFoundError
        If there is no such file or no file matches.
    ValueError
        If the source has no image that can be read, or the first frame of a video cannot be decoded.
    ConnectionError
        If a camera or stream gives no image.
    """
    if fps is not None and not (0 < fps < math.inf):
        raise ValueError(f"fps: expected a number above 0, got {fps}")
    if length is not None and length < 1:
        raise ValueError(f"length: expected at least one frame, got {length}")
    if stride is not None and stride < 1:
        raise ValueError(f"stride: expected 1 or more, got {stride}")
    wanted = _Wanted(images, fps, length, values, frames, stride, pictured)
    path = Path(source)
    if path.is_dir():
        return _open_folder(path, wanted)
    if path.is_file():
        if path.suffix.lower() in TABLES:
            return _open_table(path, wanted)
        if path.suffix.lower() in SUFFIXES:
            return _open_images([path], path.stem, wanted)
        return wanted.strided(open_video(source, path.stem, images, fps, None, length, values))
    if URL.match(source) and Path(source.partition("?")[0]).suffix.lower() in VIDEOS:
        return wanted.strided(open_video(source, stream_name(source), images, fps, None, length, values))
    if source.isdecimal() or URL.match(source):
        return _open_live(source, wanted)
    if any(mark in source for mark in "*?["):
        return _open_glob(source, wanted)
    raise FileNotFoundError(
        f"{shown(source)}: no such file, expected a video, images, a sequence folder, a camera index or a URL"
    )


def _open_live(source: str, wanted: _Wanted) -> LiveSource:
    if not wanted.images:
        raise ValueError(f"{shown(source)}: a camera or stream cannot be opened without images")
    if wanted.stride is not None and wanted.stride > 1:
        raise ValueError(f"{shown(source)}: a camera or stream gives its newest frame, expected no stride for it")
    return open_live(source, fps=wanted.fps)


def _open_folder(folder: Path, wanted: _Wanted) -> FileSource:
    """Frames of a sequence folder, its image folder, or of any folder of images."""
    parent = folder.resolve().parent
    if folder.resolve().name == "img1" and (parent / "seqinfo.ini").is_file():
        folder = parent
    info = read_seqinfo(folder)
    paths = images_of(folder.iterdir())
    if info is None and paths and not (folder / "img1").is_dir():
        return _open_images(paths, folder.resolve().name, wanted)
    name = folder.resolve().name if info is None else info.name.replace("/", "_")
    announced = wanted.length if info is None else info.length
    rate = wanted.fps or (info.fps if info else None)
    inside = info.image_dir if info else folder / "img1"
    paths = images_of(inside.iterdir()) if inside.is_dir() else []
    videos = sorted(path for path in folder.iterdir() if path.suffix.lower() in VIDEOS)
    if paths:
        return _open_images(paths, name, wanted, folder, info)
    if not wanted.images and announced and (info or not videos):
        return wanted.without_images(name, rate, info, announced)
    if len(videos) == 1:
        known, arguments = info.length if info else None, (wanted.length, wanted.values)
        return wanted.strided(open_video(str(videos[0]), name, wanted.images, rate, known, *arguments))
    got = f"{len(videos)} videos" if videos else "none"
    if not videos and any(path.suffix == ".txt" for path in folder.iterdir()):
        got += "; text files of detections go to --detections"
    raise ValueError(f"{folder}: expected images, here or in {inside.name}, or one video, got {got}")


def _open_glob(source: str, wanted: _Wanted) -> FileSource:
    """Frames of the images that match, named after their folder."""
    path = Path(source)
    root = Path(path.anchor)
    matching = [each for each in root.glob(str(path.relative_to(root))) if each.is_file()]
    if not matching:
        raise FileNotFoundError(f"{source}: expected images, no file matches")
    paths = images_of(matching)
    if not paths:
        which = "the file that matches is" if len(matching) == 1 else f"the {len(matching)} files that match are"
        raise ValueError(f"{source}: expected images, {which} none")
    folder = paths[0].resolve().parent
    return _open_images(paths, (folder.parent if folder.name == "img1" else folder).name, wanted)


def _open_table(path: Path, wanted: _Wanted) -> FileSource:
    """Frames without images, up to the last one of a detection file."""
    if wanted.images:
        raise ValueError(f"{path}: a detection file has no images, expected a video, images or a sequence folder")
    of_sequence = path.resolve().parent.name in ("det", "gt")
    folder = path.resolve().parent.parent
    info = read_seqinfo(folder) if of_sequence else None
    own = np.array(list(read_detections(path)), np.int64)
    total = max(own.max(initial=0), info.length if info else wanted.length or 0)
    if not total:
        raise ValueError(f"{path}: expected at least one row to know the number of frames, got none")
    name = info.name.replace("/", "_") if info else folder.name if of_sequence else path.stem
    return wanted.without_images(name, wanted.fps or (info.fps if info else None), info, int(total))


def _open_images(
    paths: Sequence[Path], name: str, wanted: _Wanted, sequence: Path | None = None, info: SeqInfo | None = None
) -> FileSource:
    """Frames of image files, of a ``sequence`` folder or any; if nothing is decoded, as many as are said to be."""
    rate = wanted.fps or (info.fps if info else FPS)
    announced, last, boxes = info.length if info else None, wanted.length or 0, wanted.frames
    if boxes is None and sequence is not None and not count_from_1(paths):
        boxes = _own_frames(sequence)
    found = number_pictures(
        paths, announced=announced, last=last, frames=boxes, sequence=sequence is not None, pictured=wanted.pictured
    )
    numbers, end = found.frames, announced or last
    if not found.by_name and not wanted.images and len(paths) < end <= len(paths) + FARTHEST:
        numbers = range(1, end + 1)
    phase, stride = stride_of(numbers, wanted.frames, wanted.stride)
    given = numbers[phase::stride]
    source = FileSource(
        *(name, rate, info.size if info else None, len(given)),
        absent=sum(number not in found.pictures for number in given),
        numbers=numbers,
        phase=phase,
        stride=stride,
        by_name=found.by_name,
        # where the sequence counts frames between the images, its rate is that of all of them
        pace=numbers.step if announced is not None and announced >= numbers[-1] else 1,
    )
    if not wanted.images:
        return source
    stems = [found.pictures[n].stem if n in found.pictures else None for n in range(1, numbers[-1] + 1)]
    return replace(_with_images(source, [found.pictures.get(n) for n in given], wanted.values), pictures=stems)


def _with_images(source: FileSource, paths: Sequence[Path | None], values: ValueRange | None) -> FileSource:
    """The source with the images of its frames, None for a frame without one."""
    files = [path for path in paths if path is not None]
    first = next(((path, image) for path in files if (image := read_image(path, values)) is not None), None)
    if first is None:
        where, got = (files[0], "a file") if len(files) == 1 else (files[0].parent, f"{len(files)} files")
        raise ValueError(f"{where}: expected a complete image, got {got} that cannot be decoded")

    deep = value_range(first[0])
    chosen = None if deep is None else values or deep
    seconds = source.lag / source.fps

    def read_images() -> Generator[TimedImage]:
        for place, each in enumerate(paths):
            yield (None if each is None else read_image(each, chosen)), place * seconds

    size = (first[1].shape[1], first[1].shape[0])
    return replace(source, size=size, read_images=read_images, values=chosen)


def _own_frames(folder: Path) -> Int | None:
    """Frame numbers of the ground truth of a sequence folder, or else of its detections; None without both."""
    with suppress(OSError, ValueError):
        return read_table(folder / "gt" / "gt.txt").frames
    with suppress(OSError, ValueError):
        return np.array(list(read_detections(folder / "det" / "det.txt")), np.int64)
    return None
